"""A person's click or modal: the whole decision path, in one transaction."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from bot.approvals.errors import BadAnswer
from bot.approvals.policy import Vote
from bot.approvals.standing import Standing
from bot.facts.case import Case, read_case
from bot.facts.counting import Counted, Recorded, count, misfit, with_vote
from bot.facts.deadlines import catch_up
from bot.facts.judging import Click, Refusal, is_what_was_decided, judge
from bot.facts.messages import stray
from bot.postgres.fact import Fact, fact_in_one
from bot.postgres.jobs import Queue, Wakes
from bot.postgres.rows import Approval, Thread

__all__ = [
    "Admitted",
    "Case",
    "Click",
    "NotRecorded",
    "Recorded",
    "Refusal",
    "Unchecked",
    "admit",
    "cast",
    "may_begin",
    "read_case",
    "unread",
]


_UNPRINTED = re.compile("[^ -~]")


class Unchecked(Exception):
    """What Slack last said of the person, a group or an earlier voter is too old; nothing was recorded."""


@dataclass(frozen=True)
class NotRecorded:
    """Nothing changed (but the audit), and why. `approval` is None where there is no such one.

    `wrong` is what is wrong with an answer that is `unfit`. `stands` says of one that came too late that
    exactly this was recorded before.
    """

    why: Refusal
    approval: Approval | None = None
    thread: Thread | None = None
    votes: tuple[Vote, ...] = ()
    wrong: BadAnswer | None = None
    stands: bool = False


@dataclass(frozen=True)
class Admitted:
    """A click that counts, and by what right; None where exactly this counts already."""

    case: Case
    click: Click
    by: Standing | None


async def cast(
    conn: AsyncConnection[Any], queue: Wakes, click: Click, grace: timedelta, *, looked_up: bool = True
) -> Recorded | NotRecorded:
    """Record a verdict, or say why not: first writer wins, and the loser is told what holds.

    What cannot be checked is refused; or raises `Unchecked` where nobody has `looked_up` in Slack yet.
    """
    async with fact_in_one(conn, queue) as recorded:
        found = await admit(recorded, click, grace, looked_up=looked_up)
        if isinstance(found, NotRecorded):
            return found
        case = found.case
        if found.by is None:
            return Recorded(case.approval, case.thread, case.votes, decided=False, repeated=True)
        counted = with_vote(case, found.click, found.by)
        if counted.unchecked and not looked_up:
            raise Unchecked
        if counted.unchecked:
            return _refused(recorded, case, found.click, "voters_unchecked", case.approval)
        wrong = await _misfit(counted)
        if wrong is not None:
            return _refused(recorded, case, found.click, "unfit", case.approval, wrong)
        return await count(recorded, case, counted)


async def _misfit(counted: Counted) -> BadAnswer | None:
    if counted.approval.dialect == "signoff" and not counted.edits:
        return None
    # Off the event loop: a hostile schema can take half a second to check.
    return await asyncio.to_thread(misfit, counted)


async def may_begin(
    conn: AsyncConnection[Any], queue: Queue, click: Click, grace: timedelta, *, looked_up: bool = True
) -> Case | NotRecorded:
    """Say whether a modal for this verdict may be opened: whoever could not submit it is told so now.

    Raises `Unchecked` like `cast`.
    """
    async with fact_in_one(conn, queue) as recorded:
        found = await admit(recorded, click, grace, looked_up=looked_up)
        return found if isinstance(found, NotRecorded) else found.case


async def admit(recorded: Fact, click: Click, grace: timedelta, *, looked_up: bool) -> Admitted | NotRecorded:
    """Judge a click on the locked row; who is refused stands in the audit. Raises `Unchecked` like `cast`."""
    case = await read_case(recorded.conn, click.approval_id, click.user, grace, (click.channel, click.ts))
    if case is None:
        return _unknown(recorded, click)
    for message_id in case.adopted:
        recorded.redraw(message_id)
    click = click.chosen(case.approval.request)
    match judge(case, click):
        case Standing() as by:
            return Admitted(case, click, by)
        case "repeated":
            return Admitted(case, click, None)
        case "unchecked" if not looked_up:
            raise Unchecked
        case "overdue":
            await catch_up(recorded, case.approval, case.thread, case.votes, case.reach, case.now)
            return _refused(recorded, case, click, "settled", await _again(recorded, case))
        case why:
            return _refused(recorded, case, click, why, case.approval)


def _unknown(recorded: Fact, click: Click) -> NotRecorded:
    about = {"approval_id": click.approval_id, "verdict": click.act, "why": "unknown", "team": click.team}
    recorded.audit("system", "approval.refused", click.user, about)
    return NotRecorded("unknown")


async def unread(conn: AsyncConnection[Any], queue: Queue, user: str, team: str | None, act: str) -> None:
    """Keep in the audit that somebody used what stands for nothing here, `act` being its id."""
    async with fact_in_one(conn, queue) as recorded:
        about = {"action": _UNPRINTED.sub("?", act)[:100], "why": "unknown", "team": team}
        recorded.audit("system", "approval.refused", user, about)


def _refused(
    recorded: Fact,
    case: Case,
    click: Click,
    why: Refusal,
    approval: Approval,
    wrong: BadAnswer | None = None,
) -> NotRecorded:
    recorded.audit(
        approval.thread_id,
        "approval.refused",
        click.user,
        {
            "approval_id": approval.approval_id,
            "revision": click.revision,
            "verdict": click.act,
            "why": why,
            "team": click.team,
            **({"wrong": str(wrong)} if wrong else {}),
        },
    )
    if why == "stray" and click.channel and click.ts:
        recorded.post(stray(approval.approval_id, approval.thread_id, click.channel, click.ts))
    stands = why == "settled" and is_what_was_decided(case, click)
    return NotRecorded(why, approval, case.thread, case.votes, wrong, stands)


async def _again(recorded: Fact, case: Case) -> Approval:
    found = await recorded.conn.execute(
        "select * from approvals where approval_id = %s", (case.approval.approval_id,)
    )
    row = await found.fetchone()
    return Approval.of(row) if row else case.approval
