"""Facts at once about one approval: none waits for another in a circle, or goes by what is no longer so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from fixtures_votes import FINN, GRACE, MAYA, Book, blocked, opened_book
from psycopg import AsyncConnection, OperationalError
from slack_sdk.web.async_client import AsyncWebClient

from bot.approvals import Policy
from bot.approvals.policy import Vote
from bot.engine import advance
from bot.engine.thread_row import ThreadRow
from bot.engine.unsettled import mark_applied
from bot.facts import audience, claims, deliveries, digests, homes, sweeps, threads
from bot.facts.deadlines import Reach
from bot.facts.digests import EXPIRED
from bot.postgres import jobs
from bot.postgres.fact import Fact, fact, fact_in_one
from bot.postgres.rows import Approval
from bot.slack.workspace import people
from bot.slack.workspace.directory import Directory

Result = TypeVar("Result")

POLICY = Policy(approvers=(MAYA, FINN), approvals=2)


@pytest.fixture
async def book(database: str) -> AsyncIterator[Book]:
    async with opened_book(database) as opened:
        yield opened


async def reach(book: Book) -> Reach:
    (row,) = await book.rows("select signoff_now() as now")
    return Reach(row["now"] - timedelta(days=9), GRACE)


async def taken(conn: AsyncConnection[Any], message_id: str) -> claims.Claim:
    claimed = await claims.claim(conn, message_id, "")
    assert claimed is not None, f"{message_id} could not be taken to be drawn"
    return claimed


@asynccontextmanager
async def waiting(conn: AsyncConnection[Any]) -> AsyncIterator[list[str]]:
    """Tell whether the commit of what is done in here waits for the disk."""
    told: list[str] = []
    async with conn.transaction():
        await conn.execute("set local synchronous_commit = on")
        yield told
        row = await (await conn.execute("show synchronous_commit")).fetchone()
        assert row is not None
        told.append(row["synchronous_commit"])


async def cancel(book: Book, approval: Approval, conn: AsyncConnection[Any]) -> None:
    await threads.cancel(conn, book.queue, approval.thread_id, "not needed", "cli:test")


async def expire(book: Book, approval: Approval, conn: AsyncConnection[Any]) -> None:
    await conn.execute("update approvals set next_at = signoff_now(), due_at = signoff_now()")
    assert await sweeps.deadlines(conn, book.queue, await reach(book)) == 1


@pytest.mark.parametrize("act", [cancel, expire])
async def test_whoever_refers_to_an_approval_is_not_in_the_way_of_what_ends_it(book: Book, act: Any) -> None:
    """A drawing that holds the card's row inserts a message of the approval: that must not be a deadlock."""
    approval = await book.ask(POLICY)
    card = f"card:{approval.approval_id}"
    async with book.pool.connection() as conn:
        async with book.pool.connection() as drawing, drawing.transaction():
            await drawing.execute("update messages set drawn = 1 where message_id = %s", (card,))
            ending = asyncio.create_task(act(book, approval, conn))
            await blocked(book)
            await refer(drawing, approval)
        await ending

    assert (await book.approval(approval.thread_id)).status in ("cancelled", "expired")


async def test_whoever_refers_to_an_approval_is_not_in_the_way_of_its_first_delivery(book: Book) -> None:
    approval = await book.ask(POLICY)
    card = f"card:{approval.approval_id}"
    async with book.pool.connection() as conn:
        claimed = await taken(conn, card)
        async with book.pool.connection() as drawing, drawing.transaction():
            await drawing.execute("select from messages where message_id = %s for no key update", (card,))
            noting = asyncio.create_task(deliveries.drawn(conn, book.queue, claimed, "C1", "1.1"))
            await blocked(book)
            await refer(drawing, approval)
        await noting

    assert (await book.approval(approval.thread_id)).delivery == "delivered"


async def while_a_cancellation_locks(
    book: Book, older: Approval, newer: Approval, work: Callable[[AsyncConnection[Any]], Awaitable[Result]]
) -> Result:
    """Do `work` on both while a cancellation has locked the older one and is about to lock the newer."""
    async with book.pool.connection() as conn, book.pool.connection() as other:
        async with other.transaction():
            await other.execute("set local lock_timeout = '2s'")
            await other.execute(LOCK, (older.approval_id,))
            working = asyncio.ensure_future(work(conn))
            await blocked(book)
            await other.execute(LOCK, (newer.approval_id,))
        return await working


async def test_answers_are_noted_as_applied_in_the_order_in_which_a_cancellation_locks(book: Book) -> None:
    """The rows of an ended graph are not locked by reading them, so the first write has to keep the order."""
    first, second = await book.ask(POLICY), await book.ask(POLICY)
    for approval, at in ((first, 2), (second, 1)):
        await book.execute(
            "update approvals set thread_id = %s, interrupt_id = %s, created_at = to_timestamp(%s) "
            "where approval_id = %s",
            first.thread_id,
            str(at),
            at,
            approval.approval_id,
        )
    await while_a_cancellation_locks(
        book, second, first, lambda conn: mark_applied(conn, [first, second], first.created_at)
    )


async def test_a_retry_and_a_click_do_not_wait_for_each_other(book: Book) -> None:
    approval = await book.ask(POLICY)
    await book.execute("update threads set retry_at = signoff_now() + interval '1 hour'")
    async with book.pool.connection() as conn, book.pool.connection() as clicking:
        async with clicking.transaction():
            await clicking.execute("set local lock_timeout = '2s'")
            await clicking.execute(LOCK, (approval.approval_id,))
            retrying = asyncio.create_task(threads.retry(conn, book.queue, approval.thread_id, "cli:test"))
            await blocked(book)
            await clicking.execute("update threads set wanted = wanted + 1")
        await retrying

    assert (await book.rows("select retry_at from threads")) == [{"retry_at": None}]


async def test_a_retry_and_a_digest_do_not_wait_for_each_other(book: Book) -> None:
    """The digest takes what could not be delivered, a word to the requester for one, before what failed."""
    approval = await book.ask(POLICY)
    outcome = f"outcome:{approval.approval_id}"
    await book.execute(COPY, outcome, "outcome", approval.approval_id)
    await book.execute("update threads set status = 'failed'")
    async with book.pool.connection() as conn, book.pool.connection() as telling:
        async with telling.transaction():
            await telling.execute("set local lock_timeout = '2s'")
            await telling.execute("update messages set digested_in = 'now' where message_id = %s", (outcome,))
            retrying = asyncio.create_task(threads.retry(conn, book.queue, approval.thread_id, "cli:test"))
            await blocked(book)
            await telling.execute("update threads set digested_in = 'now'")
        await retrying

    assert (await book.rows("select status from threads")) == [{"status": "running"}]


async def test_who_retries_second_is_told_that_it_runs_already(book: Book) -> None:
    approval = await book.ask(POLICY)
    await book.execute("update threads set status = 'failed'")
    async with book.pool.connection() as conn, book.pool.connection() as other:
        async with other.transaction():
            await other.execute("update threads set status = 'running'")
            retrying = asyncio.create_task(threads.retry(conn, book.queue, approval.thread_id, "cli:test"))
            await blocked(book)
        with pytest.raises(threads.NothingToRetry, match="is running, not failed"):
            await retrying


async def test_a_digest_takes_approvals_in_the_order_in_which_a_cancellation_locks(book: Book) -> None:
    first, second = await book.ask(POLICY), await book.ask(POLICY)
    for approval, at in ((first, 2), (second, 1)):
        await book.execute(
            "update approvals set status = 'expired', created_at = to_timestamp(%s) where approval_id = %s",
            at,
            approval.approval_id,
        )

    making = await while_a_cancellation_locks(
        book, second, first, lambda conn: conn.execute(EXPIRED, {"key": "today"})
    )

    assert {row["approval_id"] for row in await making.fetchall()} == {first.approval_id, second.approval_id}


LOCK = "select from approvals where approval_id = %s for no key update"


async def test_a_thread_that_only_runs_is_held_for_no_digest_and_no_retry(book: Book) -> None:
    approval = await book.ask(POLICY)
    await book.execute("update threads set reached = wanted")  # another worker is to look after it then
    async with book.pool.connection() as conn:
        row = ThreadRow(conn, await threads.load(conn, approval.thread_id))
        await row.sends([approval.approval_id])
        async with fact(conn, book.queue) as recorded:
            await digests.make(recorded, "2026-11-20 09:00")
            digest = await digests.make(recorded, "2026-11-20 17:00")
        with pytest.raises(threads.NothingToRetry, match="is running, not failed"):
            await threads.retry(conn, book.queue, approval.thread_id, "cli:test")

    assert digest is not None
    assert digest.lines == ()


async def test_a_thread_that_no_worker_has_taken_up_since_its_time_came_is_still_held(book: Book) -> None:
    approval = await book.ask(POLICY)
    async with book.pool.connection() as conn:
        await ThreadRow(conn, await threads.load(conn, approval.thread_id)).held("no such workflow")
        await conn.execute("update threads set retry_at = signoff_now() - interval '1 hour'")
        async with fact(conn, book.queue) as recorded:
            await digests.make(recorded, "2026-11-20 09:00")
            digest = await digests.make(recorded, "2026-11-20 17:00")
        await threads.retry(conn, book.queue, approval.thread_id, "cli:test")

    assert digest is not None
    assert "no such workflow" in str(digest.lines)


async def test_a_card_that_was_on_its_way_when_its_thread_ended_says_so(book: Book) -> None:
    approval = await book.ask(POLICY)
    async with book.pool.connection() as conn:
        claimed = await taken(conn, f"card:{approval.approval_id}")
        assert claimed.thread is not None
        async with fact(conn, book.queue) as recorded:
            await ThreadRow(conn, claimed.thread).ends("done")
            recorded.redraw_thread(approval.thread_id)

        assert await deliveries.drawn(conn, book.queue, claimed, "C1", "1.1")


@pytest.mark.parametrize("recording", [fact, fact_in_one])
async def test_a_fact_is_kept_with_all_that_it_implies_or_not_at_all(
    book: Book, monkeypatch: pytest.MonkeyPatch, recording: Any
) -> None:
    await book.ask(POLICY)

    async def dies(*_: Any) -> None:
        raise OperationalError("the worker died")

    async def record(conn: AsyncConnection[Any]) -> None:
        async with recording(conn, book.queue):
            await conn.execute("update approvals set delivery_error = 'half of it'")

    monkeypatch.setattr(Fact, "flush", dies)
    async with book.pool.connection() as conn:
        with pytest.raises(OperationalError):
            await record(conn)

    assert await book.rows("select from approvals where delivery_error is not null") == []


async def test_of_a_fact_that_was_given_up_the_next_on_its_connection_keeps_nothing(book: Book) -> None:
    await book.ask(POLICY)

    async def given_up(conn: AsyncConnection[Any]) -> None:
        async with fact_in_one(conn, book.queue):
            await conn.execute("update approvals set delivery_error = 'half of it'")
            raise RuntimeError

    async with book.pool.connection() as conn:
        with pytest.raises(RuntimeError):
            await given_up(conn)
        async with fact_in_one(conn, book.queue) as recorded:
            recorded.audit("system", "noted", "signoff", {})

    assert await book.rows("select from approvals where delivery_error is not null") == []
    assert len(await book.rows("select from audit where chain = 'system'")) == 1


_CLOCK = "select delivered_at from approvals"


async def test_the_clock_starts_when_what_is_asked_by_then_is_shown(book: Book) -> None:
    approval = await book.ask(POLICY)
    card = f"card:{approval.approval_id}"
    async with book.pool.connection() as conn:
        claimed = await taken(conn, card)
        await conn.execute("update approvals set revision = revision + 1")
        await conn.execute("update messages set wanted = wanted + 1")
        assert await deliveries.drawn(conn, book.queue, claimed, "C1", "1.1")
        (before,) = await book.rows(_CLOCK)

        again = await taken(conn, card)
        assert not await deliveries.drawn(conn, book.queue, again, "C1", "1.1")
        (after,) = await book.rows(_CLOCK)

    assert before["delivered_at"] is None
    assert after["delivered_at"] is not None


async def test_a_worker_that_notes_its_post_after_another_does_not_start_the_clock_anew(book: Book) -> None:
    approval = await book.ask(POLICY)
    card = f"card:{approval.approval_id}"
    async with book.pool.connection() as conn:
        late = await taken(conn, card)
        await conn.execute("update messages set lease_until = '-infinity'")
        await deliveries.drawn(conn, book.queue, await taken(conn, card), "C1", "1.1")
        before = await book.rows(_CLOCK)

        await deliveries.drawn(conn, book.queue, late, "C1", "2.2")

    assert await book.rows(_CLOCK) == before


async def test_the_longest_wait_that_slack_asked_for_counts_for_all_workers(book: Book) -> None:
    approval = await book.ask(POLICY)
    async with book.pool.connection() as conn:
        claimed = await taken(conn, f"card:{approval.approval_id}")
        await deliveries.throttled(conn, claimed, timedelta(minutes=10))
        before = await book.rows("select * from slack_rates")

        await deliveries.throttled(conn, claimed, timedelta(seconds=1))

    assert await book.rows("select * from slack_rates") == before


async def test_a_post_waits_for_the_disk_of_the_database_and_what_can_be_drawn_again_does_not(
    book: Book,
) -> None:
    """What is lost of a post makes a second one; what is lost of an update makes the same update again."""
    approval = await book.ask(POLICY)
    card = f"card:{approval.approval_id}"
    waits: list[tuple[str, str]] = []
    async with book.pool.connection() as conn:
        for _ in ("post", "update"):
            async with waiting(conn) as claiming:
                claimed = await taken(conn, card)
            async with waiting(conn) as noting:
                await deliveries.drawn(conn, book.queue, claimed, "C1", "1.1")
            waits.append((claiming[0], noting[0]))
            async with fact(conn, book.queue) as recorded:
                recorded.redraw_cards(approval.approval_id)

    assert waits == [("on", "on"), ("off", "off")]


async def test_what_a_run_records_waits_for_the_disk_since_its_checkpoint_goes_with_it(book: Book) -> None:
    approval = await book.ask(POLICY)
    async with book.pool.connection() as conn:
        claimed = await taken(conn, f"card:{approval.approval_id}")
        assert claimed.thread is not None
        row = ThreadRow(conn, claimed.thread)
        waits: list[str] = []
        for act in (row.sends([approval.approval_id]), row.waits(), row.ends("failed"), row.ends("done")):
            async with waiting(conn) as noting:
                await act
            waits += noting

    assert waits == ["on"] * 4


async def test_what_a_lost_job_would_only_do_again_does_not_wait_for_the_disk(book: Book) -> None:
    approval = await book.ask(POLICY)
    async with book.pool.connection() as conn:
        async with waiting(conn) as taking:
            await conn.execute(jobs._FETCH, {"queues": ["threads"], "worker_id": None})
        async with waiting(conn) as ending:
            held = {"thread_id": approval.thread_id, "wanted": 1, "drawings": None, "job": None}
            await conn.execute(advance._RELEASE, held)

    assert (taking, ending) == (["off"], ["off"])


async def test_the_end_of_a_thread_draws_no_card_that_could_not_be_delivered(book: Book) -> None:
    approval = await book.ask(POLICY)
    await book.rows("update approvals set delivery = 'failed' returning 1")
    before = await book.rows("select message_id, wanted from messages")
    async with book.pool.connection() as conn, fact(conn, book.queue) as recorded:
        recorded.redraw_thread(approval.thread_id)

    assert await book.rows("select message_id, wanted from messages") == before


async def test_a_card_that_somebody_decided_while_slack_refused_it_is_drawn_once_more(book: Book) -> None:
    approval = await book.ask(POLICY)
    card = f"card:{approval.approval_id}"
    async with book.pool.connection() as conn:
        claimed = await taken(conn, card)
        async with fact(conn, book.queue) as recorded:
            recorded.redraw_cards(approval.approval_id)
        await deliveries.given_up(conn, book.queue, claimed, "Slack refuses its blocks", "")

        again = await taken(conn, card)
        await deliveries.given_up(conn, book.queue, again, "Slack refuses its blocks", "")
        assert await claims.claim(conn, card, "") is None
    assert len(await book.rows("select from messages where kind = 'ops'")) == 1


async def test_a_card_that_was_claimed_while_somebody_decided_is_drawn_once_more(book: Book) -> None:
    """Whoever waits for the card's row gets it as it is, and with it the approval as it was before."""
    approval = await book.ask(Policy(approvers=(MAYA,)))
    card = f"card:{approval.approval_id}"
    async with book.pool.connection() as drawing, book.pool.connection() as other:
        async with other.transaction():
            await other.execute("update messages set wanted = wanted + 1 where message_id = %s", (card,))
            claiming = asyncio.create_task(claims.claim(drawing, card, ""))
            await blocked(book)
            await other.execute("update approvals set status = 'decided', decided_at = signoff_now()")
        claimed = await claiming
        assert claimed is not None
        assert claimed.approval is not None
        assert claimed.approval.status == "pending"

        assert await deliveries.drawn(drawing, book.queue, claimed, "C1", "1.1")
        again = await claims.claim(drawing, card, "")

    assert again is not None
    assert again.approval is not None
    assert again.approval.status == "decided"


async def test_a_reply_whose_card_is_gone_is_not_in_the_way_of_a_redraw(book: Book) -> None:
    """A redraw takes all of an approval's messages, in whatever order they are stored."""
    approval = await book.ask(POLICY)
    card, note = f"card:{approval.approval_id}", "note:1"
    await book.execute(
        "insert into messages (message_id, kind, approval_id, parent_id, target) "
        "values (%s, 'note', %s, %s, 'C1')",
        note,
        approval.approval_id,
        card,
    )
    async with book.pool.connection() as conn, book.pool.connection() as redrawing:
        claimed = await taken(conn, note)
        async with redrawing.transaction():
            await redrawing.execute("set local lock_timeout = '2s'")
            await redrawing.execute("update messages set error = null where message_id = %s", (card,))
            waiting = asyncio.create_task(
                deliveries.parent_gone(conn, book.queue, claimed, timedelta(seconds=1))
            )
            await blocked(book)
            await redrawing.execute("update messages set error = null where message_id = %s", (note,))
        await waiting

    (row,) = await book.rows(
        "select retry_at > signoff_now() as later from messages where message_id = %s", note
    )
    assert row["later"]


async def test_a_redraw_waits_for_whoever_holds_the_approval_before_it_takes_a_message(book: Book) -> None:
    """A click on a copy of unknown fate takes that copy, and then all that shows the approval."""
    approval = await book.ask(POLICY)
    card, copy = f"card:{approval.approval_id}", f"direct:{approval.approval_id}:{FINN}"
    await book.execute(COPY, copy, "direct_card", approval.approval_id)
    async with book.pool.connection() as conn, book.pool.connection() as clicking:
        async with clicking.transaction():
            await clicking.execute("set local lock_timeout = '2s'")
            await clicking.execute(LOCK, (approval.approval_id,))
            await clicking.execute("update messages set ts = '1.1' where message_id = %s", (copy,))
            redrawing = asyncio.create_task(
                threads.redraw(conn, book.queue, approval.approval_id, "cli:test")
            )
            await blocked(book)
            await clicking.execute("update messages set wanted = wanted + 1 where message_id = %s", (card,))
        assert await redrawing


async def test_a_card_that_is_posted_anew_waits_so_before_it_takes_its_copies(book: Book) -> None:
    approval = await book.ask(POLICY)
    first, second = (f"direct:{approval.approval_id}:{user}" for user in (FINN, MAYA))
    for copy in (first, second):
        await book.execute(COPY, copy, "direct_card", approval.approval_id)
    await book.execute("update approvals set delivered_at = signoff_now()")
    await book.execute("update messages set drawn = 1, wanted = 2 where kind = 'card'")
    async with book.pool.connection() as conn, book.pool.connection() as clicking:
        claimed = await taken(conn, f"card:{approval.approval_id}")
        async with clicking.transaction():
            await clicking.execute("set local lock_timeout = '2s'")
            await clicking.execute(LOCK, (approval.approval_id,))
            await clicking.execute("update messages set ts = '1.1' where message_id = %s", (second,))
            noting = asyncio.create_task(deliveries.drawn(conn, book.queue, claimed, "C1", "1.1"))
            await blocked(book)
            await clicking.execute("update messages set wanted = wanted + 1 where message_id = %s", (first,))
        await noting


async def test_a_post_that_is_found_again_is_not_in_the_way_of_a_redraw(book: Book) -> None:
    approval = await book.ask(POLICY)
    card, stray = f"card:{approval.approval_id}", "stray:C1:1.1"
    await book.execute(COPY, stray, "stray", approval.approval_id)
    async with book.pool.connection() as conn, book.pool.connection() as redrawing:
        claimed = await taken(conn, card)
        async with redrawing.transaction():
            await redrawing.execute("set local lock_timeout = '2s'")
            await redrawing.execute(LOCK, (approval.approval_id,))
            await redrawing.execute("update messages set error = null where message_id = %s", (card,))
            found = replace(claimed, unknown_since=claimed.now)
            finding = asyncio.create_task(deliveries.drawn(conn, book.queue, found, "C1", "1.1"))
            await blocked(book)
            await redrawing.execute("update messages set error = null where message_id = %s", (stray,))
        await finding

    (row,) = await book.rows("select wanted - drawn as behind from messages where message_id = %s", stray)
    assert row["behind"] == 0


async def test_a_digest_leaves_a_failed_message_that_is_being_redrawn_to_the_next(book: Book) -> None:
    approval = await book.ask(POLICY)
    card, copy = f"card:{approval.approval_id}", f"direct:{approval.approval_id}:{FINN}"
    await book.execute(COPY, copy, "direct_card", approval.approval_id)
    await book.execute("update messages set error = 'is_archived'")
    await book.execute("insert into digests values ('before', now() - interval '1 day', '{}')")
    async with book.pool.connection() as conn, book.pool.connection() as redrawing:
        await conn.execute("set lock_timeout = '2s'")
        async with redrawing.transaction(force_rollback=True):
            await redrawing.execute("update messages set error = null where message_id = %s", (card,))
            assert await undeliverable(conn, book, "today") == ["C1"]
        assert await undeliverable(conn, book, "tomorrow") == ["#finance"]


async def undeliverable(conn: AsyncConnection[Any], book: Book, key: str) -> list[str]:
    async with fact(conn, book.queue) as recorded:
        digest = await digests.make(recorded, key)
    assert digest is not None
    return [line.note.split(":")[0] for line in digest.lines if line.topic == "undeliverable"]


COPY = "insert into messages (message_id, kind, approval_id, target) values (%s, %s, %s, 'C1')"


async def test_who_is_found_outside_the_channel_as_it_is_decided_gets_no_copy_of_it(book: Book) -> None:
    """Slack is asked who is in the channel; meanwhile somebody who is decides."""
    approval = await book.ask(Policy(approvers=(MAYA, FINN)))
    async with book.pool.connection() as conn, book.pool.connection() as deciding:
        async with deciding.transaction():
            await deciding.execute(LOCK, (approval.approval_id,))
            telling = asyncio.create_task(audience.tell(conn, book.queue, approval, [FINN], "Too few"))
            await blocked(book)
            await deciding.execute("update approvals set status = 'decided', decided_at = signoff_now()")
        await telling

    assert await book.rows("select from messages where kind in ('direct_card', 'ops')") == []


async def group_changes(conn: AsyncConnection[Any]) -> None:
    await homes.regrouped(conn, [MAYA, FINN])


async def card_changed(conn: AsyncConnection[Any]) -> None:
    assert await homes.behind(conn) == 2


@pytest.mark.parametrize("act", [group_changes, card_changed])
async def test_homes_are_wanted_in_one_order_whatever_has_changed(book: Book, act: Any) -> None:
    await book.ask(POLICY)
    await book.execute("update messages set woken_at = signoff_now() - interval '3 seconds'")
    await book.execute("update slack_workspace set homes_swept_at = signoff_now() - interval '1 minute'")
    for user in (FINN, MAYA):
        await book.execute(HOME, f"home:{user}", user)
    async with book.pool.connection() as conn, book.pool.connection() as other:
        async with other.transaction():
            await other.execute("set local lock_timeout = '2s'")
            await other.execute(WANTED, (f"home:{MAYA}",))
            wanting = asyncio.create_task(act(conn))
            await blocked(book)
            await other.execute(WANTED, (f"home:{FINN}",))
        await wanting

    homes_now = await book.rows("select wanted from messages where kind = 'home'")
    assert [row["wanted"] for row in homes_now] == [3, 3]


HOME = (
    "insert into messages (message_id, kind, target, verified_at, woken_at) "
    "values (%s, 'home', %s, signoff_now(), signoff_now() - interval '1 minute')"
)
WANTED = "update messages set wanted = wanted + 1 where message_id = %s"


async def refer(conn: AsyncConnection[Any], approval: Approval) -> None:
    await conn.execute("set local lock_timeout = '2s'")
    await conn.execute(
        "insert into messages (message_id, kind, approval_id, target) values ('ops:1', 'ops', %s, 'C1')",
        (approval.approval_id,),
    )


async def test_what_a_change_of_the_groups_concerns_is_taken_in_the_order_of_a_cancellation(
    book: Book,
) -> None:
    older = await book.ask(Policy(approvers=("@oncall",)))
    newer = await book.ask(Policy(approvers=(MAYA,)))
    await book.execute(COPY, "copy", "direct_card", newer.approval_id)
    await book.execute("update messages set target = %s where message_id = 'copy'", MAYA)
    lock = "select from approvals where approval_id = %s for no key update"
    async with book.pool.connection() as conn, book.pool.connection() as cancelling:
        async with cancelling.transaction():
            await cancelling.execute("set local lock_timeout = '2s'")
            await cancelling.execute(lock, (older.approval_id,))
            changing = asyncio.create_task(judge(conn, [MAYA], ["@oncall"]))
            await blocked(book)
            await cancelling.execute(lock, (newer.approval_id,))
        await changing

    wanted = await book.rows("select message_id from messages where wanted = 2 order by 1")
    assert [row["message_id"] for row in wanted] == [f"card:{older.approval_id}", "copy"]


async def judge(conn: AsyncConnection[Any], users: list[str], handles: list[str]) -> None:
    async with conn.transaction():
        await people.judge_anew(conn, users, handles)


class Deactivated(AsyncWebClient):
    async def users_info(self, *, user: str, **_: Any) -> Any:
        return {"user": {"id": user, "team_id": "T1", "deleted": True}}


async def test_a_change_of_the_groups_concerns_copies_of_what_waits_and_hurries_none_of_them(
    book: Book,
) -> None:
    waiting, settled = await book.ask(POLICY), await book.ask(POLICY)
    async with book.pool.connection() as conn:
        for approval in (waiting, settled):
            await audience.tell(conn, book.queue, approval, [MAYA, FINN], None)
        await conn.execute("update messages set retry_at = signoff_now() + interval '1 hour'")
        await conn.execute(
            "update approvals set status = 'expired' where approval_id = %s", (settled.approval_id,)
        )
        await audience.regrouped(conn, [MAYA], [])

    wanted = await book.rows(
        "select approval_id, target, retry_at > signoff_now() as put_off from messages where wanted > 1"
    )
    assert wanted == [{"approval_id": waiting.approval_id, "target": MAYA, "put_off": True}]


async def test_who_somebody_is_by_now_is_kept_with_what_follows_from_it_or_not_at_all(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(_conn: Any, _people: list[str]) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(homes, "regrouped", dies)
    with pytest.raises(asyncio.CancelledError):
        await Directory(Deactivated(), book.pool).look_up_person(MAYA)

    kept = "select (profile -> 'is_deactivated')::boolean as gone from people where user_id = %s"
    assert await book.rows(kept, MAYA) == [{"gone": False}]


async def test_a_reminder_leaves_out_who_voted_while_it_was_being_taken(book: Book) -> None:
    approval = await book.ask(POLICY)
    await book.execute(
        "update approvals set delivered_at = signoff_now() - interval '2 hours', next_at = signoff_now(), "
        """sla = sla || '{"respond_within": "P1D", "remind_after": ["PT1H"]}'"""
    )
    await book.execute(SLOW_CLOCK)
    reachable = await reach(book)
    async with book.pool.connection() as holder, book.pool.connection() as conn:
        await holder.execute("select pg_advisory_lock(1)")
        sweeping = asyncio.create_task(sweeps.deadlines(conn, book.queue, reachable))
        await blocked(book)
        vote = Vote(user=MAYA, verdict="approve", at=datetime.now(UTC), standing="named")
        await book.execute(
            "insert into votes values (%s, %s, 1, %s)", approval.approval_id, MAYA, vote.model_dump_json()
        )
        await holder.execute("select pg_advisory_unlock(1)")
        assert await sweeping == 1

    (reminder,) = await book.rows("select body from messages where kind = 'reminder'")
    assert reminder["body"]["users"] == [FINN]


SLOW_CLOCK = """
create or replace function signoff_now() returns timestamptz language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(1);
    return clock_timestamp();
end $$
"""
