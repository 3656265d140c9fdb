"""A list of objects in the form: a line for each, with buttons to edit it, to remove it, and to add one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bot.approvals.confidential import veiled
from bot.slack.blocks.text import cut, line, plain
from bot.slack.blocks.values import is_scalar, shown
from bot.slack.form.draft import Draft, Row, Spot
from bot.slack.form.field import named
from bot.slack.form.fields import Rows
from bot.slack.form.inputs import as_json
from bot.slack.form.kind import Block
from bot.slack.form.schema import mapping

ACTION: Final = "signoff.item"
"""Of the buttons: `signoff.item.edit`, `signoff.item.remove` and `signoff.item.add`."""

_ADD = "add"
_NAMED = 4
"""Values of an object that its line tells."""


def row_blocks(rows: Rows, draft: Draft, *, room: bool) -> Iterator[Block]:
    """Return the list's rows and what adds one; `room` where the view can hold one more."""
    now = draft.rows(rows)
    yield {"type": "context", "block_id": f"n:{rows.field.block_id}", "elements": [plain(_note(rows, now))]}
    for place, row in enumerate(now, 1):
        spot = Spot(rows.field.block_id, row.number)
        mark = " (added)" if row.number < 0 else " (edited)" if row.changed or row.dropped else ""
        told = f"{place}. {summary(veiled(row.item(rows.held), rows.hidden), _properties(rows))}{mark}"
        yield {"type": "section", "block_id": f"i:{_spot_id(spot)}", "text": plain(told)}
        yield _buttons(place, spot, removable=len(now) > rows.least)
    if rows.addable and room and len(now) < rows.most:
        button = _button("Add", _ADD, f"Add to {rows.field.title}")
        yield {"type": "actions", "block_id": f"b:{rows.field.block_id}/{_ADD}", "elements": [button]}


def spot_of(block_id: str) -> Spot | None:
    """Read which row's buttons a block holds; the number 0 where it is the one that adds."""
    rows, _, number = block_id.removeprefix("b:").rpartition("/")
    if number == _ADD:
        return Spot(rows, 0)
    try:
        return Spot(rows, int(number))
    except ValueError:
        return None


def summary(item: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    """Tell an object in a line by its first plain values, under the names that its own form gives them."""
    plain_ones = [(key, value) for key, value in item.items() if is_scalar(value) and value not in (None, "")]
    called = [(cut(named(key[:60], properties.get(key)), 60), value) for key, value in plain_ones[:_NAMED]]
    told = [f"{name}: {shown(value, 60)}" for name, value in called]
    return cut(" · ".join(told), 240) or cut(line(as_json(item)), 150)


def _properties(rows: Rows) -> Mapping[str, Any]:
    """Return the schemas of an object's values; none where the objects may be of several kinds."""
    branches = rows.items.branches
    return mapping(branches[0].get("properties")) if len(branches) == 1 else {}


def _buttons(place: int, spot: Spot, *, removable: bool) -> Block:
    buttons = [_button("Edit", "edit", f"Edit item {place}")]
    buttons += [_button("Remove", "remove", f"Remove item {place}")] if removable else []
    return {"type": "actions", "block_id": f"b:{_spot_id(spot)}", "elements": buttons}


def _button(label: str, does: str, spoken: str) -> Block:
    button: Block = {"type": "button", "text": plain(label), "action_id": f"{ACTION}.{does}"}
    return {**button, "accessibility_label": cut(spoken, 75)}


def _spot_id(spot: Spot) -> str:
    return f"{spot.rows}/{spot.number}"


def _note(rows: Rows, now: tuple[Row, ...]) -> str:
    count = "1 item" if len(now) == 1 else f"{len(now) or 'No'} items"
    bounds = [f"at least {rows.least}"] if rows.least else []
    bounds += [f"at most {rows.most}"]
    added = "" if rows.addable else " Items can be edited and removed, not added."
    return f"{count}, {' and '.join(bounds)}. What you change here counts when this form is submitted.{added}"
