"""The decision path against a real Postgres: what holds under locks, retries and failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from fixtures_votes import DANA, FINN, GRACE, MAYA, OTTO, REQUEST, ROSA, Book, blocked, opened_book
from psycopg.types.json import Json

from bot.approvals import Policy
from bot.approvals.correction import Correction
from bot.facts import settle as settling
from bot.facts.case import read_case
from bot.facts.correcting import correct
from bot.facts.voters import not_looked_up
from bot.facts.voters import recheck as recheck_votes
from bot.facts.votes import Case, Click, NotRecorded, Recorded, Unchecked, cast, may_begin
from bot.postgres.fact import fact

ONE = Policy(approvers=(MAYA, FINN, DANA))
TWO = Policy(approvers=(MAYA, FINN, DANA), approvals=2)


@pytest.fixture
async def book(database: str) -> AsyncIterator[Book]:
    async with opened_book(database) as opened:
        yield opened


async def test_votes_at_once_all_count_towards_the_quorum(book: Book) -> None:
    for _ in range(15):
        approval = await book.ask(Policy(approvers=(MAYA, FINN, DANA), approvals=3))

        outcomes = await asyncio.gather(*(book.cast(approval, user) for user in (MAYA, FINN, DANA)))

        assert [outcome.decided for outcome in outcomes].count(True) == 1
        decision = (await book.approval(approval.thread_id)).decision
        assert decision is not None
        assert {vote.user for vote in decision.votes} == {MAYA, FINN, DANA}


async def test_one_of_many_verdicts_at_once_decides_and_the_others_are_told(book: Book) -> None:
    for _ in range(15):
        approval = await book.ask(ONE)
        verdicts = [(MAYA, "approve"), (FINN, "reject"), (DANA, "respond"), (MAYA, "reject")]

        outcomes = await asyncio.gather(*(book.cast(approval, u, verdict=v) for u, v in verdicts))

        assert sum(isinstance(outcome, Recorded) for outcome in outcomes) == 1
        assert {o.why for o in outcomes if isinstance(o, NotRecorded)} == {"settled"}


async def test_two_edits_at_once_do_not_overwrite_each_other(book: Book) -> None:
    approval = await book.ask(TWO)
    edits = [(MAYA, {"amount": "4.00", "seats": 40}), (FINN, {"amount": "5.00", "seats": 30})]

    outcomes = await asyncio.gather(*(book.cast(approval, u, proposal=p) for u, p in edits))

    after = await book.approval(approval.thread_id)
    assert after.revision == 2
    assert (after.edited_by, after.proposal) in edits
    assert [o.why for o in outcomes if isinstance(o, NotRecorded)] == ["outdated"]


async def test_an_edit_that_slack_sends_again_is_recorded_once_and_not_called_outdated(book: Book) -> None:
    approval = await book.ask(TWO)
    proposal = {"amount": "4.00", "seats": 40}

    outcomes = [await book.cast(approval, MAYA, proposal=proposal) for _ in range(2)]

    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert (await book.approval(approval.thread_id)).revision == 2
    assert [e["event"] for e in await book.events(approval.thread_id)].count("approval.vote") == 1


async def test_somebody_elses_edit_makes_the_same_edit_outdated(book: Book) -> None:
    approval = await book.ask(TWO)
    proposal = {"amount": "4.00", "seats": 40}
    await book.cast(approval, MAYA, proposal=proposal)

    outcome = await book.cast(approval, FINN, proposal=proposal)

    assert isinstance(outcome, NotRecorded)
    assert outcome.why == "outdated"


async def test_the_same_verdict_with_another_comment_is_a_new_vote(book: Book) -> None:
    approval = await book.ask(Policy(approvers=(MAYA, FINN), approvals=2, rejections=2))

    for comment in ("no", "no", "no, since the budget is spent"):
        await book.cast(approval, MAYA, verdict="reject", comment=comment)

    events = [e for e in await book.events(approval.thread_id) if e["event"] == "approval.vote"]
    assert [e["data"]["vote"]["comment"] for e in events] == ["no", "no, since the budget is spent"]


async def test_a_vote_does_not_wait_for_whoever_is_about_to_refer_to_the_approval(book: Book) -> None:
    """A drawing that holds the card's row inserts a message of the approval: that must not be a deadlock."""
    approval = await book.ask(TWO)
    card = f"card:{approval.approval_id}"
    async with book.pool.connection() as drawing, drawing.transaction():
        await drawing.execute("update messages set drawn = 1 where message_id = %s", (card,))
        voting = asyncio.create_task(book.cast(approval, MAYA))
        await blocked(book)
        await drawing.execute("set local lock_timeout = '2s'")
        await drawing.execute(
            "insert into messages (message_id, kind, approval_id, target) values ('ops:1', 'ops', %s, 'C1')",
            (approval.approval_id,),
        )
    assert isinstance(await voting, Recorded)


async def test_settling_what_is_not_pending_raises_and_changes_nothing(book: Book) -> None:
    approval = await book.ask(ONE)
    recorded = await book.cast(approval, MAYA)
    assert isinstance(recorded, Recorded)
    decision = recorded.approval.decision
    assert decision is not None
    before = await book.events(approval.thread_id)

    async with book.pool.connection() as conn:
        with pytest.raises(psycopg.errors.RaiseException, match="not pending"):
            async with fact(conn, book.queue) as again:
                await settling.settle(again, approval, recorded.thread, decision, status="decided")

    assert await book.events(approval.thread_id) == before


async def test_what_fails_to_commit_leaves_neither_vote_nor_audit_nor_job(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = await book.ask(ONE)
    before = [await book.rows(f"select count(*) from {table}") for table in TABLES]

    async def gone(*_: object) -> None:
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(book.queue, "enqueue", gone)
        with pytest.raises(psycopg.OperationalError):
            await book.cast(approval, MAYA)

    assert [await book.rows(f"select count(*) from {table}") for table in TABLES] == before
    assert (await book.approval(approval.thread_id)).status == "pending"


TABLES = ("votes", "audit", "messages", "procrastinate_jobs")


async def test_a_statement_that_the_server_gives_up_looks_the_same_inside_the_queue(book: Book) -> None:
    """Whoever waits knows a slow database by psycopg's errors, wherever it was slow."""
    approval = await book.ask(ONE)
    async with book.pool.connection() as holder, holder.transaction():
        await holder.execute("lock table procrastinate_jobs in access exclusive mode")
        async with book.pool.connection() as conn:
            await conn.execute("set lock_timeout = '50ms'")
            click = Click(MAYA, "T1", approval.approval_id, 1, "approve")
            with pytest.raises(psycopg.OperationalError):
                await cast(conn, book.queue, click, GRACE)
            await conn.execute("reset lock_timeout")


async def test_unless_somebody_has_looked_in_slack_what_is_stale_is_nobodys_refusal_yet(book: Book) -> None:
    approval = await book.ask(ONE)
    await book.rows("update people set fetched_at = now() - interval '16 minutes' returning 1")
    before = await book.events(approval.thread_id)
    click = Click(MAYA, "T1", approval.approval_id, 1, "approve")

    async with book.pool.connection() as conn:
        for begin in (cast, may_begin):
            with pytest.raises(Unchecked):
                await begin(conn, book.queue, click, GRACE, looked_up=False)
    assert await book.events(approval.thread_id) == before

    outcome = await book.cast(approval, MAYA)
    assert isinstance(outcome, NotRecorded)
    assert outcome.why == "unchecked"


async def test_the_last_vote_and_the_clock_at_once_take_a_vote_away_once(book: Book) -> None:
    for _ in range(10):
        approval = await book.ask(TWO)
        await book.cast(approval, MAYA)
        await book.execute(BAR, "true", MAYA)

        async def recheck(about: str = approval.approval_id) -> None:
            async with book.pool.connection() as conn:
                await recheck_votes(conn, book.queue, about)

        outcome, *_ = await asyncio.gather(book.cast(approval, FINN), recheck(), recheck())

        assert isinstance(outcome, Recorded)
        assert not outcome.decided
        events = [e["event"] for e in await book.events(approval.thread_id)]
        assert events.count("approval.vote_lapsed") == 1
        await book.execute(BAR, "false", MAYA)


async def test_votes_that_made_a_decision_stay_whatever_becomes_of_their_voters(book: Book) -> None:
    approval = await book.ask(TWO)
    for user in (MAYA, FINN):
        await book.cast(approval, user)
    await book.execute(BAR, "true", MAYA)

    async with book.pool.connection() as conn:
        assert await recheck_votes(conn, book.queue, approval.approval_id) == ()

    assert len(await book.rows("select from votes")) == 2


BAR = "update people set profile = jsonb_set(profile, '{is_deactivated}', %s::jsonb) where user_id = %s"


async def test_an_earlier_vote_that_nobody_can_check_decides_nothing_and_nothing_is_recorded(
    book: Book,
) -> None:
    approval = await book.ask(Policy(approvers=(MAYA, FINN), approvals=2, rejections=1))
    await book.cast(approval, MAYA)
    await book.rows(
        "update people set fetched_at = now() - interval '16 minutes' where user_id = %s returning 1", MAYA
    )
    click = Click(FINN, "T1", approval.approval_id, 1, "approve")

    async with book.pool.connection() as conn:
        with pytest.raises(Unchecked):
            await cast(conn, book.queue, click, GRACE, looked_up=False)
    outcome = await book.cast(approval, FINN)

    assert isinstance(outcome, NotRecorded)
    assert outcome.why == "voters_unchecked"
    assert [row["user_id"] for row in await book.rows("select user_id from votes")] == [MAYA]
    rejected = await book.cast(approval, FINN, verdict="reject")
    assert isinstance(rejected, Recorded)
    assert rejected.decided


async def test_whoever_may_submit_may_begin_and_beginning_records_nothing(book: Book) -> None:
    approval = await book.ask(ONE)
    before = await book.events(approval.thread_id)

    async with book.pool.connection() as conn:
        case = await may_begin(conn, book.queue, Click(MAYA, "T1", approval.approval_id, 1, "reject"), GRACE)

    assert isinstance(case, Case)
    assert await book.events(approval.thread_id) == before


async def test_the_vote_of_a_verdict_that_is_not_offered_is_refused(book: Book) -> None:
    approval = await book.ask(ONE)
    for said in (
        {"verdict": "choose", "choice": "o1"},
        {"verdict": "choose", "option": 0},
        {"verdict": "choose", "option": -1},
    ):
        outcome = await book.cast(approval, MAYA, **said)
        assert isinstance(outcome, NotRecorded)
        assert outcome.why == "not_allowed"


async def test_an_edit_that_does_not_fit_its_schema_is_no_vote_whatever_form_let_it_through(
    book: Book,
) -> None:
    schema = {"type": "object", "properties": {"seats": {"type": "integer", "maximum": 50}}}
    approval = await book.ask(ONE, REQUEST.model_copy(update={"proposal_schema": schema}))

    outcome = await book.cast(approval, MAYA, proposal={"amount": "5.00", "seats": 60})

    assert isinstance(outcome, NotRecorded)
    assert outcome.why == "unfit"
    assert (await book.approval(approval.thread_id)).status == "pending"


async def test_ones_own_correction_counts_twice_and_another_on_the_same_card_is_outdated(book: Book) -> None:
    approval = await book.ask(ONE)
    await book.execute("update approvals set correction = %s", Json(Correction({}, {"total": 1}).to_json()))
    click = Click(MAYA, "T1", approval.approval_id, approval.revision, "approve", corrects=True)
    async with book.pool.connection() as conn:
        for _ in range(2):
            assert not isinstance(await correct(conn, book.queue, click, {"total": 2}, GRACE), NotRecorded)
        other = await correct(conn, book.queue, click, {"total": 3}, GRACE)

    assert isinstance(other, NotRecorded)
    assert other.why == "outdated"
    after = await book.approval(approval.thread_id)
    assert (after.revision, after.correction and after.correction.now) == (2, {"total": 2})


async def test_a_vote_that_the_clock_takes_away_leaves_the_card(book: Book) -> None:
    approval = await book.ask(TWO)
    await book.cast(approval, MAYA)
    await book.execute(
        """update people set profile = profile || '{"is_deactivated": true}' where user_id = %s""", MAYA
    )
    before = await book.rows("select wanted from messages where kind = 'card'")
    async with book.pool.connection() as conn:
        assert await recheck_votes(conn, book.queue, approval.approval_id) == (MAYA,)

    after = await book.rows("select wanted from messages where kind = 'card'")
    assert after[0]["wanted"] == before[0]["wanted"] + 1, "it is drawn again without the vote"


async def test_whoever_has_a_vote_that_counts_is_looked_up_whether_several_must_approve_or_reject(
    book: Book,
) -> None:
    vetoed = await book.ask(Policy(approvers=(MAYA, FINN), rejections=2))
    await book.cast(vetoed, MAYA, verdict="reject")
    revised = await book.ask(TWO)
    await book.cast(revised, DANA)
    await book.cast(revised, FINN, proposal={"amount": "4.00", "seats": 40})
    await book.execute("update people set fetched_at = signoff_now() - interval '1 hour'")

    async with book.pool.connection() as conn:
        voters = await not_looked_up(conn)

    assert {voter.user: voter.approvals for voter in voters} == {
        MAYA: (vetoed.approval_id,),
        FINN: (revised.approval_id,),
    }


async def test_reading_without_a_lock_waits_for_nobody(book: Book) -> None:
    approval = await book.ask(ONE)
    async with book.pool.connection() as holder, holder.transaction():
        await holder.execute("select 1 from approvals for update")
        async with book.pool.connection() as conn:
            await conn.execute("set lock_timeout = '50ms'")
            case = await read_case(conn, approval.approval_id, MAYA, GRACE, lock=False)
            await conn.execute("reset lock_timeout")
    assert case is not None
    assert case.approval == approval


async def test_fifty_facts_at_once_on_one_thread_neither_deadlock_nor_break_its_chain(book: Book) -> None:
    approval = await book.ask(Policy(approvers=(MAYA, FINN, DANA), approvals=3, rejections=3))
    people = (MAYA, OTTO, FINN, ROSA, OTTO)

    async def act(number: int) -> None:
        verdict = "reject" if number % 7 == 0 else "approve"
        revision = 9 if number % 11 == 0 else 1
        await book.cast(approval, people[number % 5], verdict=verdict, revision=revision)

    await asyncio.gather(*(act(number) for number in range(50)))

    links = await book.rows("select n, body, hash from audit where chain = %s order by n", approval.thread_id)
    assert [link["n"] for link in links] == list(range(1, len(links) + 1))
    assert len([e for e in await book.events(approval.thread_id) if e["event"] == "approval.refused"]) >= 30
