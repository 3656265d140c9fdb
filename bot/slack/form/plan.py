"""What of a proposal has room in a form to be edited, alike at both ends of the modal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bot.slack.form.field import Field
from bot.slack.form.fields import Group, Part, Rows
from bot.slack.form.inputs import Input, input_block
from bot.slack.form.kind import NOTHING
from bot.slack.form.left import left_block

MOST_EDITED = 80
"""Blocks for what is edited."""

BLOCKS_A_ROW = 2
_BYTES_A_ROW = 2_500
"""JSON of a row's line and its buttons, with everything beyond ASCII escaped."""

_AROUND_ROWS = 3
"""Blocks of a list beside its rows: heading, note, and what adds one."""

_MOST_BYTES = 120_000
"""Of the 250 kB a whole view may have, as JSON with everything beyond ASCII escaped."""

_NO_ROOM = "there is no room left to edit it in this form"


@dataclass(frozen=True)
class Section:
    """An object with those of its parts that are edited."""

    group: Group
    parts: tuple[Edited, ...]

    @property
    def field(self) -> Field:
        return self.group.field


Edited = Input | Section | Rows


@dataclass(frozen=True)
class Plan:
    """The parts that are edited, and the fields that only show.

    Of those, the ones in `before` stand before the input with that block id.
    """

    parts: tuple[Edited, ...]
    shown: tuple[Field, ...]
    blocks: int
    before: Mapping[str, tuple[Field, ...]]

    def inputs(self) -> Iterator[Input]:
        return _inputs(self.parts)

    def rows(self) -> Iterator[Rows]:
        """The lists of objects, wherever they stand."""
        return _rows(self.parts)


def plan(parts: Iterable[Part]) -> Plan:
    """Part what is edited from what only shows.

    What is past the limits of a view only shows; absent fields that nobody can edit are left out. Plain
    fields come before what has a heading, so that each is seen to belong to the heading above it. What the
    schema fixes keeps its place among the inputs while there is room.
    """
    parts, room = tuple(parts), _Room()
    edited = room.edited(parts)
    before = room.before(parts, {one.field.block_id for one in edited if isinstance(one, Input)})
    return Plan(edited, tuple(room.shown), MOST_EDITED - room.blocks, before)


class _Room:
    def __init__(self) -> None:
        self.blocks = MOST_EDITED
        self.bytes = _MOST_BYTES
        self.shown: list[Field] = []

    def edited(self, parts: Iterable[Part]) -> tuple[Edited, ...]:
        ordered = sorted(parts, key=lambda part: not isinstance(part, Field))
        return tuple(found for part in ordered if (found := self._fit(part)) is not None)

    def before(self, parts: Iterable[Part], inputs: set[str]) -> dict[str, tuple[Field, ...]]:
        """Take fixed fields from what is shown at the end, by the id of the input that follows them."""
        found: dict[str, tuple[Field, ...]] = {}
        waiting: list[Field] = []
        for part in parts:
            if not isinstance(part, Field):
                continue
            if part.block_id in inputs:
                size = sum(len(json.dumps(left_block(field))) for field in waiting)
                if waiting and self._take(len(waiting), size):
                    found[part.block_id] = tuple(waiting)
                waiting = []
            elif part.fixed and part in self.shown:
                waiting.append(part)
        placed = {field.block_id for fields in found.values() for field in fields}
        self.shown = [field for field in self.shown if field.block_id not in placed]
        return found

    def _fit(self, part: Part) -> Edited | None:
        match part:
            case Field():
                return self._field(part)
            case Group():
                return self._section(part)
            case Rows():
                count = len(part.held)
                if self._take(_AROUND_ROWS + BLOCKS_A_ROW * count, _BYTES_A_ROW * (count + 1)):
                    return part
                self._show(replace(part.field, why=_NO_ROOM))
                return None

    def _field(self, field: Field) -> Input | None:
        if field.kind is not None:
            one = Input(field, field.kind)
            if self._take(1, len(json.dumps(input_block(one)))):
                return one
        self._show(field)
        return None

    def _section(self, group: Group) -> Section | None:
        """Give an object its heading if anything in it is edited; otherwise it is shown in one piece."""
        before = self.blocks, self.bytes, len(self.shown)
        heading = 2 if group.field.description else 1
        parts = self.edited(group.parts) if self._take(heading, 3_000 * heading) else ()
        if parts:
            return Section(group, parts)
        self.blocks, self.bytes = before[:2]
        del self.shown[before[2] :]
        self._show(group.field)
        return None

    def _take(self, blocks: int, size: int) -> bool:
        if blocks > self.blocks or size > self.bytes:
            return False
        self.blocks -= blocks
        self.bytes -= size
        return True

    def _show(self, field: Field) -> None:
        if field.original is not NOTHING:
            self.shown.append(field)


def _inputs(parts: Iterable[Edited]) -> Iterator[Input]:
    for part in parts:
        if isinstance(part, Input):
            yield part
        elif isinstance(part, Section):
            yield from _inputs(part.parts)


def _rows(parts: Iterable[Edited]) -> Iterator[Rows]:
    for part in parts:
        if isinstance(part, Rows):
            yield part
        elif isinstance(part, Section):
            yield from _rows(part.parts)
