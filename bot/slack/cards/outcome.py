"""What came of an approval, in words: who or what decided it, and what the workflow did then."""

from __future__ import annotations

import re
from typing import Any, assert_never

from bot.approvals.decision import Decision
from bot.approvals.timeout import NEVER_DELIVERED, fell_short
from bot.postgres.rows import Approval, Thread
from bot.slack.blocks.text import listing, mention, said, when
from bot.slack.cards.manner import manner


def outcome(approval: Approval, thread: Thread) -> str | None:
    """Return the line that settles the card, as mrkdwn; None while it is pending."""
    match approval.status:
        case "pending":
            return None
        case "decided":
            return _decided(approval, thread)
        case "expired":
            return _expired(approval, thread)
        case "cancelled":
            return f"🚫 *Cancelled*{because(approval)}. I did not run it."
        case "superseded":
            lost = f" The decision by {by_whom(approval)} was not used." if approval.decision else ""
            return f"♻️ *Superseded*{because(approval)}. A new card asks about it.{lost}"
        case "orphaned":
            lost = f" The decision by {by_whom(approval)} reached nobody." if approval.decision else ""
            return (
                f"⚠️ *Orphaned*: the workflow no longer waits here, so nothing was run from this card.{lost}"
            )
        case _:
            assert_never(approval.status)


def because(approval: Approval) -> str:
    """Return why it was closed, behind a colon; "" where nobody kept that."""
    return f": {said(approval.closed_why, 300).rstrip('.')}" if approval.closed_why else ""


def verdict(approval: Approval) -> str:
    """Name the verdict in the past tense, e.g. "approved" or "answered with “Roll back”"."""
    decision = approval.decision
    if decision is None:
        return "timed out" if approval.status == "expired" else approval.status
    if decision.by.kind == "timeout":
        return "timed out"
    match decision.verdict:
        case "approve":
            return _approved(approval, decision)
        case "reject":
            return "rejected"
        case "respond":
            return "answered"
        case "choose":
            return f"answered with “{choice(approval, decision.choice)}”"
        case _:
            assert_never(decision.verdict)


def _approved(approval: Approval, decision: Decision) -> str:
    match manner(approval):
        case "answer":
            return "answered"
        case "each" if decision.edited:
            return "decided one by one"
        case _:
            return "approved with edits" if decision.edited else "approved"


def choice(approval: Approval, option_id: str | None) -> str:
    """Return the label of an option, escaped."""
    labels = {option.id: option.label for option in approval.request.options}
    return said(labels.get(option_id or "", option_id or "?"), 150)


def aftermath(approval: Approval, thread: Thread) -> str | None:
    """Say what the workflow did with the decision, as mrkdwn; None where there is nothing to say."""
    match approval.status:
        case "decided" | "expired":
            return _after(approval, thread)
        case "pending" if thread.status == "failed":
            return f"⚠️ The workflow failed meanwhile: {_error(thread)}"
        case _:
            return None


def _after(approval: Approval, thread: Thread) -> str:
    match thread.status:
        case "failed":
            told = (
                f"⚠️ The workflow failed after this: {_error(thread)}. The decision stands; ops can retry it."
            )
        case "done":
            end = _naming(result(thread.result), approval.decision)
            told = f"The workflow is done: {end}" if end else "The workflow is done."
        case "cancelled":
            why = said(thread.cancel_reason or "", 300)
            told = f"The workflow ended: {why}" if why else "The workflow ended."
        case "orphaned":
            told = "⚠️ The workflow lost its place after this; ops have been told."
        case "waiting" if approval.applied_at is None and thread.retry_at and thread.error:
            told = (
                f"⏸️ Not handed on yet: {_error(thread).rstrip('.')}. The decision stands; ops have been told."
            )
        case "running" | "waiting" if approval.applied_at is None:
            told = "Handing the answer to the workflow …"
        case "running":
            told = "The workflow has the answer and is running."
        case "waiting":
            told = "The workflow has the answer, and waits for people again."
        case _:
            assert_never(thread.status)
    return told


def _naming(text: str, decision: Decision | None) -> str:
    """Mention the deciders, whom a workflow knows by their ids; nobody else is mentioned by what it says."""
    for user in deciders(decision) if decision else ():
        text = re.sub(rf"\b{re.escape(user)}\b", mention(user), text)
    return text


def is_settling(thread: Thread) -> bool:
    """Tell whether what the workflow does with the answer will be told later, by the card."""
    return thread.status in ("running", "waiting")


def _error(thread: Thread) -> str:
    return said(thread.error or "no reason given", 300)


def result(value: Any) -> str:
    """Say a thread's result in a line, escaped: a text, or the text under `outcome` or `result`."""
    if isinstance(value, dict):
        value = value.get("outcome") or value.get("result")
    return said(value, 300) if isinstance(value, str) else ""


def deciders(decision: Decision, *, takes_words: bool = False) -> tuple[str, ...]:
    """Return the people whose votes made the decision, first first; of words, who said the same."""
    sided = [v for v in decision.votes if (v.verdict, v.choice) == (decision.verdict, decision.choice)]
    if takes_words:
        sided = [vote for vote in sided if vote.text == decision.text]
    users = [vote.user for vote in sorted(sided, key=lambda vote: vote.at)]
    return tuple(dict.fromkeys(users or ([decision.by.user] if decision.by.user else [])))


def by_whom(approval: Approval) -> str:
    """Name who decided as mrkdwn: people, policy or the clock."""
    decision = approval.decision
    if decision is None or decision.by.kind == "timeout":
        return "the clock"
    if decision.by.kind == "policy":
        return "policy"
    return listing(map(mention, deciders(decision, takes_words=approval.takes_words)), 10) or "a person"


def _decided(approval: Approval, thread: Thread) -> str:
    decision = approval.decision
    if decision is None:
        return "*Decided*."
    at = when(decision.decided_at)
    match decision.by.kind:
        case "human":
            return f"{_human(approval, decision)} by {by_whom(approval)} · {at}" + _promise(decision)
        case "policy":
            why = said(decision.reason or approval.request.auto or "", 500)
            return f"⚙️ *{_capital(verdict(approval))} by policy*{f': {why}' if why else ''} · {at}"
        case "timeout":
            return _expired(approval, thread)
        case _:
            assert_never(decision.by.kind)


def _human(approval: Approval, decision: Decision) -> str:
    symbol = {"approve": "✅", "reject": "⛔", "respond": "💬", "choose": "☑️"}[decision.verdict]
    return f"{symbol} *{_capital(verdict(approval))}*"


def _promise(decision: Decision) -> str:
    return "\nI will not run it." if decision.rejected else ""


def _expired(approval: Approval, thread: Thread) -> str:
    at = f" · {when(approval.decided_at)}" if approval.decided_at else ""
    return f"⏱️ {''.join(_clock_did(approval, thread))}{at}"


def clock_did(approval: Approval, thread: Thread) -> str:
    """Say as a sentence of its own what the clock did with an approval that timed out."""
    return _capital(_clock_did(approval, thread)[1])


def _clock_did(approval: Approval, thread: Thread) -> tuple[str, str]:
    """Word that time was up, and what the clock did then; silence is never worded as somebody's no."""
    decision = approval.decision
    if decision is not None and decision.reason == NEVER_DELIVERED:
        why = said(approval.delivery_error or "", 300)
        return "", f"*Never delivered*{f' ({why})' if why else ''}: nobody was asked. I did not run it."
    heard = _heard(decision)
    if decision is not None and fell_short(decision, approval.sla.fallback):
        no_answer = "The fallback that its workflow declares is not an answer to this, so I did not run it."
        return "*Timed out*, ", f"{heard}. {no_answer}"
    if decision is None or decision.verdict in ("reject", "respond"):
        return "*Timed out*, ", f"{heard}. {_left(approval)}."
    if approval.is_overtaken(thread):
        return "*Timed out*, ", f"{heard}. Its workflow was ended first, so I did not run it."
    if decision.verdict == "choose":
        label = choice(approval, decision.choice)
        return "*Timed out*: ", f"{heard}, so I took “{label}”, as its workflow declares."
    if decision.forced and decision.votes:
        return "*Timed out*, ", f"{heard}: went out as drafted (forced)."
    if decision.forced:
        return "*Timed out*: ", "went out as drafted (forced)."
    return "*Timed out*: ", f"{heard}, so it ran unapproved, as its workflow declares."


def _heard(decision: Decision | None) -> str:
    """Say who had answered by then: nobody, or too few."""
    users = dict.fromkeys(vote.user for vote in decision.votes) if decision else {}
    return f"only {listing(map(mention, users), 10)} answered" if users else "nobody answered"


def _left(approval: Approval) -> str:
    ended = approval.sla.fallback.kind == "cancel"
    if approval.is_question:
        return "It stays unanswered" + (", and I ended the workflow" if ended else "")
    return "I did not run it" + (", and ended the workflow" if ended else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
