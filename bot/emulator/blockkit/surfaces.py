"""Whole surfaces: how many blocks, which blocks, and the rules that reach over several of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from bot.emulator import elements
from bot.emulator.blockkit import blocks
from bot.emulator.blockkit.checks import (
    Check,
    Problem,
    anything,
    array,
    boolean,
    record,
    string,
    typed,
    units,
)
from bot.emulator.blockkit.objects import plain
from bot.emulator.workspace import Json

Surface = Literal["message", "modal", "home"]

BLOCKS: Final[Mapping[str, Check]] = {
    "message": array(typed(blocks.MESSAGE, "block type for a message"), 50, 0),
    "modal": array(typed(blocks.MODAL, "block type for a modal"), 100, 1),
    "home": array(typed(blocks.HOME, "block type for an App Home"), 100, 1),
}
MARKDOWN_LIMIT, TABLE_LIMIT = 12_000, 10_000
TEXT_LIMIT, RICH_TEXT_LIMIT, A_BLOCK = 13_200, 24_000, 100
"""Of all blocks of a message: what was seen to be refused (slackapi/bolt-js#2509, #2867), as text with 100
characters for each block, and as JSON of rich text. Slack documents neither."""

_VIEW: Final[Mapping[str, Check]] = {
    "private_metadata": string(3000),
    "callback_id": string(255),
    "external_id": string(255),
}
VIEWS: Final[Mapping[str, Check]] = {
    "modal": record(
        {"type": anything, "title": plain(24), "blocks": anything},
        {
            **_VIEW,
            "close": plain(24),
            "submit": plain(24),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
    "home": record({"type": anything, "blocks": anything}, _VIEW),
}


def problems(surface: Surface, given: Any, at: str = "/blocks") -> list[Problem]:
    """What Slack refuses in these blocks, and, in a message, a second primary button (Slack's own advice)."""
    found: list[Problem] = []
    BLOCKS[surface](given, at, found)
    if found:
        return found
    used = [element for _, element in elements.interactive(given)]
    found += _repeated_ids(given, at)
    if sum(element.get("focus_on_load") is True for element in used) > 1:
        found.append(Problem("only one element may have focus_on_load", at))
    if surface == "message":
        found += _message_sums(given, at)
        if sum(element.get("style") == "primary" for element in used) > 1:
            found.append(Problem("at most one button may be primary", at))
    return found


def is_too_long(given: list[Json]) -> bool:
    """Whether a message's blocks are `msg_blocks_too_long` all together, though each is within its limits."""
    rich = [block for block in given if block["type"] == "rich_text"]
    text = A_BLOCK * len(given) + _all_text(given)
    return text > TEXT_LIMIT or units(json.dumps(rich, ensure_ascii=False)) > RICH_TEXT_LIMIT


def view_problems(view: Any, kind: Literal["modal", "home"]) -> list[Problem]:
    """What Slack refuses in this view as a modal or as an App Home."""
    if not isinstance(view, dict):
        return [Problem("must provide an object", "/view")]
    if view.get("type") != kind:
        return [Problem(f"must be of type {kind}", "/view/type")]
    found: list[Problem] = []
    VIEWS[kind](view, "/view", found)
    if "blocks" in view:
        found += problems(kind, view["blocks"], "/view/blocks")
    if not found and kind == "modal" and not view.get("submit") and _has_input(view["blocks"]):
        found.append(Problem("missing required field: submit, since there is an input", "/view"))
    return found


def _repeated_ids(given: list[Json], at: str) -> Iterator[Problem]:
    """block_id is unique in a surface, action_id in a block."""
    blocks_seen: set[str] = set()
    for index, block in enumerate(given):
        block_id = block.get("block_id")
        if block_id and block_id in blocks_seen:
            yield Problem(f"block_id already exists: {block_id}", f"{at}/{index}/block_id")
        blocks_seen.add(block_id or "")
        actions_seen: set[str] = set()
        for _, element in elements.interactive([block]):
            action_id = element.get("action_id")
            if action_id and action_id in actions_seen:
                yield Problem(f"action_id already exists: {action_id}", f"{at}/{index}")
            actions_seen.add(action_id or "")


def _message_sums(given: list[Json], at: str) -> Iterator[Problem]:
    """Limits that count over all blocks of a message: markdown's characters, tables."""
    markdown = sum(units(block["text"]) for block in given if block["type"] == "markdown")
    if markdown > MARKDOWN_LIMIT:
        yield Problem(f"markdown blocks must be less than {MARKDOWN_LIMIT + 1} characters in all", at)
    tables = [block for block in given if block["type"] == "table"]
    if len(tables) > 1:
        yield Problem("only one table is allowed in a message", at)
    if any(_table_size(table) > TABLE_LIMIT for table in tables):
        yield Problem(f"a table must be less than {TABLE_LIMIT + 1} characters", at)


def _table_size(table: Json) -> int:
    return sum(_text_size(cell) for row in table["rows"] for cell in row)


def _text_size(value: Any) -> int:
    if isinstance(value, dict):
        own = units(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_text_size(part) for part in value.get("elements", ()))
    return 0


def _all_text(value: Any) -> int:
    total, parts = 0, [value]
    for part in parts:  # which grows meanwhile
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            for key, inner in part.items():
                if not isinstance(inner, str):
                    parts.append(inner)
                elif key == "text":
                    total += units(inner)
    return total


def _has_input(given: list[Json]) -> bool:
    return any(block["type"] == "input" for block in given)
