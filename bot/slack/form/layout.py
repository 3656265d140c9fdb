"""The form's blocks: inputs and rows for what can be edited, the rest shown and left as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from bot.slack.blocks.text import cut, plain
from bot.slack.form.draft import UNTOUCHED, Draft
from bot.slack.form.field import Field
from bot.slack.form.fields import fields
from bot.slack.form.inputs import Input, input_block
from bot.slack.form.kind import Block
from bot.slack.form.left import left_block
from bot.slack.form.plan import BLOCKS_A_ROW, MOST_EDITED, Edited, Plan, Section, plan
from bot.slack.form.rows import row_blocks

MOST_BLOCKS = 90
"""Of a modal's 100; the rest is for what its caller adds around the form."""

_MOST_BYTES_LEFT = 80_000
"""Of the 250 kB of a view, for what is only shown."""


def form(
    schema: dict[str, Any] | None,
    value: dict[str, Any],
    *,
    draft: Draft = UNTOUCHED,
) -> list[Block]:
    """Return at most `MOST_BLOCKS` blocks, pre-filled from `value`.

    Without a schema, and for keys that it leaves open, the value tells what each field is. `draft` is what
    has been done to lists of objects. Submitted unchanged, `read` gives back exactly `value`.
    """
    return laid_out(plan(fields(schema, value)), draft)


def laid_out(planned: Plan, draft: Draft) -> list[Block]:
    blocks: list[Block] = []
    if not planned.parts:
        blocks.append(_note("Nothing here can be edited in a form; what is shown stays as it is."))
    for block in _edited(planned.parts, draft, room=_room(planned, draft)):
        blocks += [*map(left_block, planned.before.get(block.get("block_id", ""), ())), block]
    headed = any(not isinstance(part, Input) for part in planned.parts)
    # Otherwise it would seem to belong to the last heading.
    blocks += [{"type": "divider"}] if headed and planned.shown else []
    return blocks + _rest(planned.shown, MOST_BLOCKS - len(blocks))


def _room(planned: Plan, draft: Draft) -> bool:
    """Tell whether there is room for one row more."""
    grown = sum(len(draft.rows(rows)) - len(rows.held) for rows in planned.rows())
    return planned.blocks + BLOCKS_A_ROW * (grown + 1) <= MOST_EDITED


def _edited(parts: Iterable[Edited], draft: Draft, *, room: bool) -> Iterator[Block]:
    for part in parts:
        match part:
            case Input():
                yield input_block(part)
            case Section():
                yield from _heading(part.field)
                yield from _edited(part.parts, draft, room=room)
            case _:
                yield from _heading(part.field)
                yield from row_blocks(part, draft, room=room)


def _heading(field: Field) -> Iterator[Block]:
    yield {"type": "header", "block_id": f"h:{field.block_id}", "text": plain(field.title, 150)}
    if field.description:
        yield _note(field.description)


def block_of(schema: dict[str, Any] | None, value: dict[str, Any], key: str | None) -> str | None:
    """Return the id of the first input that edits a key of the proposal; None where no input does."""
    inputs = plan(fields(schema, value)).inputs()
    return next((one.field.block_id for one in inputs if one.field.path[0] == key), None)


def _rest(shown: tuple[Field, ...], places: int) -> list[Block]:
    """Show what stays as it is, each in a block of its own while there is room, then by name."""
    blocks: list[Block] = []
    room = _MOST_BYTES_LEFT
    for field in shown[: places - 1]:
        block = left_block(field)
        room -= len(json.dumps(block))
        if room < 0:
            break
        blocks.append(block)
    if rest := shown[len(blocks) :]:
        names = ", ".join(field.title for field in rest)
        blocks.append(_note(f"{len(rest)} more stay as they are: {cut(names, 1500)}"))
    return blocks


def _note(text: str) -> Block:
    return {"type": "context", "elements": [plain(text, 2000)]}
