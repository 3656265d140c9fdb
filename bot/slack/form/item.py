"""The form of one object of a list: laid out by itself, and read into the draft of the form it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.slack.form.draft import UNTOUCHED, Draft, Row, Spot
from bot.slack.form.faults import Errors, faults
from bot.slack.form.fields import Rows, fields, item_fields
from bot.slack.form.kind import Block
from bot.slack.form.layout import laid_out
from bot.slack.form.plan import Plan, plan
from bot.slack.form.reading import filled_in


@dataclass(frozen=True)
class Item:
    """One object of a list as a form: `place` is where it stands, counted from 0."""

    rows: Rows
    spot: Spot
    place: int
    before: dict[str, Any]
    planned: Plan

    @property
    def blocks(self) -> list[Block]:
        return laid_out(self.planned, UNTOUCHED)

    @property
    def added(self) -> bool:
        return self.spot.number < 0

    @property
    def title(self) -> str:
        return f"{self.rows.field.title}, {'a new item' if self.added else f'item {self.place + 1}'}"


def rows_at(schema: dict[str, Any] | None, value: dict[str, Any], block_id: str) -> Rows | None:
    """Return the list of objects that the form edits under that id."""
    every = plan(fields(schema, value)).rows()
    return next((rows for rows in every if rows.field.block_id == block_id), None)


def item_at(schema: dict[str, Any] | None, value: dict[str, Any], draft: Draft, spot: Spot) -> Item | None:
    """Return the object at `spot` as a form; one that is not there yet where the number is negative."""
    rows = rows_at(schema, value, spot.rows)
    if rows is None:
        return None
    now = draft.rows(rows)
    place = next((n for n, row in enumerate(now) if row.number == spot.number), None)
    if place is None and (spot.number >= 0 or not rows.addable):
        return None
    before = {} if place is None else now[place].item(rows.held)
    place = len(now) if place is None else place
    parts = item_fields(schema, rows, before, place, f"{spot.rows}/{spot.number}")
    return Item(rows, spot, place, before, plan(parts))


def read_item(
    schema: dict[str, Any] | None,
    value: dict[str, Any],
    draft: Draft,
    item: Item,
    state_values: dict[str, Any],
) -> Draft | Errors:
    """Read an object's form: the draft with it, or what is wrong with it by itself."""
    after, wrong = filled_in(item.planned, item.before, state_values, UNTOUCHED)
    changed = draft.with_row(item.rows, _row(item, after))
    whole = _with_rows(value, item.rows, changed)
    within = (*item.rows.field.path, item.place)
    return faults(schema, whole, item.planned, wrong, within) or changed


def _row(item: Item, after: dict[str, Any]) -> Row:
    number = item.spot.number
    return Row.of(number, item.rows.held[number] if number >= 0 else {}, after)


def _with_rows(value: dict[str, Any], rows: Rows, draft: Draft) -> dict[str, Any]:
    """Return the proposal with the list as drafted; what else was typed is not known here."""
    *outer, last = rows.field.path
    whole = inside = dict(value)
    for key in map(str, outer):
        held = inside.get(key)
        inside[key] = inner = dict(held) if isinstance(held, dict) else {}
        inside = inner
    inside[str(last)] = draft.items(rows)
    return whole
