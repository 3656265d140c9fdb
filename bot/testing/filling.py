"""What people put into the modals: filled in as Slack shows them, and read as a submission is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.emulator import inputs
from bot.emulator.errors import CannotDo
from bot.postgres.rows import Approval
from bot.slack.cards.buttons import token_of
from bot.slack.form import UNTOUCHED, Draft
from bot.slack.form.draft import Row
from bot.slack.form.fields import Rows, fields
from bot.slack.form.inputs import Input
from bot.slack.form.lines import Lines
from bot.slack.form.plan import Edited, Section, plan
from bot.slack.form.veiled import Veiled
from bot.slack.views import submitted
from bot.slack.views.editing import Editing
from bot.slack.views.modals import WORDS_BLOCK, modal_of, reject_modal
from bot.slack.views.submitted import Mistyped, words
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

    A value of None empties a field. An object takes changes of its own; a list of objects is given as it is
    to be, as if each had been edited, removed or added by its buttons.
    """
    return _changed(approval, Editing(token_of(approval)), changes)


def corrected(approval: Approval, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change fields of the state in the form that corrects them, as `edited` does; {} where there is none."""
    if approval.correction is None:
        return {}
    return _changed(approval, Editing(token_of(approval), correcting=True), changes)


def _changed(approval: Approval, editing: Editing, changes: Mapping[str, Any]) -> dict[str, Any]:
    planned = plan(fields(*editing.subject(approval)))
    labels = {one.field.block_id: one.field.title for one in planned.inputs()}
    hand = _Hand({}, UNTOUCHED)
    hand.change(planned.parts, changes)
    editing = replace(editing, draft=hand.draft)
    view = _filled(modal_of(editing, approval), hand.typed, labels)
    try:
        return submitted.edited(approval, editing, view)
    except Mistyped as wrong:
        raise _mistyped(wrong.by_block, labels) from None


@dataclass
class _Hand:
    """What somebody types by block id, and does to lists of objects."""

    typed: dict[str, Any]
    draft: Draft

    def change(self, parts: Iterable[Edited], changes: Mapping[str, Any]) -> None:
        there = {part.field.key: part for part in parts}
        for key, value in changes.items():
            match there.get(key):
                case Input() as one:
                    self.typed[one.field.block_id] = _typed(one, value)
                case Section() as section if isinstance(value, Mapping):
                    self.change(section.parts, value)
                case Rows() as rows if _are_objects(value):
                    self._list(rows, value)
                case None:
                    names = ", ".join(there) or "none at all"
                    raise Refused("mistyped", f"The form has no field {key!r} to edit; it has {names}.")
                case Section():
                    raise Refused("mistyped", f"{key!r} is an object; say what changes in it, as a dict.")
                case Rows():
                    raise Refused(
                        "mistyped", f"{key!r} is a list of objects; give the whole list as it should be."
                    )

    def _list(self, rows: Rows, items: list[dict[str, Any]]) -> None:
        """Edit the objects in their places, remove what is too much, and add the rest."""
        for number in range(len(items), len(rows.held)):
            self.draft = self.draft.without(rows, number)
        for place, item in enumerate(items):
            number = place if place < len(rows.held) else self.draft.next_number(rows)
            before = rows.held[place] if number >= 0 else {}
            self.draft = self.draft.with_row(rows, Row.of(number, before, item))


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _typed(one: Input, value: Any) -> Any:
    """Put a value into a field as it would show there; what it cannot show is typed, where one can type."""
    if isinstance(one.kind, Veiled):
        one = replace(one, kind=one.kind.kind)
    if value is None or one.kind.holds(value):
        return None if value is None else inputs.initial(one.kind.element(value))
    element = one.kind.element(one.field.now)
    if isinstance(value, list) and isinstance(one.kind, Lines):
        return "\n".join(map(str, value))
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
