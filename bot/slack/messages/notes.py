"""Every message that is not a card or a digest: replies under the card, and direct words to people and ops.

A message's `body` is plain JSON; its keys by kind, all optional unless marked with *:

| kind | keys |
|---|---|
| reminder | `users`* and `groups`: who has not voted |
| escalation | `users`* and `groups`: who was added |
| note | `event`*: `vote`, `edited`, `lapsed`, `decided`, `expired`, `cancelled`, `superseded`, `orphaned`; |
|      | `user`, `verdict`, `choice`, `comment`, `text`; `changes`: a list of `Change.to_json()`; |
|      | `lapsed`: whose vote counts no longer |
| outcome | `permalink`: of the card |
| told | `event`*: `superseded`, `revised`; `permalink` |
| ops | `problem`*: one line; `detail`: more of it; `command`: to run; `permalink` |
| stray | `permalink`: of the live card |

`users` hold ids, `groups` ids or handles. All text in them counts as hostile and is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bot.approvals.changes import Change, changes
from bot.approvals.confidential import veiled_changes
from bot.postgres.rows import Approval, Message, Thread
from bot.slack.blocks.drawn import Drawn, drawn
from bot.slack.blocks.rich import paragraph, quote, rich_text, words
from bot.slack.blocks.text import Block, context, listing, mention, mention_approver, said, section
from bot.slack.blocks.values import edits, titles
from bot.slack.cards import asking
from bot.slack.cards.asking import lapsed
from bot.slack.cards.manner import manner
from bot.slack.cards.outcome import aftermath, because, choice, is_settling, outcome
from bot.slack.cards.refusals import refusal
from bot.slack.messages.digest import offered

_BEFORE_THE_END = ("vote", "edited", "lapsed")


def note(
    message: Message,
    approval: Approval | None,
    thread: Thread | None,
    *,
    groups: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Drawn:
    """Draw any message but cards and digests; raises ValueError for those."""
    match message.kind:
        case "reminder":
            blocks = _called(message, approval, groups or {}, "Still waiting for", now)
        case "escalation":
            blocks = _called(message, approval, groups or {}, "Escalated to", now)
        case "note":
            blocks = _under_card(message.body, approval, thread)
        case "outcome":
            blocks = _outcome(message.body, approval, thread)
        case "told":
            blocks = _told(message.body, approval)
        case "ops":
            blocks = _ops(message, approval, thread)
        case "stray":
            blocks = [section(refusal("stray", approval, permalink=_link(message.body)))]
        case _:
            raise ValueError(f"a {message.kind} is not a note")
    return drawn(_spoken(blocks), blocks, message.message_id, message.wanted)


def _spoken(blocks: list[Block]) -> str:
    """Return the fallback text: what the sections say, each on lines of its own."""
    texts = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    return "\n".join(texts).replace("*", "")


def _called(
    message: Message, approval: Approval | None, groups: Mapping[str, str], lead: str, now: datetime | None
) -> list[Block]:
    """Call people to a card; they are the policy's, so they are mentioned, unless it was settled since."""
    if approval is not None and approval.status != "pending":
        return [section(f"Settled meanwhile: {_title(approval)}")]
    names = [str(name) for key in ("users", "groups") for name in message.body.get(key) or ()]
    who = listing((mention_approver(name, groups) for name in names), asking.MOST_MENTIONS)
    text = f"{lead} {who or 'an answer'}: {_title(approval)}"
    if approval is not None:
        text += f"\n{asking.deadline(approval, now or approval.created_at)}"
    return [section(text)]


def _title(approval: Approval | None) -> str:
    return said(approval.request.title, 300) if approval else "an approval"


def _link(body: Mapping[str, Any]) -> str | None:
    """Return the permalink, which Slack gave us, unless something else stands there."""
    link = body.get("permalink")
    fits = (
        isinstance(link, str) and link.startswith(("https://", "http://")) and not set(link) & set("<>| \n")
    )
    return link if fits and isinstance(link, str) else None


def _under_card(body: Mapping[str, Any], approval: Approval | None, thread: Thread | None) -> list[Block]:
    """Keep the card's thread as its record: who did what, in which words, with which changes."""
    told, changed = body, [Change.of(item) for item in body.get("changes") or ()]
    decision = approval.decision if approval else None
    if approval and decision and body.get("event") not in _BEFORE_THE_END:
        told = {"comment": decision.comment, "text": decision.text}
        after = decision.proposal if decision.approved else None
        changed = list(changes(approval.request.proposal, after)) if after is not None else []
    blocks = [section(_event(body, approval, thread))]
    veiled = veiled_changes(changed, approval.confidential) if approval else changed
    shown = edits(veiled, called=titles(approval.request.proposal_schema) if approval else None)
    if shown.elements:
        blocks.append(rich_text(paragraph(words("before → after", italic=True)), *shown.elements))
    blocks += [rich_text(quote(str(told[key]))) for key in ("comment", "text") if told.get(key)]
    return blocks


def _event(body: Mapping[str, Any], approval: Approval | None, thread: Thread | None) -> str:
    who = mention(str(body.get("user") or "somebody"))
    match body.get("event"):
        case "vote":
            return f"{who} {_verdict(body, approval)}. {lapsed(body.get('lapsed') or ())}".rstrip()
        case "lapsed":
            return lapsed(body.get("lapsed") or ())
        case "edited":
            void = " Earlier votes are void." if approval and approval.policy.approvals > 1 else ""
            what = {"approve": "edited the proposal", "answer": "answered", "each": "decided each"}
            return f"{who} {what[manner(approval) if approval else 'approve']}.{void}"
        case event:
            settled = outcome(approval, thread) if approval and thread else None
            return settled or said(str(event or "Something happened"), 100)


def _verdict(body: Mapping[str, Any], approval: Approval | None) -> str:
    match body.get("verdict"):
        case "approve":
            return "answered" if approval and manner(approval) == "answer" else "approved"
        case "reject":
            return "rejected"
        case "respond":
            return "answered"
        case "choose" if approval:
            return f"chose “{choice(approval, str(body.get('choice')))}”"
        case _:
            return "voted"


def _outcome(body: Mapping[str, Any], approval: Approval | None, thread: Thread | None) -> list[Block]:
    """Tell the requester how it ended: what, verdict, by whom, why, and where to look."""
    settled = outcome(approval, thread) if approval and thread else None
    blocks = [section(f"Your request *{_title(approval)}*\n{settled or 'is settled.'}")]
    decision = approval.decision if approval else None
    if decision and (decision.text or decision.comment):
        blocks.append(rich_text(quote(decision.text or decision.comment or "")))
    told = aftermath(approval, thread) if approval and thread and not is_settling(thread) else None
    return [*blocks, *_closing(told, _link(body))]


def _told(body: Mapping[str, Any], approval: Approval | None) -> list[Block]:
    """Tell one person what became of a decision of theirs."""
    match body.get("event"):
        case "revised":
            text = (
                "Your vote no longer counts: what is asked has changed. The card shows how; "
                "please look again."
            )
        case _:
            text = (
                f"Your decision was not used{because(approval) if approval else ''}. A new card asks again."
            )
    return [section(f"*{_title(approval)}*\n{text}"), *_closing(None, _link(body))]


def _ops(message: Message, approval: Approval | None, thread: Thread | None) -> list[Block]:
    """Tell ops what is wrong, with which thread, and the command to run."""
    body = message.body
    blocks = [section(f"⚠️ {said(str(body.get('problem') or 'Something is wrong.'), 2000)}")]
    if body.get("detail"):
        blocks.append(section(said(str(body["detail"]), 2000)))
    if body.get("command"):
        blocks.append(section(offered(str(body["command"]))))
    about = list(_about(message, approval, thread))
    link = _link(body)
    about += [f"<{link}|The card>"] if link else []
    return [*blocks, context(" · ".join(about))] if about else blocks


def _about(message: Message, approval: Approval | None, thread: Thread | None) -> Iterator[str]:
    if thread:
        yield f"Workflow {said(thread.workflow, 80)}"
    if message.thread_id:
        yield f"Thread {said(message.thread_id, 80)}"
    if message.approval_id:
        yield f"Approval {said(message.approval_id, 80)}"
    if approval:
        yield _title(approval)


def _closing(told: str | None, link: str | None) -> list[Block]:
    texts = [*([told] if told else []), *([f"<{link}|The card>"] if link else [])]
    return [context(" · ".join(texts))] if texts else []
