"""What the schema says against a filled form: at the fields that can mend it, or of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.approvals.checking import Uncheckable
from bot.slack.form.checking import Problem, problems
from bot.slack.form.inputs import Input
from bot.slack.form.kind import Path
from bot.slack.form.lines import Lines
from bot.slack.form.plan import Plan


@dataclass(frozen=True)
class Errors:
    """What is wrong, one line for each input block; `general` is about what no shown block can mend."""

    by_block: dict[str, str]
    general: str | None = None


def faults(
    schema: dict[str, Any] | None,
    value: dict[str, Any],
    planned: Plan,
    wrong: dict[str, str],
    within: Path = (),
) -> Errors | None:
    """Add the schema's complaints to what already is wrong, by block id; None where nothing is.

    `value` is the whole proposal. What lies outside the path `within` is not this form's to mend.
    """
    by_block, general = dict(wrong), None
    try:
        found = problems(schema, value) if schema is not None else []
    except Uncheckable as why:
        told = f"An edit cannot be checked: the proposal's schema {why}. Approve or reject it as it stands."
        return Errors(by_block, told)
    for problem in found:
        paths = [path for path in problem.paths if path[: len(within)] == within]
        shown = [(one, path) for path in paths for one in _at(planned, path)]
        for one, path in shown:
            by_block.setdefault(one.field.block_id, _inside(one, path, problem.message))
        if paths and not shown and not _is_told(planned, paths, by_block):
            general = general or _general(planned, problem, paths[0])
    return Errors(by_block, general) if by_block or general else None


def _at(planned: Plan, path: Path) -> Iterator[Input]:
    return (one for one in planned.inputs() if path[: len(one.field.path)] == one.field.path)


def _is_told(planned: Plan, paths: list[Path], by_block: dict[str, str]) -> bool:
    """Tell whether a field inside of what is wrong already says what to do."""
    inside = (
        one for one in planned.inputs() for path in paths if path and one.field.path[: len(path)] == path
    )
    return any(one.field.block_id in by_block for one in inside)


def _inside(one: Input, path: Path, message: str) -> str:
    """Say where inside the field, if that is not plain."""
    inside = path[len(one.field.path) :]
    if isinstance(one.kind, Lines) and len(inside) == 1 and isinstance(inside[0], int):
        return f"Line {inside[0] + 1}: {message}"
    return f"At {_dotted(inside)}: {message}" if inside else message


def _general(planned: Plan, problem: Problem, path: Path) -> str:
    if rows := next((one for one in planned.rows() if path[: len(one.field.path)] == one.field.path), None):
        return f"{rows.field.title}: {_in_rows(path[len(rows.field.path) :], problem.message)}"
    if not path:
        return f"The proposal as a whole does not fit: {problem.message}"
    keys = ", ".join(str(one[0]) for one in problem.paths)[:100] if len(path) == 1 else str(path[0])[:100]
    where = f"At {_dotted(path[1:])}: " if len(path) > 1 else ""
    return f"“{keys}”, which this form does not edit: {where}{problem.message}"


def _in_rows(inside: Path, message: str) -> str:
    match inside:
        case ():
            return message
        case (int(place),):
            return f"item {place + 1}: {message}"
        case (int(place), *further):
            return f"item {place + 1}, at {_dotted(tuple(further))}: {message}"
        case _:
            return message


def _dotted(path: Path) -> str:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return where.lstrip(".")
