"""A submitted form read back: a complete proposal with its types, or everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.approvals.checking import Uncheckable
from bot.slack.form.checking import Problem, problems
from bot.slack.form.fields import Field
from bot.slack.form.kind import NOTHING, Reply, Unfit
from bot.slack.form.layout import ACTION, Input, inputs


@dataclass(frozen=True)
class Filled:
    """The complete proposal; what was not edited is the original's very object."""

    value: dict[str, Any]


@dataclass(frozen=True)
class Errors:
    """What is wrong, one line for each input block; `general` is about what no shown block can mend."""

    by_block: dict[str, str]
    general: str | None = None


def read(
    schema: dict[str, Any] | None, value: dict[str, Any], state_values: dict[str, Any]
) -> Filled | Errors:
    """Read a view's `state.values` by the schema and value that the form was made from.

    Everything wrong is reported at once. An untouched field keeps its value as it was written ("1.50" stays
    "1.50"), an absent key stays absent, and an emptied one becomes null where that is allowed and absent
    where it is not.
    """
    edited, _ = inputs(schema, value)
    filled = dict(value)
    wrong: dict[str, str] = {}
    for one in edited:
        try:
            _fill(filled, one, state_values)
        except Unfit as unfit:
            wrong[one.field.block_id] = str(unfit)
    general = _checked(schema, filled, edited, wrong)
    return Errors(wrong, general) if wrong or general else Filled(filled)


def _fill(filled: dict[str, Any], one: Input, state_values: dict[str, Any]) -> None:
    field = one.field
    state = (state_values.get(field.block_id) or {}).get(ACTION)
    answer = Reply.SAME if state is None else one.kind.answer(state, field.now)
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
    """Leave an untouched field as it was; only a required one that was absent takes the default on show."""
    if field.original is NOTHING and field.required:
        if field.now is NOTHING:
            raise Unfit("Needs a value.")
        filled[field.key] = field.now


def _checked(
    schema: dict[str, Any] | None, filled: dict[str, Any], edited: tuple[Input, ...], wrong: dict[str, str]
) -> str | None:
    """Add the schema's complaints to their blocks; return the first that belongs to none."""
    if schema is None:
        return None
    blocks = {one.field.key: one.field.block_id for one in edited}
    try:
        found = problems(schema, filled)
    except Uncheckable as why:
        return f"An edit cannot be checked: the proposal's schema {why}. Approve or reject it as it stands."
    general = None
    for problem in found:
        shown = [blocks[key] for key in problem.keys if key in blocks]
        for block_id in shown:
            wrong.setdefault(block_id, problem.message)
        if not shown:
            general = general or _general(problem)
    return general


def _general(problem: Problem) -> str:
    if not problem.keys:
        return f"The proposal as a whole does not fit: {problem.message}"
    return f"“{', '.join(problem.keys)[:100]}”, which this form does not edit: {problem.message}"
