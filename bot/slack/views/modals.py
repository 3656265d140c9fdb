"""The modals: a reason, a note, an answer, an edit, everything, and who was first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bot.approvals.dialects import Answering
from bot.postgres.rows import Approval, Thread
from bot.slack import token as ids
from bot.slack.blocks.drawn import VIEW_BLOCKS, numbered
from bot.slack.blocks.text import Block, clean, context, mention, plain, said, section
from bot.slack.cards.asking import asked_by
from bot.slack.cards.buttons import button, token_of, warning
from bot.slack.cards.manner import Manner, manner
from bot.slack.cards.refusals import refusal, titled
from bot.slack.form import UNTOUCHED, Draft, Item, form
from bot.slack.token import Token
from bot.slack.views.editing import Editing
from bot.slack.views.paging import to_copy, whole_pages

REJECT_FORM: Final = "signoff.form.reject"
NOTE_FORM: Final = "signoff.form.note"
RESPOND_FORM: Final = "signoff.form.respond"
CORRECT_FORM: Final = "signoff.form.correct"
EDIT_FORM: Final = "signoff.form.edit"
ITEM_FORM: Final = "signoff.form.item"
"""One object of a list, on top of the edit modal."""
WHOLE_VIEW: Final = "signoff.view.whole"
TOLD_VIEW: Final = "signoff.view.told"

_EDITING: Final[dict[Manner, tuple[str, str, str]]] = {
    "approve": ("Edit and approve", "Approve edited", "approve"),
    "answer": ("Answer", "Send answer", "give the same answer"),
    "each": ("Decide each", "Send decisions", "decide the same"),
}
"""By what deciding is called: the form's title, its button, and what several people must do."""

WORDS_BLOCK: Final = "words"
"""The block id of the one text of the reason, note and answer modals."""
WORDS_ACTION: Final = "value"

_FIRST: Final = {"pending": "Changed meanwhile", "decided": "Already decided", "expired": "Too late"}
"""How a form is headed whose approval has that status by now."""

_PROBLEM = "problem"
"""The block id of what is wrong with a form that has no field to say it at."""


def reject_modal(token: Token, approval: Approval, thread: Thread | None = None) -> Block:
    """Ask for the reason of a rejection; the requester and the workflow are told it."""
    asks = _words("Reason", _becomes_of_a_reason(approval.answering))
    return _modal(REJECT_FORM, "Reject", "Reject", token, [*_about(approval, thread), asks])


def _becomes_of_a_reason(answering: Answering | None) -> str:
    if answering is not None and answering.ends("reject"):
        return "The requester is told this. The workflow takes no “no” for an answer, so rejecting ends it."
    if answering is not None and not answering.tells("reject"):
        return "The requester is told this. The workflow learns only that it was rejected."
    return "The requester and the workflow are told this."


def approve_note_modal(token: Token, approval: Approval, thread: Thread | None = None) -> Block:
    """Ask for a note to go with an approval."""
    gets = approval.answering is None or approval.answering.tells("approve")
    then = "and the workflow gets it" if gets else "but the workflow learns only that it was approved"
    asks = _words("Note", f"It is shown on the card, {then}.")
    why = warning(approval.request)
    warns = [context(f"⚠️ {why} Approving counts at once.")] if why else []
    blocks = [*_about(approval, thread), *warns, asks]
    return _modal(NOTE_FORM, "Approve with a note", "Approve", token, blocks)


def respond_modal(token: Token, approval: Approval, thread: Thread | None = None) -> Block:
    """Ask for an answer in words."""
    several = approval.policy.approvals if approval.takes_words else 1
    same = [context(f"⚠️ {several} people must give the same answer, word for word.")] if several > 1 else []
    asks = _words("Answer", _becomes_of_words(approval))
    return _modal(RESPOND_FORM, "Answer", "Send answer", token, [*_about(approval, thread), *same, asks])


def _becomes_of_words(approval: Approval) -> str:
    if approval.answering is not None and approval.answering.ends("respond"):
        return "The requester is told this. The workflow takes no answer in words, so they end it."
    if approval.takes_words:
        return "It goes to the workflow as its answer, as you write it."
    if approval.answering is not None and not approval.answering.tells("respond"):
        return "The requester is told this. The workflow learns only that it was not approved."
    return "The workflow gets it as you write it; it neither approves nor runs anything."


def edit_modal(
    token: Token,
    approval: Approval,
    thread: Thread | None = None,
    draft: Draft = UNTOUCHED,
) -> Block:
    """Open the proposal for editing, as it stands; submitting approves it as edited, or answers with it.

    `draft` is what has been done to its lists of objects since it was opened.
    """
    title, submit, many = _EDITING[manner(approval)]
    blocks = _about(approval, thread)
    if approval.policy.approvals > 1:
        void = "A change voids earlier votes; yours then counts as the first."
        blocks.append(context(f"⚠️ {approval.policy.approvals} people must {many}. {void}"))
    editing = Editing(token, draft)
    blocks += form(*editing.subject(approval), draft=draft)
    return _modal(EDIT_FORM, title, submit, editing, blocks)


def modal_of(editing: Editing, approval: Approval, thread: Thread | None = None) -> Block:
    """Open the form of fields as it was left."""
    modal = correct_modal if editing.correcting else edit_modal
    return modal(editing.token, approval, thread, editing.draft)


def item_modal(editing: Editing, item: Item) -> Block:
    """Open one object of a list; submitting keeps it in the form below, and decides nothing."""
    blocks = [section(f"*{said(item.title, 300)}*"), *item.blocks]
    done = "corrected" if editing.correcting else "approved"
    blocks.append(context(f"Nothing is {done} yet: this goes back to the form it was opened from."))
    return _modal(ITEM_FORM, "Add an item" if item.added else "Edit an item", "Keep", editing, blocks)


def complaining(view: Block, problem: str) -> Block:
    """Return an open modal with what is wrong on top; what was typed stays where block ids do."""
    kept = [block for block in view["blocks"] if block["block_id"] != _PROBLEM]
    told = {"block_id": _PROBLEM, **section(f"⚠️ *{said(problem, 1000)}*")}
    names = ("type", "callback_id", "title", "close", "submit", "private_metadata")
    return {name: view[name] for name in names if view.get(name)} | {"blocks": [told, *kept][:VIEW_BLOCKS]}


def correct_modal(
    token: Token,
    approval: Approval,
    thread: Thread | None = None,
    draft: Draft = UNTOUCHED,
) -> Block:
    """Open the correctable fields of the thread's state, as they stand; submitting decides nothing."""
    editing = Editing(token, draft, correcting=True)
    told = (
        "This corrects the workflow's own data and decides nothing. It is handed over together with the "
        "answer; parts of the work that were handed out before keep what they were given. Earlier votes "
        "become void."
    )
    blocks = [*_about(approval, thread), context(told)]
    blocks += form(*editing.subject(approval), draft=draft) if approval.correction else []
    return _modal(CORRECT_FORM, "Correct", "Correct", editing, blocks)


def whole_modal(approval: Approval, page: int = 0) -> Block:
    """Show everything, a page at a time; `page` counts from 0 and is brought into range."""
    pages = whole_pages(approval)
    page = max(0, min(page, len(pages) - 1))
    token = token_of(approval)
    blocks = list(pages[page])
    if len(pages) > 1:
        blocks += _turning(token, page, len(pages))
    return _modal(WHOLE_VIEW, "Everything", None, token, blocks)


def taken_modal(
    approval: Approval,
    by: str | None,
    typed: Mapping[str, Any] | None = None,
    thread: Thread | None = None,
    permalink: str | None = None,
) -> Block:
    """Say that somebody or something was first, `by` whom where it is an edit, and keep what was typed.

    `approval` is the row as it stands now; `typed` is by label, and is not saved anywhere. `permalink` leads
    to the card that asks instead of a superseded one.
    """
    text = refusal("settled", approval, thread=thread, permalink=permalink)
    if approval.status == "pending":
        corrected = approval.correction is not None and approval.correction.by is not None
        who = mention(by) if by and not corrected else "Somebody"  # which of the two came last is not kept
        text = f"{who} changed this while you were typing. Nothing you typed was recorded; open it again."
    blocks = [section(titled(approval, text)), *_kept(typed)]
    return _modal(TOLD_VIEW, _FIRST.get(approval.status, "No longer open"), None, token_of(approval), blocks)


def on_top(view: Block) -> Block:
    """Say the first of a view that is too long for an acknowledgement, to stand on top of it."""
    said_first = {name: told for name, told in view["blocks"][0].items() if name != "block_id"}
    blocks = [said_first, context("Go back to see it with what you filled in.")]
    return _modal(TOLD_VIEW, view["title"]["text"], None, None, blocks)


def refusal_view(text: str, typed: Mapping[str, Any] | None = None) -> Block:
    """Put a refusal (mrkdwn) in place of a modal, with what was typed in it."""
    return _modal(TOLD_VIEW, "Nothing was changed", None, None, [section(text), *_kept(typed)])


def _kept(typed: Mapping[str, Any] | None) -> list[Block]:
    return list(to_copy("What you typed, to copy", typed)) if typed else []


def _modal(
    callback_id: str, title: str, submit: str | None, about: Token | Editing | None, blocks: Iterable[Block]
) -> Block:
    view: Block = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, 24),
        "close": plain("Cancel" if submit else "Close", 24),
        "private_metadata": about.encode() if about else "",
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
