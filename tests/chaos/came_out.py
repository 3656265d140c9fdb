"""What must hold once everything has ended, read from the rows, from Slack, and from what the graphs did."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from busy_office import Known, world
from fixtures_house import GWEN, OPS, Row, Running

from bot.approvals.decision import Decision
from bot.approvals.policy import Vote
from bot.commands.audit_trail import Entry, faults
from bot.postgres.rows import Approval, Message, Thread, votes_of
from bot.slack.cards.card import CardView, card
from bot.slack.cards.outcome import outcome

UNSURE = timedelta(minutes=17)
"""How long somebody may pass for a member who is none any more."""

MADE = frozenset({"approval.decided", "approval.expired"})
ENDS = MADE | {"approval.cancelled", "approval.superseded", "approval.orphaned"}
COMPARED = ("signoff", "plain")
"""The dialects whose nodes note what they received, and what they did."""
RAN = ("ran unapproved", "went out as drafted", "so I took")


@dataclass(frozen=True)
class Told:
    """One approval, and all that its rows and its audit tell of it."""

    approval: Approval
    thread: Thread
    votes: tuple[Vote, ...]
    events: list[Row]

    @property
    def key(self) -> str:
        """Under which its node did what was approved."""
        return f"{self.thread.thread_id}:{self.approval.request.title}"

    @property
    def ran(self) -> bool:
        return self.key in world.effects

    @property
    def runs(self) -> bool:
        """Whether what was decided is to be done."""
        return self.approval.applied_at is not None and self.may_run

    @property
    def may_run(self) -> bool:
        """Whether its graph was sent a yes; a thread that is ended then may have done it or not.

        A graph that asks plainly does it on an approval alone.
        """
        decision = self.approval.decision
        if self.approval.dialect not in COMPARED:
            return False
        sent = self.approval.applying_at is not None and self.approval.status in ("decided", "expired")
        if not sent or decision is None:
            return False
        return decision.verdict == "approve" if self.approval.dialect == "plain" else not decision.rejected


async def wrongs(house: Running, known: list[Known], deleted: set[str]) -> list[str]:
    """Return a line for each thing that is not right. `deleted` are messages that somebody took away."""
    gone = {user for one in known for user in one.gone}
    found = [f"not at rest: {row}" for row in await house.rows(NOT_AT_REST)]
    found += [f"did not end right: {row}" for row in await house.rows(BROKEN)]
    found += [f"given up: {row}" for row in await house.rows(GIVEN_UP, list(gone))]
    told = await _told(house)
    for one in told.values():
        faults_ = (*_ended(one), *_decided(one, known, house), *_received(one))
        found += [f"{one.approval.request.title} is {one.approval.status}: {fault}" for fault in faults_]
    found += _effects(told)
    found += [line async for line in _shown(house, told, deleted, gone)]
    found += [line async for line in _digested(house)]
    heads = {row["chain"]: (row["n"], row["hash"]) for row in await house.rows("select * from audit_heads")}
    lines = [Entry(**row) for row in await house.rows("select * from audit order by chain, n")]
    return [*found, *(fault.why for fault in faults(lines, heads))]


async def _told(house: Running) -> dict[str, Told]:
    found: dict[str, Told] = {}
    for row in await house.rows(APPROVALS):
        approval, thread = Approval.of(row), Thread.of(row["thread"])
        audit = await house.audit(thread.thread_id)
        events = [event for event in audit if event["data"].get("approval_id") == approval.approval_id]
        votes = votes_of(row["votes"], approval.revision)
        found[approval.approval_id] = Told(approval, thread, votes, events)
    return found


def _ended(told: Told) -> Iterator[str]:
    """It ended once, and the audit tells how. What came to nothing, or is asked again, had ended before."""
    approval = told.approval
    count = Counter(event["event"] for event in told.events if event["event"] in ENDS)
    end = f"approval.{approval.status}"
    again = approval.status in ("superseded", "orphaned")
    if count[end] != 1 or max(count.values()) > 1 or len(count) > (2 if again else 1):
        yield f"ended by {dict(count)}"
    made = [event["data"]["decision"] for event in told.events if event["event"] in MADE]
    if made != ([approval.decision.answer()] if approval.decision else []):
        yield f"the audit tells {made}, and the row {approval.decision}"


def _decided(told: Told, known: list[Known], house: Running) -> Iterator[str]:
    """Enough people who might stand behind a decision, each with a vote of their own; or its time was up."""
    approval, decision = told.approval, told.approval.decision
    if decision is None:
        return
    if decision.by.kind == "timeout":
        if approval.due_at is None or decision.decided_at < approval.due_at:
            yield f"timed out at {decision.decided_at}, and was due at {approval.due_at}"
        return
    side = _side(decision)
    policy = approval.policy
    needed = policy.approvals if decision.verdict in ("approve", "choose") else policy.rejections
    if len({vote.user for vote in decision.votes}) < len(decision.votes) or len(side) < needed:
        yield f"{needed} were needed: {decision.votes}"
    if {vote.user: vote for vote in told.votes} != {vote.user: vote for vote in decision.votes}:
        yield f"the votes are {told.votes}, but it was decided by {decision.votes}"
    for vote in side:
        if not _might(told, known, house, vote.user, decision.decided_at):
            yield f"{vote.user} may not decide under {policy}"
        said = [e["data"] for e in told.events if (e["event"], e["actor"]) == ("approval.vote", vote.user)]
        if not said or said[-1]["vote"] != vote.model_dump(mode="json"):
            yield f"the audit tells {said} of {vote}"


def _side(decision: Decision) -> list[Vote]:
    if decision.verdict in ("approve", "choose"):
        same = (decision.verdict, decision.choice)
        return [vote for vote in decision.votes if (vote.verdict, vote.choice) == same]
    return [vote for vote in decision.votes if vote.verdict in ("reject", "respond")]


def _might(told: Told, known: list[Known], house: Running, user: str, at: datetime) -> bool:
    """Whether somebody was allowed to decide at any moment that Signoff may have known of."""
    policy = told.approval.policy
    if user == GWEN or (user in told.thread.own and not policy.self_approval):
        return False
    handles = {group.id: f"@{group.handle}" for group in house.slack.state.groups.values()}
    for one, after in zip(known, [*known[1:], None], strict=True):
        lasted = after is None or after.since > at - UNSURE
        grouped = any(user in users and handles[g] in policy.groups for g, users in one.groups.items())
        if lasted and one.since <= at and user not in one.gone and (user in policy.users or grouped):
            return True
    return False


def _received(told: Told) -> Iterator[str]:
    """The graph got what was recorded, and nothing else at any of its runs."""
    approval = told.approval
    if approval.dialect not in COMPARED:
        return
    received = world.received.get((told.thread.thread_id, approval.request.title), [])
    if any(answer != received[0] for answer in received):
        yield f"the graph received several answers: {received}"
    if approval.status not in ("decided", "expired") or approval.decision is None:
        return
    if approval.applied_at is None:
        if told.thread.status == "done":
            yield "done without its answer"
    elif not received:
        yield "handed on, and never received"
    elif not _same(received[0], approval):
        yield f"the graph received {received[0]}, and not {approval.decision.answer()}"


def _same(answer: Row, approval: Approval) -> bool:
    decision = approval.decision
    if decision is None:
        return False
    if approval.dialect == "plain":
        return answer["approved"] is (decision.verdict == "approve")
    return answer | {"basis": None} == decision.answer() | {"basis": None}


def _effects(told: dict[str, Told]) -> Iterator[str]:
    """What was decided is done, and nothing else is."""
    wanted = {one.key for one in told.values() if one.runs}
    allowed = {one.key for one in told.values() if one.may_run}
    yield from (f"done without a decision: {key}" for key in world.effects.keys() - allowed)
    done = {one.key for one in told.values() if one.thread.status == "done"}
    yield from (f"decided and never done: {key}" for key in (wanted & done) - world.effects.keys())


async def _shown(
    house: Running, told: dict[str, Told], deleted: set[str], gone: set[str]
) -> AsyncIterator[str]:
    """Each message is in Slack once and says what its row says; nobody is left with a button, or untold."""
    places: dict[str, list[Row]] = {}
    for conversation in house.slack.state.conversations:
        for message in house.slack.messages(conversation):
            about = (message.get("metadata") or {}).get("event_payload") or {}
            places.setdefault(about.get("message_id", ""), []).append(message)
            if any(action in str(message.get("blocks")) for action in ("signoff.approve", "signoff.reject")):
                yield f"buttons are left: {message['text']}"
    messages = [Message.of(row) for row in await house.rows("select * from messages")]
    for message in messages:
        found = places.get(message.message_id, [])
        missing = {message.message_id, message.parent_id} & deleted or message.target in gone
        if message.kind not in ("home", "stray") and len(found) != 1 and not missing:
            yield f"{message.message_id} is shown {len(found)} times"
        if found and message.approval_id and message.kind != "stray":
            for line in _says(message, told[message.approval_id], found[0], await house.now()):
                yield f"{message.message_id} {line}"
    ids = {message.message_id for message in messages}
    for one in told.values():
        for name in _wanted(one) - ids:
            yield f"nobody was sent {name}"


def _says(message: Message, told: Told, found: Row, now: datetime) -> Iterator[str]:
    approval, thread = told.approval, told.thread
    text, settled = found["text"], outcome(approval, thread) or ""
    if message.kind in ("card", "direct_card"):
        audience: Any = "channel" if message.kind == "card" else "direct"
        ids = {"message_id": message.message_id, "version": message.wanted}
        right = card(CardView(approval=approval, thread=thread, now=now, audience=audience, **ids))
        if (text, _texts(found["blocks"])) != (right.text, _texts(right.blocks)):
            yield f"shows {_texts(found['blocks'])} and not {_texts(right.blocks)}"
        claims_to = (
            any(words in text for words in RAN) and thread.status == "done" and approval.dialect in COMPARED
        )
        if (told.ran and "did not run it" in text) or (claims_to and not told.ran):
            yield f"says {text!r}, which is not so"
    elif message.kind == "outcome" or message.message_id.endswith(":outcome"):
        passed = approval.status in ("superseded", "orphaned")
        if not passed and not any(settled in said for said in _texts(found["blocks"])):
            yield f"told {_texts(found['blocks'])}, and not {settled}"


def _wanted(told: Told) -> set[str]:
    """Return the messages that there must be: to the requester, and to whoever decided in vain."""
    approval = told.approval
    wanted = set()
    if told.thread.requester and approval.status in ("decided", "expired", "cancelled"):
        wanted.add(f"outcome:{approval.approval_id}")
    if approval.status == "superseded" and approval.decision and approval.decision.by.kind == "human":
        about = f"told:{approval.approval_id}:{approval.revision}"
        wanted |= {f"{about}:{vote.user}" for vote in approval.decision.votes}
    return wanted


def _texts(value: Any) -> list[str]:
    """All that a message says, whatever its ids are."""
    match value:
        case {"text": str(text)}:
            return [text]
        case dict():
            return [text for part in value.values() for text in _texts(part)]
        case list():
            return [text for part in value for text in _texts(part)]
        case _:
            return []


async def _digested(house: Running) -> AsyncIterator[str]:
    """What expired is in one digest, and on its page; one that is asked again since had expired, too."""
    told: Counter[str] = Counter()
    for row in await house.rows("select summary from digests"):
        lines = row["summary"].get("lines", ())
        told.update(line["approval_id"] for line in lines if line["topic"] == "expired")
    pages = " ".join(str(m["blocks"]) for m in house.slack.messages(OPS) if "digest" in m["text"])
    for row in await house.rows("select approval_id, thread_id from approvals where status = 'expired'"):
        count = told.pop(row["approval_id"], 0)
        if count != 1 or row["thread_id"] not in pages:
            yield f"{row['approval_id']} expired, and was digested {count} times"
    for row in await house.rows("select approval_id from approvals where decision ->> 'reason' is not null"):
        told.pop(row["approval_id"], None)
    if told:
        yield f"digested, and never expired: {dict(told)}"


NOT_AT_REST = """
select 'thread' as what, thread_id as id, status, error from threads
where status in ('running', 'waiting') or wanted > reached
union all
select 'message', message_id, kind, error from messages
where (wanted > drawn and error is null) or lease is not null
union all
select 'job', task_name, status::text, args::text from procrastinate_jobs where status in ('todo', 'doing')
"""

BROKEN = "select thread_id, status, error from threads where status in ('failed', 'orphaned')"

GIVEN_UP = "select message_id, error from messages where error is not null and target <> all(%s)"

APPROVALS = """
select a.*, to_jsonb(t) as thread,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = a.approval_id) as votes
from approvals a join threads t using (thread_id)
"""
