"""Lists that are being edited: which of their objects stay, what is new in them, and which were added."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from bot.slack.form.fields import Rows

Item = dict[str, Any]


@dataclass(frozen=True)
class Spot:
    """One object of a list: the list's block id, and which it was there; negative for an added one."""

    rows: str
    number: int


@dataclass(frozen=True)
class Row:
    """One object of an edited list: its place in the original (negative: added), and what is new in it."""

    number: int
    changed: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, number: int, before: Item, after: Item) -> Self:
        """Note only what differs, so that many edits fit where little does."""
        changed = {k: v for k, v in after.items() if k not in before or not _same(before[k], v)}
        return cls(number, changed, tuple(key for key in before if key not in after))

    def item(self, held: Sequence[Item]) -> Item:
        """Return the object; where nothing is new, the very one that was there."""
        before = held[self.number] if self.number >= 0 else {}
        if self.number >= 0 and not self.changed and not self.dropped:
            return before
        return {k: v for k, v in {**before, **self.changed}.items() if k not in self.dropped}

    def words(self) -> str:
        """Tell what was done to it, for a person to copy."""
        name = "added" if self.number < 0 else f"item {self.number + 1}"
        new = {**self.changed, **dict.fromkeys(self.dropped)}
        lines = [f"  {key}: {_said(value)}" for key, value in new.items()]
        if not lines and self.number >= 0:
            return f"{name} as it was"
        return "\n".join([f"{name}{' with' if self.number >= 0 else ''}:", *lines])


@dataclass(frozen=True)
class Draft:
    """What has been done to a form's lists of objects, by the list's block id."""

    lists: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    def rows(self, rows: Rows) -> tuple[Row, ...]:
        """Return the list as it stands; what is not in the original is left out."""
        told = self.lists.get(rows.field.block_id)
        if told is None:
            return tuple(Row(number) for number in range(len(rows.held)))
        return tuple(row for row in told if row.number < len(rows.held))

    def items(self, rows: Rows) -> list[Item]:
        """Return the list's objects; the very list that was there where nothing was done to it."""
        now = self.rows(rows)
        untouched = now == tuple(Row(number) for number in range(len(rows.held)))
        return rows.held if untouched else [row.item(rows.held) for row in now]

    def without(self, rows: Rows, number: int) -> Draft:
        return self._with(rows, tuple(row for row in self.rows(rows) if row.number != number))

    def with_row(self, rows: Rows, row: Row) -> Draft:
        """Put a row in the place of its number, or last."""
        now = self.rows(rows)
        if any(one.number == row.number for one in now):
            return self._with(rows, tuple(row if one.number == row.number else one for one in now))
        return self._with(rows, (*now, row))

    def next_number(self, rows: Rows) -> int:
        """Return a number that no added object of the list has."""
        return min(-1, *(row.number - 1 for row in self.rows(rows)), -1)

    def to_json(self) -> dict[str, Any]:
        return {rows: [_row_json(row) for row in listed] for rows, listed in self.lists.items()}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        """Read what `to_json` wrote; raises ValueError for anything else."""
        try:
            return cls({rows: tuple(_row(one) for one in listed) for rows, listed in told.items()})
        except (AttributeError, TypeError) as error:
            raise ValueError("no draft") from error

    def _with(self, rows: Rows, now: tuple[Row, ...]) -> Draft:
        return Draft({**self.lists, rows.field.block_id: now})


UNTOUCHED: Final = Draft()
"""Nothing has been done to any list."""


def _said(value: Any) -> str:
    """Say a value as it was typed; what was emptied, or is no text, as what it is."""
    if value is None or value == "":
        return "(empty)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row_json(row: Row) -> Any:
    if not row.changed and not row.dropped and row.number >= 0:
        return row.number
    return [row.number, dict(row.changed), *([list(row.dropped)] if row.dropped else [])]


def _row(told: Any) -> Row:
    match told:
        case int():
            return Row(told)
        case [int(number), dict(changed)]:
            return Row(number, changed)
        case [int(number), dict(changed), list(dropped)]:
            return Row(number, changed, tuple(dropped))
        case _:
            raise ValueError("no row")


def _same(one: Any, other: Any) -> bool:
    """Compare by type as well: 1, 1.0 and true differ."""
    if one is other:
        return True
    try:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return False
