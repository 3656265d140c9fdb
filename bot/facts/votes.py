"""A person's click or modal: the whole decision path, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from bot.approvals.changes import changes
from bot.approvals.decision import By, Decision
from bot.approvals.policy import Verdict, Vote, tally
from bot.approvals.standing import Group, NoStanding, Person, Refused, standing
from bot.facts.deadlines import Reach, catch_up, is_over
from bot.facts.settle import settle
from bot.postgres.fact import Fact, NewMessage, fact
from bot.postgres.jobs import Queue
from bot.postgres.rows import Approval, Thread, votes_of

Refusal = NoStanding | Literal["unknown", "settled", "outdated", "stray", "not_allowed"]


@dataclass(frozen=True)
class Click:
    """What a person did, and where. `proposal` is set by an edit; times are the database's."""

    user: str
    team: str | None
    approval_id: str
    revision: int
    verdict: Verdict
    choice: str | None = None
    text: str | None = None
    comment: str | None = None
    proposal: dict[str, Any] | None = None
    channel: str | None = None
    ts: str | None = None


@dataclass(frozen=True)
class Recorded:
    """The vote stands; `decided` where it was the one that the policy waited for."""

    approval: Approval
    thread: Thread
    votes: tuple[Vote, ...]
    decided: bool


@dataclass(frozen=True)
class NotRecorded:
    """Nothing changed (but the audit), and why. `approval` is None where there is no such one."""

    why: Refusal
    approval: Approval | None = None
    thread: Thread | None = None
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True)
class Case:
    """All that a verdict is judged by, read under the approval's row lock."""

    approval: Approval
    thread: Thread
    votes: tuple[Vote, ...]
    person: Person | None
    groups: tuple[Group, ...]
    team: str | None
    known_place: bool
    reach: Reach
    now: datetime


async def cast(
    conn: AsyncConnection[Any], queue: Queue, click: Click, grace: timedelta
) -> Recorded | NotRecorded:
    """Record a verdict, or say why not: first writer wins, and the loser is told what holds."""
    async with fact(conn, queue) as recorded:
        case = await read_case(conn, click.approval_id, click.user, grace, (click.channel, click.ts))
        if case is None:
            return NotRecorded("unknown")
        refusal = await _refusal(recorded, case, click)
        if refusal is not None:
            return await _refused(recorded, case, click, refusal)
        return await _count(recorded, case, click)


async def may_begin(
    conn: AsyncConnection[Any], queue: Queue, click: Click, grace: timedelta
) -> Case | NotRecorded:
    """Say whether a modal for this verdict may be opened: whoever could not submit it is told so now."""
    async with fact(conn, queue) as recorded:
        case = await read_case(conn, click.approval_id, click.user, grace, (click.channel, click.ts))
        if case is None:
            return NotRecorded("unknown")
        refusal = await _refusal(recorded, case, click)
        return case if refusal is None else await _refused(recorded, case, click, refusal)


async def read_case(
    conn: AsyncConnection[Any],
    approval_id: str,
    user: str,
    grace: timedelta,
    place: tuple[str | None, str | None] = (None, None),
    *,
    lock: bool = True,
) -> Case | None:
    """Read an approval with all that decides who may decide it; locks its row unless told not to."""
    query = _CASE + (" for update of a" if lock else "")
    found = await conn.execute(query, {"id": approval_id, "user": user, "channel": place[0], "ts": place[1]})
    row = await found.fetchone()
    if row is None:
        return None
    approval = Approval.of(row)
    return Case(
        approval=approval,
        thread=Thread.of(row["thread"]),
        votes=votes_of(row["votes"], approval.revision),
        person=_person(row["person"]),
        groups=tuple(_group(group) for group in row["groups"] or ()),
        team=row["team_id"],
        known_place=row["known_place"],
        reach=Reach(row["ok_since"], grace),
        now=row["now"],
    )


def may_decide(case: Case) -> NoStanding | str:
    """Return by what right the case's person may decide; a `NoStanding` word where they may not."""
    found = standing(
        case.person,
        case.approval.policy,
        case.groups,
        own=case.thread.own,
        home_team=case.team,
        now=case.now,
    )
    return found.why if isinstance(found, Refused) else found.right


async def _refusal(recorded: Fact, case: Case, click: Click) -> Refusal | None:
    approval = case.approval
    if click.team is not None and case.team is not None and click.team != case.team:
        return "foreign"
    if approval.status != "pending":
        return "settled"
    if is_over(approval, case.reach, case.now):
        voted = frozenset(vote.user for vote in case.votes)
        await catch_up(recorded, approval, case.thread, voted, case.reach, case.now)
        return "settled"
    if not case.known_place:
        return "stray"
    if click.revision != approval.revision:
        return "outdated"
    if not _offered(approval, click):
        return "not_allowed"
    found = standing(
        case.person, approval.policy, case.groups, own=case.thread.own, home_team=case.team, now=case.now
    )
    return found.why if isinstance(found, Refused) else None


def _offered(approval: Approval, click: Click) -> bool:
    request = approval.request
    match click.verdict:
        case "choose":
            return any(option.id == click.choice for option in request.options)
        case "approve":
            return ("edit" if click.proposal is not None else "approve") in request.allow
        case "reject" | "respond":
            return click.verdict in request.allow


async def _refused(recorded: Fact, case: Case, click: Click, why: Refusal) -> NotRecorded:
    approval = case.approval
    recorded.audit(
        approval.thread_id,
        "approval.refused",
        click.user,
        {
            "approval_id": approval.approval_id,
            "revision": click.revision,
            "verdict": click.verdict,
            "why": why,
            "team": click.team,
        },
    )
    if why == "stray" and click.channel and click.ts:
        recorded.post(stray(approval, click.channel, click.ts))
    if why == "settled" and approval.status == "pending":
        approval = await _again(recorded.conn, approval.approval_id)
    return NotRecorded(why, approval, case.thread, case.votes)


def stray(approval: Approval, channel: str, ts: str) -> NewMessage:
    """A copy of a card that was posted but never noted: it is rewritten to point at the live one."""
    return NewMessage(
        f"stray:{channel}:{ts}",
        "stray",
        target=channel,
        approval_id=approval.approval_id,
        thread_id=approval.thread_id,
        body={"ts": ts},
    )


async def _count(recorded: Fact, case: Case, click: Click) -> Recorded:
    approval = case.approval
    edited = click.proposal is not None and bool(changes(approval.proposal, click.proposal))
    if edited:
        approval = replace(
            approval, proposal=click.proposal, revision=approval.revision + 1, edited_by=click.user
        )
    vote = Vote(
        user=click.user,
        verdict=click.verdict,
        choice=click.choice,
        text=click.text,
        comment=click.comment,
        at=case.now,
        standing=may_decide(case),
    )
    earlier = () if edited else tuple(v for v in case.votes if v.user != click.user)
    votes = (*earlier, vote)
    await recorded.conn.execute(
        _VOTE,
        {
            "id": approval.approval_id,
            "user": click.user,
            "revision": approval.revision,
            "vote": Jsonb(vote.model_dump(mode="json")),
        },
    )
    _audit_vote(recorded, case, approval, vote)
    winner = tally(approval.policy, votes)
    if winner is not None:
        decision = _decision(approval, winner, votes, case.now)
        await settle(recorded, approval, case.thread, decision, status="decided")
        approval = replace(approval, status="decided", decision=decision, decided_at=case.now)
        return Recorded(approval, case.thread, votes, decided=True)
    await _still_open(recorded, case, approval, vote, edited=edited)
    return Recorded(approval, case.thread, votes, decided=False)


async def _still_open(recorded: Fact, case: Case, approval: Approval, vote: Vote, *, edited: bool) -> None:
    if edited:
        await recorded.conn.execute(
            "update approvals set proposal = %s, revision = %s, edited_by = %s where approval_id = %s",
            (Jsonb(approval.proposal), approval.revision, approval.edited_by, approval.approval_id),
        )
    recorded.redraw_cards(approval.approval_id)
    recorded.post(
        NewMessage(
            f"note:{approval.approval_id}:{approval.revision}:{vote.user}:{vote.at.timestamp():.6f}",
            "note",
            target=approval.channel,
            approval_id=approval.approval_id,
            thread_id=approval.thread_id,
            parent_id=f"card:{approval.approval_id}",
            body={
                "event": "edited" if edited else "vote",
                "user": vote.user,
                "verdict": vote.verdict,
                "choice": vote.choice,
                "comment": vote.comment,
                "text": vote.text,
                "changes": [
                    change.to_json() for change in changes(case.approval.proposal, approval.proposal)
                ],
            },
        )
    )


def _audit_vote(recorded: Fact, case: Case, approval: Approval, vote: Vote) -> None:
    changed = [change.to_json() for change in changes(case.approval.proposal, approval.proposal)]
    recorded.audit(
        approval.thread_id,
        "approval.vote",
        vote.user,
        {
            "approval_id": approval.approval_id,
            "revision": approval.revision,
            "vote": vote.model_dump(mode="json"),
            **({"changes": changed} if changed else {}),
        },
    )


def _decision(approval: Approval, winner: Vote, votes: tuple[Vote, ...], now: datetime) -> Decision:
    edited = tuple(change.path for change in changes(approval.request.proposal, approval.proposal))
    return Decision(
        verdict=winner.verdict,
        by=By(kind="human", user=winner.user),
        comment=winner.comment,
        proposal=approval.proposal,
        edited=edited,
        choice=winner.choice,
        text=winner.text,
        decided_at=now,
        votes=votes,
    )


async def _again(conn: AsyncConnection[Any], approval_id: str) -> Approval:
    found = await conn.execute("select * from approvals where approval_id = %s", (approval_id,))
    row = await found.fetchone()
    if row is None:
        raise LookupError(approval_id)
    return Approval.of(row)


def _person(row: dict[str, Any] | None) -> Person | None:
    if row is None:
        return None
    profile = row["profile"]
    return Person(
        user_id=row["user_id"],
        team_id=profile.get("team_id"),
        is_bot=profile["is_bot"],
        is_guest=profile["is_guest"],
        is_deactivated=profile["is_deactivated"],
        fetched_at=datetime.fromisoformat(row["fetched_at"]),
    )


def _group(row: dict[str, Any]) -> Group:
    return Group(
        row["group_id"], row["handle"], frozenset(row["members"]), datetime.fromisoformat(row["fetched_at"])
    )


_CASE = """
select a.*, to_jsonb(t) as thread, w.team_id, w.ok_since, signoff_now() as now,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes,
       (select to_jsonb(p) from people p where p.user_id = %(user)s) as person,
       (select jsonb_agg(to_jsonb(g)) from user_groups g
        where a.policy -> 'approvers' ?| array[g.group_id, '@' || g.handle]) as groups,
       %(ts)s::text is null
       or exists (select 1 from messages m where m.approval_id = a.approval_id and m.kind <> 'stray'
                  and ((m.channel_id = %(channel)s and m.ts = %(ts)s)
                       or (m.ts is null and m.posting_since is not null))) as known_place
from approvals a join threads t using (thread_id) cross join slack_workspace w
where a.approval_id = %(id)s
"""

_VOTE = """
insert into votes (approval_id, user_id, revision, vote) values (%(id)s, %(user)s, %(revision)s, %(vote)s)
on conflict (approval_id, user_id) do update set revision = excluded.revision, vote = excluded.vote
"""
