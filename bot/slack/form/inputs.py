"""A field's input block, pre-filled, with what is to be known about it in the hint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks.text import cut, plain
from bot.slack.form.field import Field
from bot.slack.form.kind import Block, Kind

ACTION = "value"
"""The action id of every input's element."""


@dataclass(frozen=True)
class Input:
    """A field with the kind that edits it."""

    field: Field
    kind: Kind


def input_block(one: Input) -> Block:
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


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Write JSON that shows what is hidden: control characters and halves of pairs stay escaped."""
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "(too large or too deep to show)"
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _misfit(field: Field) -> list[str]:
    return [f"Now {cut(as_json(field.shown), 200)}, which does not fit this field."] if field.misfit else []
