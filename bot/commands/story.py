"""The whole story of a thread: what was started, asked, said, decided, posted and recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from psycopg import AsyncConnection

from bot.approvals.changes import Change
from bot.approvals.confidential import confidential, veiled, veiled_changes, veiled_proposal
from bot.approvals.difference import worded
from bot.approvals.secrets import MASKED, Secrets
from bot.commands.audit_trail import Entry, Fault, faults, parsed
from bot.commands.printing import lines, shown
from bot.commands.told import one_line
from bot.facts.threads import RESUMED, load

Story = dict[str, Any]

_APPROVAL_SHOWN = (
    "interrupt_id",
    "revision",
    "dialect",
    "channel",
    "delivery",
    "delivery_error",
    "created_at",
    "delivered_at",
    "next_at",
    "due_at",
    "decided_at",
    "closed_why",
    "applying_at",
    "applied_at",
)


async def read(conn: AsyncConnection[Any], thread_id: str) -> Story:
    """Read all rows of a thread as plain values, what its workflow hides masked; raises `NoSuchThread`."""
    thread = await load(conn, thread_id)
    approvals = await _rows(conn, _APPROVALS, thread_id)
    votes = await _rows(conn, _VOTES, thread_id)
    entries = [Entry(**row) for row in await _rows(conn, _AUDIT, thread_id)]
    heads = {row["chain"]: (row["n"], row["hash"]) for row in await _rows(conn, _HEAD, thread_id)}
    expected = heads if entries or heads else {thread_id: (0, "")}
    audit = [parsed(entry.body) for entry in entries]
    secrets = Secrets.of(_masked(audit))
    masked = {"input": secrets.masked(thread.input), "result": secrets.masked(thread.result)}
    return {
        "thread": vars(thread) | masked,
        "approvals": [
            _readable(approval)
            | {"votes": [vote for vote in votes if vote["approval_id"] == approval["approval_id"]]}
            for approval in approvals
        ],
        "messages": await _rows(conn, _MESSAGES, thread_id),
        "audit": audit,
        "audit_faults": [vars(fault) for fault in faults(entries, expected)],
    }


def tell(story: Story) -> Iterator[str]:
    """Word a story, in the order in which one reads it."""
    thread = story["thread"]
    yield f"Thread {thread['thread_id']}: {thread['workflow']}, {thread['status']}"
    if thread["autonomy"] != "on_action":
        yield _field("autonomy", thread["autonomy"])
    for name in ("requester", "starter", "created_at", "ended_at", "attempts", "retry_at", "cancel_reason"):
        if thread[name]:
            yield _field(name, thread[name])
    if thread["wanted"] > thread["reached"]:
        yield _field("behind", f"a worker has yet to look ({thread['wanted'] - thread['reached']} facts)")
    yield _field("input", thread["input"])
    if thread["result"] is not None:
        yield _field("result", thread["result"])
    for approval in story["approvals"]:
        yield from _approval(approval)
    yield from _messages(story["messages"])
    yield from _audit(story)
    yield from _error(thread)


def _readable(row: Story) -> Story:
    """Mask what is confidential in an approval's row, wherever it stands there."""
    names = confidential(row["request"].get("proposal_schema"))
    decision, correction = row["decision"], row["correction"]
    changed = veiled_changes(map(Change.of, row["changed"] or ()), names)
    hidden = confidential(correction["schema"]) if correction else frozenset()
    return row | {
        "request": veiled_proposal(row["request"], names),
        "proposal": veiled(row["proposal"], names),
        "decision": decision and veiled_proposal(decision, names),
        "changed": [change.to_json() for change in changed],
        # LangChain's own descriptions quote the arguments as text.
        "answering": veiled(row["answering"], names | {"description"} if names else names),
        "correction": correction
        and correction | {key: veiled(correction[key], hidden) for key in ("values", "fixed")},
    }


def _masked(told: Any) -> Iterator[str]:
    """Yield the names that the audit masks: it knew what the workflow declares, without a catalog here."""
    match told:
        case {"path": str(path), **change} if MASKED in change.values():
            yield re.split(r"[.\[]", path)[-1]
        case dict():
            for name, value in told.items():
                if value == MASKED:
                    yield name
                yield from _masked(value)
        case list():
            for value in told:
                yield from _masked(value)


def _approval(approval: Story) -> Iterator[str]:
    yield ""
    title = shown(approval["request"].get("title"))
    yield f"Approval {approval['approval_id']}: {title}, {approval['status']}"
    policy = approval["policy"]
    who = ", ".join(policy.get("approvers", ())) or "nobody"
    yield _field("policy", f"{policy.get('approvals', 1)} of {who}; {policy.get('rejections', 1)} to reject")
    for name in _APPROVAL_SHOWN:
        if approval[name] is not None:
            yield _field(name, approval[name])
    yield _field("proposal", approval["proposal"])
    if (correction := approval["correction"]) and correction["by"]:
        yield _field("corrected", f"by {correction['by']}: {shown(correction['fixed'])}")
    for notice in approval["notices"]:
        yield _field("notice", notice)
    for vote in approval["votes"]:
        void = "" if vote["revision"] == approval["revision"] else f" (void: revision {vote['revision']})"
        yield _field("vote", f"{_vote(vote['vote'])}{void}")
    if decision := approval["decision"]:
        yield _field("decision", _decision(decision))
        if decision.get("edited"):
            yield _field("edited", decision["edited"])


def _vote(vote: Story) -> str:
    said = vote.get("text") or vote.get("comment")
    return f"{vote['user']} {vote['verdict']} at {vote['at']} ({vote['standing']})" + (
        f": {shown(said)}" if said else ""
    )


def _decision(decision: Story) -> str:
    by = decision["by"]
    who = by["kind"] + (f" {by['user']}" if by.get("user") else "")
    forced = ", forced" if decision.get("forced") else ""
    more = [decision.get(name) for name in ("choice", "text", "comment", "reason")]
    said = "; ".join(shown(part) for part in more if part)
    return f"{decision['verdict']} by {who}{forced} at {decision['decided_at']}" + (
        f": {said}" if said else ""
    )


def _messages(messages: list[Story]) -> Iterator[str]:
    if messages:
        yield ""
        yield "Messages"
    for message in messages:
        place = f"{message['channel_id']} {message['ts']}" if message["ts"] else "not posted"
        state = "drawn" if message["drawn"] >= message["wanted"] else "to be drawn"
        if message["error"]:
            state = f"given up: {shown(message['error'])}"
        elif message["retry_at"]:
            state = f"tried again at {shown(message['retry_at'])}"
        yield f"  {message['kind']} to {shown(message['target'])}: {place}, {state} ({message['message_id']})"


def _audit(story: Story) -> Iterator[str]:
    yield ""
    faulty = [Fault(**fault) for fault in story["audit_faults"]]
    yield f"Audit, {len(story['audit'])} lines: {'; '.join(f.why for f in faulty) or 'the chain is whole'}"
    for line in story["audit"]:
        yield from _audited(line)


def _audited(line: Any) -> Iterator[str]:
    match line:
        case {"at": at, "event": event, "actor": actor, "data": dict(about)}:
            head = f"  {shown(at)}  {shown(event)}  {shown(actor)}"
        case _:
            yield f"  not a line of Signoff's: {shown(line)}"
            return
    try:
        told_so = [*_resumed(about)] if event == RESUMED else [shown(about)]
    except (AttributeError, KeyError, TypeError):  # it was altered
        told_so = [shown(about)]
    first, *more = told_so
    yield f"{head}  {first}"
    yield from more


def _resumed(about: Story) -> Iterator[str]:
    yield _of_state(about)
    for told in about["changes"]:
        yield f"    {one_line(worded(told))}"


def _of_state(about: Story) -> str:
    if about.get("unseen"):
        return "what it changed in the state was not seen: its worker died"
    return "changed the state:" if about["changes"] else "left the state as it was"


def _error(thread: Story) -> Iterator[str]:
    if thread["error"] and thread["error"] != thread["cancel_reason"]:
        yield ""
        yield f"Error: {shown(thread['error'])}"
    if thread["traceback"]:
        yield from lines(thread["traceback"])


def _field(name: str, value: object) -> str:
    return f"  {name.replace('_', ' ')}: {shown(value)}"


async def _rows(conn: AsyncConnection[Any], query: str, thread_id: str) -> list[Story]:
    found = await conn.execute(query, {"id": thread_id})
    return list(await found.fetchall())


_APPROVALS = "select * from approvals where thread_id = %(id)s order by created_at, approval_id"
_VOTES = """
select v.* from votes v join approvals a using (approval_id)
where a.thread_id = %(id)s order by v.vote ->> 'at', v.user_id
"""
_MESSAGES = """
select message_id, kind, approval_id, target, channel_id, ts, wanted, drawn, attempts, retry_at, error,
       created_at
from messages where thread_id = %(id)s order by created_at, message_id
"""
_AUDIT = "select chain, n, body, hash from audit where chain = %(id)s order by n"
_HEAD = "select chain, n, hash from audit_heads where chain = %(id)s"
