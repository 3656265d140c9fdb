"""Composition objects: texts, options, confirmations.

Limits: docs.slack.dev/reference/block-kit/composition-objects, @slack/types and slack_sdk.models.blocks.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bot.emulator.blockkit.checks import (
    Check,
    Problem,
    anything,
    array,
    boolean,
    exactly_one,
    one_of,
    record,
    string,
    typed,
)

TEXT_LIMIT = 3000


@cache
def plain(most: int = TEXT_LIMIT) -> Check:
    """A plain_text object of 1 to `most` characters."""
    return typed({"plain_text": _plain(most)}, "text type")


@cache
def text(most: int = TEXT_LIMIT) -> Check:
    """A plain_text or mrkdwn object of 1 to `most` characters."""
    mrkdwn = record({"type": anything, "text": string(most, 1)}, {"verbatim": boolean})
    return typed({"plain_text": _plain(most), "mrkdwn": mrkdwn}, "text type")


def _plain(most: int) -> Check:
    return record({"type": anything, "text": string(most, 1)}, {"emoji": boolean})


STYLE = one_of("primary", "danger")

confirm = record(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)}, {"style": STYLE}
)

slack_file = record({}, {"id": string(), "url": string(3000)}, exactly_one("id", "url"))

option = record({"text": plain(75), "value": string(150)}, {"description": plain(75)})
"""In selects."""

rich_option = record({"text": text(75), "value": string(150)}, {"description": text(75)})
"""In checkboxes and radio buttons."""

link_option = record(
    {"text": plain(75), "value": string(150)}, {"description": plain(75), "url": string(3000)}
)
"""In overflow menus."""

option_group = record({"label": plain(75), "options": array(option, 100)})

dispatch = record({}, {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)})

conversation_filter = record(
    {},
    {
        "include": array(one_of("im", "mpim", "private", "public"), 4),
        "exclude_bot_users": boolean,
        "exclude_external_shared_channels": boolean,
    },
)


def initial_among_options(value: Any, at: str, found: list[Problem]) -> None:
    """A rule: what is chosen at first is, exactly, among what is offered."""
    offered = list(value.get("options", ()))
    for group in value.get("option_groups", ()):
        offered += group["options"]
    chosen = list(value.get("initial_options", ()))
    if "initial_option" in value:
        chosen.append(value["initial_option"])
    if any(one not in offered for one in chosen):
        found.append(Problem("initial option is not among the options", at))
