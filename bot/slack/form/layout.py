"""The form's blocks: inputs for what a field can edit, the rest shown and left as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bot.slack.form.fields import Field, fields
from bot.slack.form.kind import NOTHING, Block, Kind
from bot.slack.text import cut, plain

ACTION = "value"
"""The action id of every input's element."""

MOST_BLOCKS = 90
"""Of a modal's 100; the rest is for what its caller adds around the form."""

_MOST_INPUTS = 80
_MOST_BYTES = 120_000
"""Of the 250 kB a whole view may have, as JSON with everything beyond ASCII escaped."""

_MOST_BYTES_LEFT = 80_000
"""Of the same, for what is only shown."""

_SHOWN = 1_000
"""Characters of JSON shown of a value that stays as it is."""


@dataclass(frozen=True)
class Input:
    """A field with the kind that edits it."""

    field: Field
    kind: Kind


def inputs(
    schema: dict[str, Any] | None, value: dict[str, Any]
) -> tuple[tuple[Input, ...], tuple[Field, ...]]:
    """Part the fields into those with an input and those that only show, alike at both ends of the modal.

    Inputs past the limits of a view are only shown; absent fields that nobody can edit are not shown at all.
    """
    edited: list[Input] = []
    shown: list[Field] = []
    room = _MOST_BYTES
    for field in fields(schema, value):
        size = 0 if field.kind is None else len(json.dumps(_input(Input(field, field.kind))))
        if field.kind is not None and size <= room and len(edited) < _MOST_INPUTS:
            edited.append(Input(field, field.kind))
            room -= size
        elif field.original is not NOTHING:
            shown.append(field)
    return tuple(edited), tuple(shown)


def form(schema: dict[str, Any] | None, value: dict[str, Any], *, hint: str | None = None) -> list[Block]:
    """Return at most `MOST_BLOCKS` blocks, pre-filled from `value`; `hint` goes above them as plain text.

    Without a schema, and for keys that it leaves open, the value tells what each field is. Submitted
    unchanged, `read` gives back exactly `value`.
    """
    edited, shown = inputs(schema, value)
    blocks = [_note(hint)] if hint else []
    if not edited:
        blocks.append(_note("Nothing here can be edited in a form; what is shown stays as it is."))
    blocks += [_input(one) for one in edited]
    return blocks + _rest(shown, MOST_BLOCKS - len(blocks))


def block_of(schema: dict[str, Any] | None, value: dict[str, Any], key: str | None) -> str | None:
    """Return the id of the input that edits a key of the proposal; None where no input does."""
    edited, _ = inputs(schema, value)
    return next((one.field.block_id for one in edited if one.field.key == key), None)


def _rest(shown: tuple[Field, ...], places: int) -> list[Block]:
    """Show what stays as it is, each in a block of its own while there is room, then by name."""
    blocks: list[Block] = []
    room = _MOST_BYTES_LEFT
    for field in shown[: places - 1]:
        block = _left(field)
        room -= len(json.dumps(block))
        if room < 0:
            break
        blocks.append(block)
    if rest := shown[len(blocks) :]:
        names = ", ".join(field.label for field in rest)
        blocks.append(_note(f"{len(rest)} more stay as they are: {cut(names, 1500)}"))
    return blocks


def _input(one: Input) -> Block:
    field = one.field
    block = {
        "type": "input",
        "block_id": field.block_id,
        "label": plain(field.label),
        "element": {**one.kind.element(field.now), "action_id": ACTION},
        "optional": field.optional,
    }
    hint = " ".join(filter(None, (field.description, *one.kind.words(), *_misfit(field))))
    return {**block, "hint": plain(hint, 2000)} if hint else block


def _misfit(field: Field) -> list[str]:
    return [f"Now {cut(_json(field.original), 200)}, which does not fit this field."] if field.misfit else []


def _left(field: Field) -> Block:
    """Show a value that nobody edits here. Rich text is never parsed, so it mentions nobody."""
    heading = [
        {"type": "text", "text": field.label, "style": {"bold": True}},
        {"type": "text", "text": " stays as it is"},
    ]
    value = cut(_json(field.original, indent=2), _SHOWN)
    return {
        "type": "rich_text",
        "block_id": f"r:{field.block_id}",
        "elements": [
            {"type": "rich_text_section", "elements": heading},
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": value}]},
        ],
    }


def _note(text: str) -> Block:
    return {"type": "context", "elements": [plain(text, 2000)]}


def _json(value: Any, *, indent: int | None = None) -> str:
    """Write JSON that shows what is hidden: control characters and halves of pairs stay escaped."""
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "(too large or too deep to show)"
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)
