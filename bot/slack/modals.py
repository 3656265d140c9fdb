"""The modals: a reason, a note, an answer, an edit, everything, and what to say when somebody was first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from bot.postgres.rows import Approval, Thread
from bot.slack import token as ids
from bot.slack.asking import asked_by
from bot.slack.buttons import button, token_of
from bot.slack.drawn import VIEW_BLOCKS, numbered
from bot.slack.form import form
from bot.slack.paging import json_blocks, whole_pages
from bot.slack.refusals import refusal
from bot.slack.text import Block, clean, context, mention, plain, said, section
from bot.slack.token import Token

REJECT_FORM: Final = "signoff.form.reject"
NOTE_FORM: Final = "signoff.form.note"
RESPOND_FORM: Final = "signoff.form.respond"
EDIT_FORM: Final = "signoff.form.edit"
WHOLE_VIEW: Final = "signoff.view.whole"
TOLD_VIEW: Final = "signoff.view.told"

WORDS_BLOCK: Final = "words"
"""The block id of the one text of the reason, note and answer modals."""
WORDS_ACTION: Final = "value"


def reject_modal(token: Token, approval: Approval, thread: Thread | None = None) -> Block:
    """Ask for the reason of a rejection; the requester and the workflow are told it."""
    asks = _words("Reason", "The requester and the workflow are told this.")
    return _modal(REJECT_FORM, "Reject", "Reject", token, [*_about(approval, thread), asks])


def approve_note_modal(token: Token, approval: Approval, thread: Thread | None = None) -> Block:
    """Ask for a note to go with an approval."""
    asks = _words("Note", "It is shown on the card, and the workflow gets it.")
    risky = approval.request.destructive or approval.request.risk == "high"
    warns = [context("⚠️ This is marked as high risk. Approving counts at once.")] if risky else []
    blocks = [*_about(approval, thread), *warns, asks]
    return _modal(NOTE_FORM, "Approve with a note", "Approve", token, blocks)


def respond_modal(token: Token, approval: Approval, thread: Thread | None = None) -> Block:
    """Ask for an answer in words."""
    asks = _words("Answer", "The workflow gets it as you write it; it neither approves nor runs anything.")
    return _modal(RESPOND_FORM, "Answer", "Send answer", token, [*_about(approval, thread), asks])


def edit_modal(token: Token, approval: Approval, thread: Thread | None = None) -> Block:
    """Open the proposal for editing, as it stands; submitting approves it as edited."""
    blocks = _about(approval, thread)
    if approval.policy.approvals > 1:
        needed = approval.policy.approvals
        text = (
            f"⚠️ {needed} people must approve. A change voids earlier votes; yours then counts as the first."
        )
        blocks.append(context(text))
    value = approval.proposal if isinstance(approval.proposal, dict) else {}
    blocks += form(approval.request.proposal_schema, value)
    return _modal(EDIT_FORM, "Edit and approve", "Approve edited", token, blocks)


def whole_modal(approval: Approval, page: int = 0) -> Block:
    """Show everything, a page at a time; `page` counts from 0 and is brought into range."""
    pages = whole_pages(approval)
    page = max(0, min(page, len(pages) - 1))
    token = token_of(approval)
    blocks = list(pages[page])
    if len(pages) > 1:
        blocks += _turning(token, page, len(pages))
    return _modal(WHOLE_VIEW, "Everything", None, token, blocks)


def taken_modal(approval: Approval, by: str | None, typed: Any = None) -> Block:
    """Say that somebody was first, `by` whom where it is an edit, and keep what was typed in sight.

    `approval` is the row as it stands now; `typed` is text or JSON, and is not saved anywhere.
    """
    text = refusal("settled", approval)
    if approval.status == "pending":
        who = mention(by) if by else "Somebody"
        text = f"{who} changed this while you were typing. Nothing of yours was recorded; open it again."
    blocks = [section(f"*{said(approval.request.title, 300)}*\n{text}")]
    if typed:
        blocks += json_blocks("What you typed, to copy", typed)[:40]
    return _modal(TOLD_VIEW, "Somebody was first", None, token_of(approval), blocks)


def refusal_view(text: str) -> Block:
    """Put a refusal (mrkdwn) in place of a modal, for `response_action: update`."""
    return _modal(TOLD_VIEW, "Nothing was changed", None, None, [section(text)])


def _modal(
    callback_id: str, title: str, submit: str | None, token: Token | None, blocks: Iterable[Block]
) -> Block:
    view: Block = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, 24),
        "close": plain("Cancel" if submit else "Close", 24),
        "private_metadata": token.encode() if token else "",
        "blocks": numbered(blocks, "modal")[:VIEW_BLOCKS],
    }
    return view | ({"submit": plain(submit, 24)} if submit else {})


def _about(approval: Approval, thread: Thread | None) -> list[Block]:
    """Name what is decided, since the modal hides the card."""
    asked = f"\n{asked_by(thread)}" if thread else ""
    return [section(f"*{said(clean(approval.request.title), 600)}*{asked}")]


def _words(label: str, hint: str) -> Block:
    return {
        "type": "input",
        "block_id": WORDS_BLOCK,
        "label": plain(label),
        "hint": plain(hint),
        "element": {
            "type": "plain_text_input",
            "action_id": WORDS_ACTION,
            "multiline": True,
            "min_length": 1,
            "max_length": 3000,
        },
    }


def _turning(token: Token, page: int, pages: int) -> list[Block]:
    row = [
        button(label, f"{ids.PAGE}.{direction}", token.with_(f"p{to}"))
        for label, direction, to in (("Previous page", "previous", page - 1), ("Next page", "next", page + 1))
        if 0 <= to < pages
    ]
    return [{"type": "actions", "elements": row}, context(f"Page {page + 1} of {pages}")]
