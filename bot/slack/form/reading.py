"""A submitted form read back: a complete proposal with its types, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.slack.form.draft import UNTOUCHED, Draft
from bot.slack.form.faults import Errors, faults
from bot.slack.form.field import Field
from bot.slack.form.fields import Rows, fields
from bot.slack.form.inputs import ACTION, Input
from bot.slack.form.kind import NOTHING, Reply, Unfit
from bot.slack.form.plan import Edited, Plan, Section, plan


@dataclass(frozen=True)
class Filled:
    """The complete proposal; what was not edited is the original's very object."""

    value: dict[str, Any]


def read(
    schema: dict[str, Any] | None,
    value: dict[str, Any],
    state_values: dict[str, Any],
    draft: Draft = UNTOUCHED,
) -> Filled | Errors:
    """Read a view's `state.values` by the schema, value and draft that the form was made from.

    Everything wrong is reported at once. An untouched field keeps its value as it was written ("1.50" stays
    "1.50"), an absent key stays absent, and an emptied one becomes null where that is allowed and absent
    where it is not.
    """
    planned = plan(fields(schema, value))
    filled, wrong = filled_in(planned, value, state_values, draft)
    errors = faults(schema, filled, planned, wrong)
    return errors or Filled(filled)


def filled_in(
    planned: Plan, held: dict[str, Any], state_values: dict[str, Any], draft: Draft
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the object with what was edited, and what is wrong by block id; `held` itself is not changed."""
    filling = _Filling(state_values, draft)
    return filling.filled(planned.parts, held), filling.wrong


class _Filling:
    def __init__(self, state_values: dict[str, Any], draft: Draft) -> None:
        self.states = state_values
        self.draft = draft
        self.wrong: dict[str, str] = {}

    def filled(self, parts: Iterable[Edited], held: dict[str, Any]) -> dict[str, Any]:
        filled = dict(held)
        for part in parts:
            match part:
                case Input():
                    self._input(filled, part)
                case Section():
                    self._section(filled, part)
                case Rows():
                    self._rows(filled, part)
        same = filled.keys() == held.keys() and all(filled[key] is held[key] for key in held)
        return held if same else filled

    def _input(self, filled: dict[str, Any], one: Input) -> None:
        try:
            _fill(filled, one.field, self._answer(one))
        except Unfit as unfit:
            self.wrong[one.field.block_id] = str(unfit)

    def _section(self, filled: dict[str, Any], section: Section) -> None:
        """Fill an object; one that may stay absent does while nothing in it is touched."""
        group, field = section.group, section.field
        if group.optional and not self._touched(section.parts):
            if field.original is NOTHING and field.required and field.nullable:
                filled[field.key] = None
            return
        inside = self.filled(self._asked_for(section), group.held)
        if inside is not field.original:
            filled[field.key] = inside

    def _asked_for(self, section: Section) -> Iterable[Edited]:
        """Leave out the fields of the kinds of object that were not chosen."""
        if (kinds := section.group.kinds) is None:
            return section.parts
        choice = self.filled([part for part in section.parts if part.field.key == kinds.key], {})
        keys = kinds.keys(choice.get(kinds.key))
        return [part for part in section.parts if part.field.key in keys]

    def _rows(self, filled: dict[str, Any], rows: Rows) -> None:
        items, field = self.draft.items(rows), rows.field
        missed = field.original is NOTHING and field.required and rows.least == 0
        if missed or items is not rows.held:
            filled[field.key] = items

    def _touched(self, parts: Iterable[Edited]) -> bool:
        for part in parts:
            match part:
                case Input():
                    try:
                        touched = self._answer(part) is not Reply.SAME
                    except Unfit:
                        touched = True
                case Section():
                    touched = self._touched(part.parts)
                case Rows():
                    touched = self.draft.items(part) is not part.held
            if touched:
                return True
        return False

    def _answer(self, one: Input) -> Any:
        state = (self.states.get(one.field.block_id) or {}).get(ACTION)
        return Reply.SAME if state is None else one.kind.answer(state, one.field.now)


def _fill(filled: dict[str, Any], field: Field, answer: Any) -> None:
    if answer is Reply.SAME:
        _accept(filled, field)
    elif answer is not Reply.EMPTIED:
        filled[field.key] = answer
    elif field.nullable:
        filled[field.key] = None
    elif field.required:
        raise Unfit("Needs a value.")
    else:
        filled.pop(field.key, None)


def _accept(filled: dict[str, Any], field: Field) -> None:
    """Leave an untouched field as it was; a required one that was absent takes what is on show."""
    if field.original is NOTHING and field.required:
        if field.now is not NOTHING:
            filled[field.key] = field.now
        elif field.kind is not None and field.kind.can_be_empty(NOTHING):
            filled[field.key] = []  # of absent ones, only a list is anything while it is empty
        elif field.nullable:
            filled[field.key] = None
        else:
            raise Unfit("Needs a value.")
