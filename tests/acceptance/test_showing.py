"""What a click recorded is shown by the process that heard it, and by a worker where that process dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from asking import asked, offer, shows_nothing
from fixtures_house import FINANCE, MAYA, PATIENCE, Running

from bot.facts import sweeps
from bot.slack.delivery import showing as at_once
from bot.slack.delivery.showing import AT_ONCE, MOST_WAITING, Showing


async def test_what_is_to_be_shown_is_drawn_in_its_order_though_nobody_waits_for_it() -> None:
    drawn: asyncio.Queue[str] = asyncio.Queue()

    Showing(drawn.put, patience=0.0).soon(["the card", "a copy"])

    assert [await drawn.get(), await drawn.get()] == ["the card", "a copy"]


async def test_what_waits_to_be_drawn_is_drawn_once_whoever_asks_for_it() -> None:
    drawn: list[str] = []
    showing = Showing(_noting(drawn), patience=0.0)

    showing.soon(["the card", "the card"])
    showing.handed_on(["the card", "its reply"])
    showing.handed_on(["its reply"])
    await showing.idle()

    assert sorted(drawn) == ["its reply", "the card"]


async def test_a_click_does_not_wait_though_a_long_run_would_draw_its_card_at_last() -> None:
    drawn, go_on = list[str](), asyncio.Event()

    async def slowly(message_id: str) -> None:
        drawn.append(message_id)
        if message_id == "the card":
            go_on.set()
        await go_on.wait()

    showing = Showing(slowly, patience=0.0)
    showing.handed_on(["another", "the card"])
    showing.soon(["the card"])
    await showing.idle()

    assert drawn == ["another", "the card", "the card"]


async def test_a_click_is_shown_as_soon_as_a_run_has_recorded_what_came_of_it() -> None:
    drawn: list[str] = []
    showing = Showing(_noting(drawn), patience=1000.0)

    showing.soon(["the card"])
    showing.handed_on(["the card"])
    await showing.idle()

    assert drawn == ["the card"]


async def test_what_a_run_recorded_waits_for_nothing() -> None:
    drawn: list[str] = []
    showing = Showing(_noting(drawn), patience=1000.0)

    showing.handed_on(["the card"])
    await showing.idle()

    assert drawn == ["the card"]


async def test_what_cannot_be_drawn_holds_up_nothing_behind_it_and_can_be_drawn_again() -> None:
    drawn: list[str] = []

    async def once_broken(message_id: str) -> None:
        drawn.append(message_id)
        if drawn == ["broken"]:
            raise RuntimeError("not today")

    showing = Showing(once_broken, patience=0.0)
    showing.soon(["broken", "a copy"])
    await showing.idle()
    showing.soon(["broken"])
    await showing.idle()

    assert drawn == ["broken", "a copy", "broken"]


async def test_no_more_are_drawn_at_once_than_there_are_places() -> None:
    drawn, go_on = list[str](), asyncio.Event()

    async def slowly(message_id: str) -> None:
        drawn.append(message_id)
        await go_on.wait()

    showing = Showing(slowly)
    for n in range(AT_ONCE * 2):
        showing.handed_on([str(n)])
    for _ in range(20):
        await asyncio.sleep(0)

    assert len(drawn) == AT_ONCE
    go_on.set()
    await showing.idle()


async def test_a_process_that_ends_lets_finish_what_is_being_drawn() -> None:
    drawn: list[str] = []

    async def slowly(message_id: str) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        drawn.append(message_id)

    showing = Showing(slowly, patience=0.0)
    showing.soon(["the card"])
    await showing.end()

    assert drawn == ["the card"]


async def test_a_process_that_ends_does_not_wait_for_ever_for_a_slack_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.slack.delivery.showing.LAST_SECONDS", 0.0)
    answers = asyncio.Event()

    async def hangs(message_id: str) -> None:
        await answers.wait()

    showing = Showing(hangs, patience=0.0)
    showing.soon(["the card"])
    async with asyncio.timeout(30):
        await showing.end()

    assert not answers.is_set()
    answers.set()
    await showing.idle()


async def test_what_changes_while_it_is_drawn_is_drawn_again() -> None:
    begun, go_on, drawn = asyncio.Event(), asyncio.Event(), list[str]()

    async def slowly(message_id: str) -> None:
        drawn.append(message_id)
        begun.set()
        await go_on.wait()

    showing = Showing(slowly, patience=0.0)
    showing.soon(["the card"])
    await begun.wait()
    showing.handed_on(["the card"])
    go_on.set()
    await showing.idle()

    assert drawn == ["the card", "the card"]


async def test_a_click_is_shown_though_what_runs_recorded_takes_all_of_its_places() -> None:
    settled = asyncio.Event()

    async def stuck_but_for_a_click(message_id: str) -> None:
        if message_id == "settled":
            settled.set()
        await settled.wait()

    showing = Showing(stuck_but_for_a_click, patience=0.0)
    for n in range(AT_ONCE * 2):
        showing.handed_on([f"new {n}"])
    showing.soon(["settled"])

    await showing.idle()


async def test_what_is_handed_on_beyond_all_measure_is_left_to_the_sweep() -> None:
    drawn: list[str] = []
    showing = Showing(_noting(drawn))

    for n in range(MOST_WAITING + 5):
        showing.handed_on([str(n)])
    await showing.idle()

    assert len(drawn) == MOST_WAITING


async def test_what_could_not_finish_any_more_is_not_begun_when_the_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(at_once, "LAST_BEGUN_SECONDS", 0.0)
    monkeypatch.setattr(at_once, "LAST_SECONDS", PATIENCE)
    begun, all_begun, go_on = list[str](), asyncio.Event(), asyncio.Event()

    async def slowly(message_id: str) -> None:
        begun.append(message_id)
        if len(begun) == AT_ONCE:
            all_begun.set()
        await go_on.wait()

    showing = Showing(slowly)
    for n in range(AT_ONCE * 2):
        showing.handed_on([f"{n}", f"reply to {n}"])
    await all_begun.wait()
    ending = asyncio.create_task(showing.end())
    await asyncio.wait({ending}, timeout=0.01)
    go_on.set()
    await ending
    await showing.idle()

    assert begun == [f"{n}" for n in range(AT_ONCE)]


def _noting(drawn: list[str]) -> Callable[[str], Awaitable[None]]:
    async def draw(message_id: str) -> None:
        drawn.append(message_id)

    return draw


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
