"""The buttons of a pending approval: the same on the card, in a direct message and in the App Home."""

from __future__ import annotations

from bot.approvals.request import Action, ApprovalRequest
from bot.postgres.rows import Approval
from bot.slack import token as ids
from bot.slack.blocks.rich import paragraph, words
from bot.slack.blocks.text import Block, brief, is_told, plain, units
from bot.slack.blocks.values import Piece
from bot.slack.cards.manner import manner
from bot.slack.token import Token

MOST_BUTTONS = 5
"""Options that are drawn as buttons; more become a menu."""

_SIMPLE: tuple[tuple[Action, str, str], ...] = (
    ("reject", "Reject", ids.REJECT),
    ("edit", "Edit", ids.EDIT),
    ("respond", "Answer", ids.RESPOND),
)


def token_of(approval: Approval) -> Token:
    return Token(approval.approval_id, approval.revision)


def decision_buttons(approval: Approval, *, whole: bool = True) -> list[Block]:
    """Return the blocks to decide with; what was not shown whole has a button to show it."""
    request, token = approval.request, token_of(approval)
    blocks = [_options(request, token)] if request.options else []
    row = [_approve(approval)] if "approve" in request.allow else []
    form = {"approve": "Edit", "answer": "Answer", "each": "Decide each"}[manner(approval)]
    named = [(action, form if action == "edit" else label, action_id) for action, label, action_id in _SIMPLE]
    row += [
        button(label, action_id, token.encode(), f"{label}: {request.title}")
        for action, label, action_id in named
        if action in request.allow
    ]
    if not whole:
        row.append(_whole(approval))
    menu = _overflow(approval, whole=whole)
    return [*blocks, {"type": "actions", "elements": [*row, *menu]}]


def whole_button(approval: Approval) -> Block:
    """Return the block that opens everything in a modal."""
    return {"type": "actions", "elements": [_whole(approval)]}


def button(label: str, action_id: str, value: str, told: str | None = None) -> Block:
    """Return a plain button; `told` is what a screen reader says instead of the label."""
    element: Block = {"type": "button", "text": plain(label, 75), "action_id": action_id, "value": value}
    return element | ({"accessibility_label": plain(told, 75)["text"]} if told else {})


def described(request: ApprovalRequest, limit: int) -> Piece:
    """Show what each option means, since a button has no room for it."""
    if not any(option.description or not is_told(option.label, 75) for option in request.options):
        return Piece()
    parts: list[Block] = []
    whole, left = True, limit
    for option in request.options:
        label, about = brief(option.label, 500), brief(option.description or "", 400)
        left -= units(label) + units(about) + 5
        if left < 0:
            whole = False
            break
        whole = whole and label == option.label and about == (option.description or "")
        parts.append(words(("\n" if parts else "") + label, bold=True))
        parts += [words(f": {about}")] if about else []
    return Piece([paragraph(*parts)] if parts else [], whole)


def _whole(approval: Approval) -> Block:
    told = f"Show everything: {approval.request.title}"
    return button("Show everything", ids.WHOLE, token_of(approval).encode(), told)


def _approve(approval: Approval) -> Block:
    request = approval.request
    element = button("Approve", ids.APPROVE, token_of(approval).encode(), f"Approve: {request.title}")
    element["style"] = "danger" if request.destructive else "primary"
    return element | _confirm(request, "Approve", edited=approval.edited_by is not None)


def warning(request: ApprovalRequest) -> str:
    """Say why approving wants a second thought; "" where it wants none."""
    if request.destructive:
        return "This action is destructive."
    return "This is marked as high risk." if request.risk == "high" else ""


def _confirm(request: ApprovalRequest, label: str, *, edited: bool = False) -> Block:
    why = warning(request)
    if not why:
        return {}
    since = "\nIt was edited since: the proposal shown is what counts." if edited else ""
    return {
        "confirm": {
            "title": plain("Are you sure?", 100),
            "text": plain(f"{brief(request.title, 200)}{since}\n{why}", 300),
            "confirm": plain(label, 30),
            "deny": plain("Go back", 30),
            "style": "danger" if request.destructive else "primary",
        }
    }


def _options(request: ApprovalRequest, token: Token) -> Block:
    if len(request.options) > MOST_BUTTONS:
        return {"type": "actions", "elements": [_menu(request, token)]}
    return {
        "type": "actions",
        "elements": [
            button(option.label, f"{ids.CHOOSE}.{n}", token.encode(), f"Choose {option.label}")
            | _confirm(request, "Choose")
            for n, option in enumerate(request.options)
        ],
    }


def _menu(request: ApprovalRequest, token: Token) -> Block:
    return {
        "type": "static_select",
        "action_id": ids.CHOOSE,
        "placeholder": plain("Choose one", 150),
        "options": [
            {"text": plain(option.label, 75), "value": token.with_(n)}
            | ({"description": plain(option.description, 75)} if option.description else {})
            for n, option in enumerate(request.options)
        ],
    } | _confirm(request, "Choose")


def _overflow(approval: Approval, *, whole: bool) -> list[Block]:
    token = token_of(approval)
    entries = [("Approve with a note", ids.NOTE)] if "approve" in approval.request.allow else []
    if approval.correctable:
        entries.append(("Correct…", ids.CORRECT))
    if whole:
        entries.append(("Show everything", ids.ALL))
    options = [{"text": plain(label, 75), "value": token.with_(wanted)} for label, wanted in entries]
    return [{"type": "overflow", "action_id": ids.MORE, "options": options}] if options else []
