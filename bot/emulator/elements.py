"""The interactive parts of Block Kit: finding them in blocks, and giving ids to those that have none."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from bot.emulator.workspace import Json

INTERACTIVE = frozenset(
    {
        "button",
        "channels_select",
        "checkboxes",
        "conversations_select",
        "datepicker",
        "datetimepicker",
        "email_text_input",
        "external_select",
        "feedback_buttons",
        "file_input",
        "icon_button",
        "multi_channels_select",
        "multi_conversations_select",
        "multi_external_select",
        "multi_static_select",
        "multi_users_select",
        "number_input",
        "overflow",
        "plain_text_input",
        "radio_buttons",
        "rich_text_input",
        "static_select",
        "timepicker",
        "url_text_input",
        "users_select",
        "workflow_button",
    }
)


def interactive(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each block together with each element in it that a person can use."""
    for block in blocks:
        for part in _parts(block):
            if part.get("type") in INTERACTIVE:
                yield block, part


def find(blocks: list[Json], action_id: str, block_id: str | None = None) -> tuple[Json, Json] | None:
    """The first element with that action id (in that block, if one is named)."""
    for block, element in interactive(blocks):
        if element.get("action_id") == action_id and block_id in {None, block["block_id"]}:
            return block, element
    return None


def with_ids(blocks: list[Json]) -> list[Json]:
    """The same blocks, where every block and every interactive element has an id, as Slack returns them."""
    for block in blocks:
        if not block.get("block_id"):
            block["block_id"] = secrets.token_urlsafe(4)
        for part in _parts(block):
            if part.get("type") in INTERACTIVE and not part.get("action_id"):
                part["action_id"] = secrets.token_urlsafe(4)
    return blocks


def _parts(block: Json) -> Iterator[Json]:
    """Whatever the block holds that may be interactive, in the order it is shown."""
    for key in ("elements", "actions"):
        for part in block.get(key) or ():
            if isinstance(part, dict):
                yield from _parts(part) if part.get("type") == "card" else (part,)
    for key in ("accessory", "element"):
        if isinstance(part := block.get(key), dict):
            yield part
    for nested in block.get("child_blocks") or ():
        yield from _parts(nested)
