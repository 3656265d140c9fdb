"""The audit trail: in the transaction that it records, in an unbroken chain, and any change is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from fixtures_votes import DANA, FINN, MAYA, OTTO, Book, opened_book

from bot.approvals import Policy
from bot.commands.audit_trail import Entry, faults
from bot.facts import sweeps, threads
from bot.facts.deadlines import Reach
from bot.postgres.fact import fact

ONE = Policy(approvers=(MAYA, FINN, DANA))
TWO = Policy(approvers=(MAYA, FINN, DANA), approvals=2)


@pytest.fixture
async def book(database: str) -> AsyncIterator[Book]:
    async with opened_book(database) as opened:
        yield opened


async def found(book: Book) -> list[str]:
    """What the verification finds wrong."""
    rows = await book.rows("select chain, n, body, hash from audit order by chain, n")
    heads = {r["chain"]: (r["n"], r["hash"]) for r in await book.rows("select * from audit_heads")}
    return [fault.why for fault in faults([Entry(**row) for row in rows], heads)]


async def story(book: Book) -> str:
    """A thread with an ask, a refusal, two votes and a decision; returns its id."""
    approval = await book.ask(TWO)
    await book.cast(approval, OTTO)
    await book.cast(approval, MAYA)
    await book.cast(approval, FINN, comment="fine")
    return approval.thread_id


async def test_every_step_has_its_row_with_who_and_what(book: Book) -> None:
    thread_id = await story(book)

    events = await book.events(thread_id)

    assert [(e["event"], e["actor"]) for e in events] == [
        ("thread.started", "cli:test"),
        ("approval.asked", "asked"),
        ("approval.refused", OTTO),
        ("approval.vote", MAYA),
        ("approval.vote", FINN),
        ("approval.decided", FINN),
    ]
    assert [e["n"] for e in events] == [1, 2, 3, 4, 5, 6]
    assert all(e["chain"] == thread_id for e in events)
    decided = events[-1]["data"]
    assert decided["payload_hash"] == events[1]["data"]["payload_hash"]
    assert decided["decision"]["comment"] == "fine"
    assert await found(book) == []


async def test_a_timeout_a_cancellation_and_a_redrawing_are_in_it_too(book: Book) -> None:
    approval = await book.ask(ONE)
    other = await book.ask(ONE)
    async with book.pool.connection() as conn:
        await conn.execute(
            "update approvals set next_at = now(), due_at = now() where approval_id = %s",
            (approval.approval_id,),
        )
        grace = timedelta(minutes=10)
        since = await threads.moment(conn) - timedelta(days=1)
        assert await sweeps.deadlines(conn, book.queue, Reach(since, grace)) == 1
        await threads.cancel(conn, book.queue, other.thread_id, "not needed", "api:ci")
        assert await threads.redraw(conn, book.queue, other.approval_id, "cli:ops")

    assert [e["event"] for e in await book.events(approval.thread_id)][-1] == "approval.expired"
    assert [(e["event"], e["actor"]) for e in await book.events(other.thread_id)][2:] == [
        ("approval.cancelled", "signoff"),
        ("thread.cancel", "api:ci"),
        ("approval.redrawn", "cli:ops"),
    ]
    assert await found(book) == []


async def test_a_fact_that_is_rolled_back_leaves_no_row(book: Book) -> None:
    approval = await book.ask(ONE)
    before = await book.events(approval.thread_id)

    async def fails() -> None:
        async with book.pool.connection() as conn, fact(conn, book.queue) as recorded:
            recorded.audit(approval.thread_id, "approval.vote", MAYA, {})
            await recorded.flush(book.queue)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()

    assert await book.events(approval.thread_id) == before
    assert await found(book) == []


async def test_entries_of_one_fact_keep_their_order_and_go_to_their_chains(book: Book) -> None:
    async with book.pool.connection() as conn, fact(conn, book.queue) as recorded:
        for number in range(30):
            recorded.audit("b" if number % 2 else "a", f"event.{number}", "clock", {"number": number})

    assert [e["data"]["number"] for e in await book.events("a")] == list(range(0, 30, 2))
    assert [e["data"]["number"] for e in await book.events("b")] == list(range(1, 30, 2))
    assert await found(book) == []


async def test_facts_about_the_same_two_chains_at_once_do_not_wait_for_each_other(book: Book) -> None:
    async def record(first: str, second: str) -> None:
        async with book.pool.connection() as conn, fact(conn, book.queue) as recorded:
            for chain in (first, second):
                recorded.audit(chain, "event", "clock", {})

    for _ in range(10):
        await asyncio.gather(*(record(*pair) for pair in [("a", "b"), ("b", "a")] * 5))

    assert len(await book.events("a")) == len(await book.events("b")) == 100
    assert await found(book) == []


async def test_refusals_votes_and_a_decision_at_once_keep_the_chain(book: Book) -> None:
    approval = await book.ask(Policy(approvers=(MAYA, FINN, DANA), approvals=3))

    await asyncio.gather(*(book.cast(approval, user) for user in (MAYA, OTTO, FINN, OTTO, DANA) * 10))

    events = [e["event"] for e in await book.events(approval.thread_id)]
    assert events.count("approval.vote") == 3
    assert events.count("approval.decided") == 1
    assert await found(book) == []


SWAP = """
update audit set n = n + 100 where n in (3, 4);
update audit set n = case n when 103 then 4 else 3 end where n > 100
"""


@pytest.mark.parametrize(
    ("tampering", "why"),
    [
        ("update audit set body = replace(body, 'fine', 'no!!') where n = 5", "line 5 was altered"),
        ("update audit set hash = repeat('0', 64) where n = 3", "line 3 was altered"),
        ("delete from audit where n = 3", "line 3 is missing"),
        ("delete from audit where n = 6", "ends at line 5"),
        ("delete from audit", "all 6 lines are gone"),
        ("delete from audit_heads", "its head is gone"),
        (SWAP, "line 3 was altered"),
        (
            "insert into audit select chain, 7, body, hash from audit where n = 6",
            "line 7 was altered",
        ),
    ],
)
async def test_whatever_somebody_does_to_a_chain_is_found(book: Book, tampering: Any, why: str) -> None:
    thread_id = await story(book)
    async with book.pool.connection() as conn:
        for statement in tampering.split(";"):
            await conn.execute(statement)

    (fault,) = await found(book)

    assert why in fault
    assert thread_id in fault


async def test_hostile_text_is_in_the_trail_as_it_was_written(book: Book) -> None:
    approval = await book.ask(ONE)
    hostile = 'quote " and \\ and \n and \u202e and 😀 and <!channel> and \x07 and \ufffd'

    await book.cast(approval, MAYA, verdict="reject", comment=hostile)

    events = await book.events(approval.thread_id)
    assert events[-1]["data"]["decision"]["comment"] == hostile
    assert await found(book) == []
