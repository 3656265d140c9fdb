"""Clicks at once, repeated, lost and late: one decision, recorded before it is acknowledged, never twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from fixtures_decisions import MODULE, Asked, asking
from fixtures_house import DANA, FINN, MAYA, OTTO, PATIENCE, UNHURRIED, Running, running_house
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.patience import USUAL
from bot.roles.slack import drained, socket_handler
from bot.slack.listeners import desk as desk_module

ROUNDS = 12
SLACKS_PATIENCE = 3.0
LISTENERS = "select pid from pg_stat_activity where application_name = 'signoff listeners'"


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database, extra=(MODULE,)) as running:
        yield running


@pytest.fixture
async def punctual_house(database: str) -> AsyncIterator[Running]:
    """One whose clicks wait no longer than they do for real."""
    async with running_house(database, extra=(MODULE,), patience=USUAL) as running:
        running.slack.delivery.ack_seconds = SLACKS_PATIENCE
        yield running


async def reopen(desk: Asked) -> None:
    """Let it be as if nobody had voted, so that a race can be run again."""
    house = desk.house
    await house.execute(
        "update approvals set status = 'pending', decision = null, decided_at = null where thread_id = %s",
        desk.thread_id,
    )
    await house.execute("delete from votes")


async def decided(desk: Asked) -> int:
    return [event["event"] for event in await desk.events()].count("approval.decided")


async def test_a_double_click_decides_once(house: Running) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA)
    for round_ in range(1, ROUNDS + 1):
        ack = await house.slack.deliver(payload, times=2)

        assert ack.acked
        assert ack.repeats[0].acked
        assert await decided(desk) == round_
        await reopen(desk)


async def test_a_click_that_comes_as_a_role_leaves_is_not_begun_and_so_not_half_done(database: str) -> None:
    async with running_house(database, socket=False, extra=(MODULE,)) as house:
        desk = await asking(house, MAYA)
        ear = socket_handler(house.house.bolt, house.slack.state.workspace.app_token)
        await ear.connect_async()
        ear.leaving = True
        house.slack.delivery.ack_seconds = 0.2

        ack = await house.slack.deliver(desk.payload(MAYA))

        assert not ack.acked
        assert await house.rows("select 1 from votes") == []
        await ear.close_async()


async def test_of_two_who_approve_at_once_one_is_first_and_the_other_is_told(house: Running) -> None:
    desk = await asking(house, MAYA, FINN)
    payloads = [desk.payload(MAYA), desk.payload(FINN)]
    for round_ in range(1, ROUNDS + 1):
        acks = await asyncio.gather(*(house.slack.deliver(payload) for payload in payloads))

        assert all(ack.acked for ack in acks)
        assert await decided(desk) == round_
        await reopen(desk)
    refused = await desk.refusals()
    assert len(refused) == ROUNDS
    assert {why for _, why in refused} == {"settled"}


async def test_two_who_approve_at_once_make_a_quorum_of_two(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, approvals=2)
    payloads = [desk.payload(MAYA), desk.payload(FINN)]
    for round_ in range(1, ROUNDS + 1):
        await asyncio.gather(*(house.slack.deliver(payload) for payload in payloads))

        assert (await desk.approval()).status == "decided"
        assert {vote.user for vote in (await desk.approval()).decision.votes} == {MAYA, FINN}
        assert await decided(desk) == round_
        await reopen(desk)


async def test_an_approval_and_a_rejection_at_once_come_to_one_outcome(house: Running) -> None:
    desk = await asking(house, MAYA, FINN)
    payload = desk.payload(MAYA)
    view = await desk.open(FINN, "signoff.reject")

    approved, rejected = await asyncio.gather(
        house.slack.deliver(payload), house.slack.submit(FINN, view, {"words": "no"})
    )

    assert approved.acked
    assert rejected.acked
    assert await decided(desk) == 1


async def test_many_clicks_at_once_keep_the_audit_chain_whole(house: Running) -> None:
    desk = await asking(house, MAYA, FINN, DANA, approvals=3)
    clicks = {user: desk.payload(user) for user in (MAYA, OTTO, FINN, DANA)}

    await asyncio.gather(*(house.slack.deliver(clicks[user]) for user in (MAYA, OTTO, FINN, OTTO, DANA) * 10))
    # Fifty at once may be more than this machine answers in time; whoever was not heard clicks again.
    for user in (MAYA, FINN, DANA):
        while user not in await desk.votes():
            await house.slack.deliver(clicks[user])

    events = [event["event"] for event in await desk.events()]
    assert events.count("approval.vote") == 3
    assert events.count("approval.decided") == 1
    assert await intact(house, desk.thread_id)


async def intact(house: Running, chain: str) -> bool:
    (row,) = await house.rows(
        """select bool_and(hash = encode(sha256(convert_to(before || body, 'UTF8')), 'hex')) as whole,
                  bool_and(n = place) as gapless
           from (select n, body, hash, coalesce(lag(hash) over w, '') as before, row_number() over w as place
                 from audit where chain = %s window w as (order by n)) as links""",
        chain,
    )
    return row["whole"] and row["gapless"]


async def test_the_decision_is_committed_before_it_is_acknowledged(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await asking(house, MAYA)
    seen: list[str] = []
    acknowledge = AsyncAck.__call__

    async def looking_first(self: AsyncAck, *args: Any, **kwargs: Any) -> Any:
        async with await psycopg.AsyncConnection.connect(house.dsn) as other:
            found = await other.execute("select status from approvals")
            seen.append((await found.fetchone())[0])
        return await acknowledge(self, *args, **kwargs)

    monkeypatch.setattr(AsyncAck, "__call__", looking_first)
    ack = await desk.click(MAYA)

    assert ack.acked
    assert seen == ["decided"]


async def test_an_ack_that_was_lost_is_no_lost_decision_and_a_second_click_says_so(house: Running) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA)
    house.slack.drop_acks()

    assert not (await house.slack.deliver(payload)).acked
    assert (await house.slack.deliver(payload)).acked

    assert f"already approved by <@{MAYA}>" in await desk.told(MAYA)
    assert await decided(desk) == 1


async def test_a_process_that_dies_between_commit_and_ack_has_decided(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA)

    async def dies(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(AsyncAck, "__call__", dies)
        patch.setattr(house.slack.delivery, "ack_seconds", 0.5)
        assert not (await house.slack.deliver(payload)).acked
    assert (await house.slack.deliver(payload)).acked

    assert "already approved" in await desk.told(MAYA)
    assert await decided(desk) == 1


@pytest.mark.parametrize("fault", ["dropped", "server_error", "ratelimited"])
async def test_an_ack_stays_whatever_becomes_of_the_answer_after_it(house: Running, fault: Any) -> None:
    desk = await asking(house, MAYA)
    house.slack.fault("chat.postEphemeral", fault)
    house.slack.fault("chat.postMessage", fault)

    ack = await desk.click(OTTO)

    assert (ack.acked, ack.status) == (True, 200)
    await desk.click(OTTO)
    await desk.told(OTTO)


async def test_an_answer_that_slack_does_not_take_in_the_channel_comes_directly(house: Running) -> None:
    desk = await asking(house, MAYA)
    for fault in ("dropped", "ratelimited"):
        house.slack.fault("chat.postEphemeral", fault)
        await desk.click(OTTO)

    told = await house.slack.until(lambda: len(house.slack.messages(OTTO)) > 1 and house.slack.messages(OTTO))
    assert all(one["text"].startswith("*Pay Acme 12,400.00 USD*\nYou are not among") for one in told)


async def test_an_ack_stays_even_where_the_answer_is_a_fault_of_ours(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await asking(house, MAYA)

    def broken(*_: Any) -> str:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(desk_module, "refusal", broken)
    acks = [await desk.click(OTTO) for _ in range(5)]

    # On a busy machine a click may be refused before its ack, and says so.
    assert sum(not ack.acked for ack in acks) == len(house.slack.ephemerals(OTTO)) < 5


async def test_a_row_that_somebody_holds_is_an_honest_refusal_in_time(punctual_house: Running) -> None:
    desk = await asking(punctual_house, MAYA)
    async with await psycopg.AsyncConnection.connect(punctual_house.dsn) as other:
        await other.execute("select 1 from approvals for update")
        await refused_in_time(punctual_house, desk)

    assert await desk.refusals() == []
    await taken(desk)
    assert (await desk.approval()).status == "decided"


async def test_a_modal_stays_with_what_was_typed_where_the_database_is_away(database: str) -> None:
    async with running_house(database, extra=(MODULE,), patience=replace(UNHURRIED, lock=0.5)) as house:
        desk = await asking(house, MAYA)
        view = await desk.open(MAYA, "signoff.reject")
        async with await psycopg.AsyncConnection.connect(house.dsn) as other:
            await other.execute("select 1 from approvals for update")
            ack = await house.slack.submit(MAYA, view, {"words": "no"})

        assert "did not answer in time" in ack.field_errors["words"]
        assert house.slack.views(MAYA) == [view]
        await house.slack.submit(MAYA, view, {"words": "no"})
        assert (await desk.approval()).decision.comment == "no"


async def test_a_pool_without_a_free_connection_is_an_honest_refusal_in_time(punctual_house: Running) -> None:
    desk = await asking(punctual_house, MAYA)
    pool = punctual_house.house.listening
    held = [await pool.getconn() for _ in range(pool.max_size)]
    try:
        await refused_in_time(punctual_house, desk)
    finally:
        for conn in held:
            await pool.putconn(conn)

    await taken(desk)


@pytest.mark.skipif("SIGNOFF_TEST_DATABASE_URL" in os.environ, reason="the server is not ours to stop")
async def test_a_database_that_hangs_is_an_honest_refusal_in_time(punctual_house: Running) -> None:
    desk = await asking(punctual_house, MAYA)
    pids = [row["pid"] for row in await punctual_house.rows(LISTENERS)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        seconds = await refused_in_time(punctual_house, desk)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    assert seconds > 1.4
    await taken(desk)
    assert await decided(desk) <= 1


async def test_connections_that_went_away_while_idle_cost_nobody_a_click(house: Running) -> None:
    desk = await asking(house, MAYA)
    await house.rows(f"select pg_terminate_backend(pid, 5000) from ({LISTENERS}) as all_of_them")

    assert (await desk.click(MAYA)).acked
    assert (await desk.approval()).status == "decided"


async def test_a_connection_that_dies_in_the_middle_records_nothing_and_says_so(house: Running) -> None:
    desk = await asking(house, MAYA)
    async with await psycopg.AsyncConnection.connect(house.dsn, autocommit=True) as other:
        async with other.transaction():
            await other.execute("select 1 from approvals for update")
            house.slack.delivery.ack_seconds = SLACKS_PATIENCE
            clicking = asyncio.create_task(house.slack.deliver(desk.payload(MAYA)))
            while not await blocked(other):
                pass
            await other.execute(f"select pg_terminate_backend(pid) from ({LISTENERS}) as all_of_them")
        await desk.told(MAYA)
        assert not (await clicking).acked

    house.slack.delivery.ack_seconds = PATIENCE
    assert (await desk.approval()).status == "pending"
    assert (await desk.click(MAYA)).acked


async def blocked(conn: psycopg.AsyncConnection[Any]) -> bool:
    found = await conn.execute(
        f"select exists ({LISTENERS} and wait_event_type = 'Lock' and datname = current_database())"
    )
    return bool((await found.fetchone())[0])


async def test_a_commit_nobody_heard_of_is_not_called_undone_and_a_second_click_tells(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await asking(house, MAYA)
    payload = desk.payload(MAYA)
    real = desk_module.cast

    async def unheard(*args: Any, **kwargs: Any) -> None:
        await real(*args, **kwargs)
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(desk_module, "cast", unheard)
        await refused_in(house, desk, lambda: payload)
    assert "cannot say that this was recorded" in await desk.told(MAYA)

    assert (await house.slack.deliver(payload)).acked
    assert f"already approved by <@{MAYA}>" in await desk.told(MAYA, 2)


async def refused_in_time(house: Running, desk: Asked) -> float:
    """Click until that is refused in time: a machine may stand still once, not at each of five clicks."""
    for _ in range(5):
        if (seconds := await refused_in(house, desk, lambda: desk.payload(MAYA))) < SLACKS_PATIENCE:
            return seconds
    raise AssertionError("it was never said in time")


async def taken(desk: Asked) -> None:
    """Click until it is taken: on a machine that stood still somebody is told to try again, but not often."""
    for _ in range(5):
        if (await desk.click(MAYA)).acked:
            return
    raise AssertionError("it was never taken")


async def refused_in(house: Running, desk: Asked, payload: Callable[[], dict[str, Any]]) -> float:
    """Click; it is not acknowledged, and said so within the seconds that are returned."""
    before = len(house.slack.ephemerals(MAYA))
    begun = time.monotonic()
    clicking = asyncio.create_task(house.slack.deliver(payload()))
    await house.slack.until(lambda: len(house.slack.ephemerals(MAYA)) > before)
    seconds = time.monotonic() - begun
    assert "did not answer in time" in house.slack.ephemerals(MAYA)[-1]["text"]
    await drained()
    acks, _ = await asyncio.wait({clicking}, timeout=0.1)
    assert not acks
    clicking.cancel()
    return seconds
