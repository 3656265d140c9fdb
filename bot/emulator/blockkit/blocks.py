"""Blocks, each with what it may hold.

Limits: docs.slack.dev/reference/block-kit/blocks, @slack/types and slack_sdk.models.blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bot.emulator.blockkit import inputs, richtext
from bot.emulator.blockkit.checks import (
    Check,
    Problem,
    any_of,
    anything,
    array,
    boolean,
    exactly_one,
    integer,
    one_of,
    record,
    string,
    typed,
)
from bot.emulator.blockkit.objects import plain, slack_file, text

ID: Final[Mapping[str, Check]] = {"block_id": string(255, 1)}


def block(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None, *rules: Check) -> Check:
    return record({"type": anything, **required}, {**ID, **(optional or {})}, *rules)


def _not_both(value: Any, at: str, found: list[Problem]) -> None:
    """A rule: what folds has no divider under its header."""
    if value.get("is_collapsible") is True and value.get("has_header_divider") is True:
        found.append(Problem("has_header_divider cannot be set when is_collapsible is true", at))


def _column(value: Any, at: str, found: list[Problem]) -> None:
    """A column's settings; null leaves a column as it is."""
    if value is not None:
        _SETTINGS(value, at, found)


RICH_TEXT = block({"elements": array(richtext.ELEMENTS, None, 1)})
CELL = typed(
    {
        "raw_text": record({"type": anything, "text": string(None, 1)}),
        "raw_number": record({"type": anything, "value": anything}, {"text": string()}),
        "rich_text": RICH_TEXT,
    },
    "cell type",
)
_SETTINGS = record({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean})
CARD = block(
    {},
    {
        "title": text(150),
        "subtitle": text(150),
        "body": text(200),
        "icon": inputs.IMAGE,
        "hero_image": inputs.IMAGE,
        "actions": array(typed(inputs.BUTTONS, "element type"), 3),
    },
    any_of("hero_image", "title", "actions", "body"),
)
TASK = block(
    {"task_id": string(255, 1), "title": string(None, 1)},
    {
        "status": one_of("pending", "in_progress", "complete", "error"),
        "details": RICH_TEXT,
        "output": RICH_TEXT,
        "sources": array(anything),
    },
)

EVERYWHERE: Final[Mapping[str, Check]] = {
    "section": block(
        {},
        {
            "text": text(3000),
            "fields": array(text(2000), 10),
            "accessory": typed(inputs.IN_SECTION, "element type"),
            "expand": boolean,
        },
        any_of("text", "fields"),
    ),
    "header": block({"text": plain(150)}, {"level": integer(1, 6)}),
    "divider": block({}),
    "actions": block({"elements": array(typed(inputs.IN_ACTIONS, "element type"), 25)}),
    "context": block({"elements": array(typed(inputs.IN_CONTEXT, "element type"), 10)}),
    "input": block(
        {"label": plain(2000), "element": typed(inputs.IN_INPUT, "element type")},
        {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "image": block(
        {"alt_text": string(2000, 1)},
        {"image_url": string(3000, 1), "slack_file": slack_file, "title": plain(2000)},
        exactly_one("image_url", "slack_file"),
    ),
    "rich_text": RICH_TEXT,
    "video": block(
        {
            "alt_text": string(None, 1),
            "video_url": string(3000, 1),
            "thumbnail_url": string(3000, 1),
            "title": plain(199),
        },
        {
            "author_name": string(49),
            "description": plain(),
            "provider_icon_url": string(),
            "provider_name": string(),
            "title_url": string(),
        },
    ),
}

TABLE: Final = block({"rows": array(array(CELL, 20), 100)}, {"column_settings": array(_column, 20)})
CONTAINER: Final = block(
    {"child_blocks": array(typed({**EVERYWHERE, "card": CARD}, "block type"), 10)},
    {
        "title": plain(150),
        "rich_text_title": RICH_TEXT,
        "subtitle": plain(150),
        "icon": inputs.IMAGE,
        "width": one_of("narrow", "standard", "wide", "full"),
        "is_collapsible": boolean,
        "default_collapsed": boolean,
        "has_header_divider": boolean,
    },
    any_of("title", "rich_text_title"),
    _not_both,
)
CARDS: Final[Mapping[str, Check]] = {
    "card": CARD,
    "carousel": block({"elements": array(typed({"card": CARD}, "element type"), 10)}),
    "container": CONTAINER,
}

MESSAGE: Final[Mapping[str, Check]] = {
    **EVERYWHERE,
    **CARDS,
    "table": TABLE,
    "markdown": block({"text": string(12_000, 1)}),
    "context_actions": block({"elements": array(typed(inputs.CONTEXT_ACTIONS, "element type"), 5)}),
    "file": block({"external_id": string(None, 1), "source": one_of("remote")}),
    "task_card": TASK,
    "plan": block({"title": string(None, 1)}, {"tasks": array(TASK)}),
}
MODAL: Final[Mapping[str, Check]] = {
    **EVERYWHERE,
    "alert": block({"text": text(200)}, {"level": one_of("default", "info", "warning", "error", "success")}),
}
HOME: Final[Mapping[str, Check]] = {**EVERYWHERE, **CARDS, "table": TABLE}
