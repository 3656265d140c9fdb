"""A value of the proposal that nobody edits in the form: shown, and left as it is."""

from __future__ import annotations

from bot.slack.blocks.text import cut
from bot.slack.form.field import Field
from bot.slack.form.inputs import as_json
from bot.slack.form.kind import Block

_SHOWN = 1_000
"""Characters of JSON shown of a value that stays as it is."""


def left_block(field: Field) -> Block:
    """Show a value that nobody edits here. Rich text is never parsed, so it mentions nobody."""
    why = f" ({field.why})" if field.why else ""
    heading = [
        {"type": "text", "text": field.title, "style": {"bold": True}},
        {"type": "text", "text": f" stays as it is{why}"},
    ]
    value = cut(as_json(field.shown, indent=2), _SHOWN)
    return {
        "type": "rich_text",
        "block_id": f"r:{field.block_id}",
        "elements": [
            {"type": "rich_text_section", "elements": heading},
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": value}]},
        ],
    }
