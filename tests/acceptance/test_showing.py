"""What a click recorded is shown by the process that heard it, and by a worker where that process dies."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from asking import asked, offer, shows_nothing
from fixtures_house import FINANCE, MAYA, Running

from bot.facts import sweeps
from bot.slack.delivery.showing import Showing


async def test_what_is_to_be_shown_is_drawn_in_its_order_though_nobody_waits_for_it() -> None:
    drawn: asyncio.Queue[str] = asyncio.Queue()

    Showing(drawn.put, patience=0.0).soon(["the card", "a copy"])

    assert [await drawn.get(), await drawn.get()] == ["the card", "a copy"]


async def test_a_card_settles_without_a_worker(house: Running) -> None:
    offer(house)
    await asked(house)

    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.house.desk.showing.idle()

    assert "Approved by" in str(house.card(FINANCE))
    assert await house.rows("select * from procrastinate_jobs where task_name = 'signoff.draw'") == []


async def test_a_card_whose_listener_died_settles_by_a_worker(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    await asked(house)
    shows_nothing(house, monkeypatch)
    await house.click(MAYA, FINANCE, "signoff.approve")
    assert "Approved by" not in str(house.card(FINANCE))

    await house.pass_time(timedelta(minutes=1))
    async with house.house.work.connection() as conn:
        await sweeps.messages_behind(conn, house.house.queue)
    await house.drain()

    assert "Approved by" in str(house.card(FINANCE))


async def test_a_drawing_that_fails_at_once_takes_no_acknowledgement_back(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(house)
    await asked(house)

    async def broken(message_id: str) -> None:
        raise RuntimeError("not today")

    monkeypatch.setattr(house.house.desk.showing, "_draw", broken)
    ack = await house.click(MAYA, FINANCE, "signoff.approve")
    await house.house.desk.showing.idle()

    assert ack.acked
