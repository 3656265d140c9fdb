from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from psycopg import OperationalError

from bot.clock import Clock
from bot.demo.moves import HOME
from bot.emulator.errors import CannotDo
from workflows import effects


def lines(state: dict, title: str) -> list[str]:
    (section,) = [section for section in state["sections"] if section["title"] == title]
    return section["lines"]


async def test_the_first_threads_are_started_once_in_the_life_of_a_demo(house, panel):
    await panel.begin()
    await house.drain()
    await panel.begin()

    assert len(await house.rows("select 1 from threads")) == 8
    (lunch,) = await house.rows("select status from threads where idempotency_key = 'first:lunch'")
    assert lunch["status"] == "done"
    assert any("Hotel Adler" in line for line in lines(await panel.state(), "Nearest deadlines"))
    assert any("Trattoria Lucia" in line for line in lines(await panel.state(), "Done by the workflows"))


async def test_a_sample_that_is_started_again_is_another_thread(house, panel):
    for _ in range(2):
        await panel.act("lunch")
        await house.drain()

    assert {row["status"] for row in await house.rows("select status from threads")} == {"done"}
    paid = await house.rows("select data from sample_effects where kind = 'payment'")
    assert len(paid) == 2  # the second lunch is not taken for the first one


async def test_the_clock_moves_by_the_buttons(house, panel):
    before = await house.now()
    await panel.act("plus-4h")
    moved = await house.now()
    assert timedelta(hours=4) <= moved - before < timedelta(hours=4, minutes=5)

    await panel.act("next-working-day")
    morning = (await house.now()).astimezone(HOME)
    assert (morning.hour, morning.minute) == (9, 0)
    assert morning.weekday() < 5
    assert (await panel.state())["now"].startswith(f"{(await house.now()):%Y-%m-%dT%H}")


async def test_slack_can_be_taken_down_and_brought_back(house, panel):
    await panel.act("slack-down")
    assert house.slack.faults.down
    assert "slack-up" in [action["id"] for action in (await panel.state())["actions"]]
    await panel.act("slack-up")
    assert not house.slack.faults.down


async def test_a_button_of_another_version_of_the_demo_is_refused_in_words(panel):
    with pytest.raises(CannotDo, match="no such button"):
        await panel.act("gone-since")


async def test_a_button_pressed_while_postgres_is_away_says_so(house, panel, monkeypatch):
    def away(*_):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(house.house.work, "connection", away)

    with pytest.raises(CannotDo, match="Postgres cannot be reached"):
        await panel.act("plus-1h")
    assert (await panel.state())["note"] == "Postgres cannot be reached"


async def test_an_answer_that_nobody_approved_in_time_is_told_as_such(house, panel):
    await panel.act("reply")
    await house.drain()
    await panel.act("plus-4h")
    await panel.act("plus-15m")
    await Clock(house.house).tick()
    await house.drain()

    assert any(
        "nobody decided in time" in line for line in lines(await panel.state(), "Done by the workflows")
    )


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        ("payment", {"to": "Acme", "cents": 1200}, "Payment: Acme, 1200"),
        ("payment", {"vendor": "Acme", "currency": "EUR", "approved_by": "Maya"}, "Payment: Acme, EUR, Maya"),
        ("scaled", {"service": "db", "change": "down"}, "Scaled: down, db"),
        ("commit", {"commit": None}, "Commit: "),
    ],
)
async def test_an_effect_of_somebodys_own_workflow_is_told_though_it_has_the_name_of_a_samples(
    panel, kind, data, told
):
    await asyncio.to_thread(effects.record, "mine:1", kind, data)

    assert lines(await panel.state(), "Done by the workflows") == [told]
