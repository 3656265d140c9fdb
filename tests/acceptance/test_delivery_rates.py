"""Slack's rates are kept by all workers together: few refusals, nothing lost, the most urgent first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from asking import begin, calls, offer, tick, told_ops
from fixtures_house import FINANCE, MAYA, PATIENCE, Running, running_house

from bot.approvals import Policy
from bot.emulator import Emulator
from bot.emulator.limits import POST_BURST


class Hands:
    """The hands of both clocks, Slack's and the database's; Slack's stands still between their moves.

    A slow machine would be given a place in the channel that the test has not counted on.
    """

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self.start + self.ahead

    async def pass_time(self, house: Running, by: timedelta) -> None:
        self.ahead += by
        await house.pass_time(by)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def limited(database: str, hands: Hands) -> AsyncIterator[Running]:
    """A house at a Slack that keeps its rates."""
    async with (
        Emulator(rate_limits=True, ack_seconds=PATIENCE, clock=hands.now) as slack,
        running_house(database, slack=slack) as house,
    ):
        yield house


async def until_drawn(house: Running, hands: Hands, seconds: int) -> int:
    """Tick every second until nothing is behind; returns after how many."""
    for second in range(seconds):
        if not await house.rows("select 1 from messages where wanted > drawn"):
            return second
        await hands.pass_time(house, timedelta(seconds=1))
        await tick(house)
    raise AssertionError(await house.rows("select message_id, kind from messages where wanted > drawn"))


async def test_thirty_cards_in_one_channel_are_all_delivered_with_few_refusals(
    limited: Running, hands: Hands
) -> None:
    offer(limited)
    for n in range(30):
        await begin(limited, f"Pay {n}")
    await limited.drain()

    seconds = await until_drawn(limited, hands, 90)

    assert len(limited.cards(FINANCE)) == 30
    assert len({card["text"] for card in limited.cards(FINANCE)}) == 30
    assert calls(limited, "chat.postMessage", "ratelimited") <= 5
    assert seconds <= 40
    assert told_ops(limited) == []


async def test_a_card_in_a_paced_channel_waits_for_its_turn_and_no_longer(
    limited: Running, hands: Hands
) -> None:
    offer(limited)
    for n in range(4):
        await begin(limited, f"Pay {n}")
    await limited.drain()
    await until_drawn(limited, hands, 60)
    assert calls(limited, "chat.postMessage", "ratelimited")

    for n in range(4, 6):
        await begin(limited, f"Pay {n}")
        await limited.drain()

    assert await until_drawn(limited, hands, 60) <= 4


async def test_what_comes_just_as_a_turn_is_free_overtakes_nothing_that_waits_for_it(
    limited: Running, hands: Hands
) -> None:
    offer(limited)
    earlier = POST_BURST + 4
    for n in range(earlier):
        await begin(limited, f"Pay {n}")
    await limited.drain()
    assert calls(limited, "chat.postMessage", "ratelimited")

    for n in range(earlier, earlier + 4):
        await hands.pass_time(limited, timedelta(seconds=2))
        await begin(limited, f"Pay {n}")
        await limited.drain()
        await tick(limited)
    await until_drawn(limited, hands, 60)

    titles = [card["text"].split(" · ")[0] for card in limited.cards(FINANCE)]
    assert set(titles[:earlier]) == {f"Approval needed: Pay {n}" for n in range(earlier)}


@pytest.mark.parametrize("held_by", ["retry_at", "lease_until"])
async def test_what_cannot_be_drawn_yet_keeps_nothing_behind_it_from_its_turn(
    limited: Running, hands: Hands, held_by: str
) -> None:
    offer(limited)
    for n in range(POST_BURST + 2):
        await begin(limited, f"Pay {n}")
        await limited.drain()
    await limited.execute(
        f"update messages set {held_by} = signoff_now() + interval '1 hour'"
        " where message_id = (select message_id from messages where ts is null order by created_at limit 1)"
    )

    for _ in range(4):
        await hands.pass_time(limited, timedelta(seconds=1))
        await tick(limited)

    titles = [card["text"].split(" · ")[0] for card in limited.cards(FINANCE)]
    assert titles[POST_BURST:] == [f"Approval needed: Pay {POST_BURST + 1}"]


async def test_under_pressure_the_settled_and_the_risky_come_first(limited: Running, hands: Hands) -> None:
    offer(limited)
    first = await begin(limited, "Pay the first")
    await limited.drain()
    for n in range(POST_BURST - 1):
        await begin(limited, f"Pay ahead {n}")
    await limited.drain()
    for n in range(8):
        await begin(limited, f"Pay {n}", risk="low")
    await begin(limited, "Drop the database", risk="high")
    # The graphs run first: an advance and a draw do not compete for the same workers here.
    for row in await limited.rows("select thread_id from threads where reached < wanted"):
        await limited.house.engine.converge(row["thread_id"], limited.house.queue)
    await limited.slack.click(MAYA, limited.cards(FINANCE)[0], "signoff.approve")
    await limited.drain()
    settled_at_once = limited.cards(FINANCE)[0]["text"]

    await until_drawn(limited, hands, 60)

    assert "Approved" in settled_at_once
    titles = [card["text"].split(" · ")[0] for card in limited.cards(FINANCE)]
    assert titles.index("Approval needed: Drop the database") == POST_BURST
    assert (await limited.thread(first)).status == "done"


async def test_what_slack_said_of_a_channel_is_kept_for_every_worker(house: Running) -> None:
    offer(house)
    house.slack.fault("chat.postMessage", "ratelimited", retry_after=30)
    await begin(house, "Pay one")
    await house.drain()
    await begin(house, "Pay two")
    await house.drain()
    await tick(house, timedelta(seconds=10))
    assert calls(house, "chat.postMessage") == 1

    await tick(house, timedelta(seconds=21))
    await tick(house, timedelta(seconds=2), 4)

    assert len(house.cards(FINANCE)) == 2
    assert calls(house, "chat.postMessage") == 3


async def test_a_channel_that_must_wait_holds_up_no_other(house: Running) -> None:
    offer(house)
    offer(house, "elsewhere", channel="#support-review", policy=Policy(approvers=("U06CLEO",)))
    house.slack.fault("chat.postMessage", "ratelimited", retry_after=600)
    await begin(house, "Pay one")
    await house.drain()
    await begin(house, "Answer", "elsewhere")
    await house.drain()

    assert house.cards(FINANCE) == []
    assert len(house.cards("C03SUPPORT")) == 1


async def test_updates_that_must_wait_hold_up_no_new_card(house: Running) -> None:
    offer(house)
    await begin(house, "Pay one")
    await house.drain()
    house.slack.fault("chat.update", "ratelimited", retry_after=600)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    await begin(house, "Pay two")
    await house.drain()

    assert [card["text"].startswith("Approval needed: Pay") for card in house.cards(FINANCE)] == [True, True]
    await tick(house, timedelta(seconds=601))
    await tick(house, timedelta(seconds=6), 3)
    assert "Approved" in house.cards(FINANCE)[0]["text"]


async def test_seventy_cards_that_settle_at_once_are_updated_within_slacks_rate(
    limited: Running, hands: Hands
) -> None:
    offer(limited)
    limited.slack.limits.enabled = False
    for n in range(70):
        await begin(limited, f"Pay {n}")
    await limited.drain()
    limited.slack.limits.enabled = True
    await limited.execute("update messages set wanted = wanted + 1, woken_at = '-infinity'")

    await until_drawn(limited, hands, 150)

    assert calls(limited, "chat.update", "ok") == 70
    assert calls(limited, "chat.update", "ratelimited") <= 6
