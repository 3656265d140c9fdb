"""What people put into the modals: filled in as Slack shows them, and read as a submission is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.emulator import inputs
from bot.emulator.errors import CannotDo
from bot.postgres.rows import Approval
from bot.slack.buttons import token_of
from bot.slack.form.layout import Input
from bot.slack.form.layout import inputs as form_inputs
from bot.slack.modals import WORDS_BLOCK, edit_modal, reject_modal
from bot.slack.submitted import Mistyped, edited_proposal, words
from bot.testing.refused import Refused


def said(approval: Approval, text: str) -> str:
    """Type words into a modal that asks for them; raises `Refused` where it would stay open."""
    view = _filled(reject_modal(token_of(approval), approval), {WORDS_BLOCK: text}, {WORDS_BLOCK: "Words"})
    try:
        return words(view)
    except Mistyped as wrong:
        raise Refused("mistyped", wrong.by_block[WORDS_BLOCK]) from None


def edited(approval: Approval, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change fields of the proposal in its form; raises `Refused` where it would stay open.

    A value of None empties a field.
    """
    proposal = approval.proposal if isinstance(approval.proposal, dict) else {}
    editable, _ = form_inputs(approval.request.proposal_schema, proposal)
    fields = {one.field.key: one for one in editable}
    if strangers := [key for key in changes if key not in fields]:
        there = ", ".join(fields) or "none at all"
        raise Refused("mistyped", f"The form has no field {strangers[0]!r} to edit; it has {there}.")
    labels = {one.field.block_id: one.field.label for one in editable}
    typed = {fields[key].field.block_id: _typed(fields[key], value) for key, value in changes.items()}
    view = _filled(edit_modal(token_of(approval), approval), typed, labels)
    try:
        return edited_proposal(approval, view)
    except Mistyped as wrong:
        raise _mistyped(wrong.by_block, labels) from None


def _typed(one: Input, value: Any) -> Any:
    """Put a value into a field as it would show there; what it cannot show is typed, where one can type."""
    if value is None or one.kind.holds(value):
        return None if value is None else inputs.initial(one.kind.element(value))
    element = one.kind.element(one.field.now)
    if inputs.FIELD[element["type"]] == "value":
        return value
    offered = [option["text"]["text"] for option in element.get("options", ())]
    there = f"it offers {', '.join(offered)}" if offered else f"it is a {element['type']}"
    raise Refused("mistyped", f"{one.field.label}: {value!r} cannot be put in; {there}.")


def _filled(view: dict[str, Any], given: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Fill in a modal and submit it; raises `Refused` for what Slack's own client would not submit."""
    slots = {
        b["block_id"]: {b["element"]["action_id"]: given[b["block_id"]]}
        for b in view["blocks"]
        if b["block_id"] in given
    }
    try:
        state = inputs.values(view["blocks"], slots)
    except (CannotDo, ValueError, TypeError) as error:
        raise Refused("mistyped", str(error)) from None
    if refused := inputs.refusals(view["blocks"], state):
        raise _mistyped(refused, labels)
    return {**view, "state": {"values": state}}


def _mistyped(by_block: Mapping[str, str], labels: Mapping[str, str]) -> Refused:
    lines = (f"{labels[block]}: {wrong}" if block in labels else wrong for block, wrong in by_block.items())
    return Refused("mistyped", " ".join(lines))
