"""Elements: buttons, menus, pickers and inputs.

Limits: docs.slack.dev/reference/block-kit/block-elements, @slack/types and slack_sdk.models.blocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from bot.emulator.blockkit import objects
from bot.emulator.blockkit.checks import (
    Check,
    Problem,
    anything,
    array,
    boolean,
    exactly_one,
    integer,
    matching,
    record,
    string,
    units,
)
from bot.emulator.blockkit.objects import confirm, option, option_group, plain, rich_option

TYPED: Final[Mapping[str, Check]] = {"type": anything}
ACTION: Final[Mapping[str, Check]] = {"action_id": string(255, 1)}
TOUCHED: Final[Mapping[str, Check]] = {**ACTION, "confirm": confirm, "focus_on_load": boolean}
CHOSEN: Final[Mapping[str, Check]] = {**TOUCHED, "placeholder": plain(150)}
TYPED_IN: Final[Mapping[str, Check]] = {
    **ACTION,
    "focus_on_load": boolean,
    "placeholder": plain(150),
    "dispatch_action_config": objects.dispatch,
}
MANY: Final[Mapping[str, Check]] = {"max_selected_items": integer(1, 1_000_000)}
NUMBER = matching(re.compile(r"-?\d+(\.\d+)?").fullmatch, "a number, as a string")
IDS = array(string(255, 1), None, 0)
INPUT_LIMIT = 3000
LINES = integer(1, 10_000)


def element(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Check) -> Check:
    return record({**TYPED, **required}, optional, *rules)


def _lengths(value: Any, at: str, found: list[Problem]) -> None:
    """A rule: min_length, max_length and initial_value agree."""
    low, high = value.get("min_length", 0), value.get("max_length", INPUT_LIMIT)
    if low > high:
        found.append(Problem("min_length must not be greater than max_length", at))
    if units(value.get("initial_value", "")) > high:
        found.append(Problem(f"must be less than {high + 1} characters", f"{at}/initial_value"))


def _bounds(value: Any, at: str, found: list[Problem]) -> None:
    """A rule: min_value is not above max_value."""
    low, high = value.get("min_value"), value.get("max_value")
    if low is not None and high is not None and Decimal(low) > Decimal(high):
        found.append(Problem("min_value must not be greater than max_value", at))


def _static(initial: Mapping[str, Check]) -> Check:
    lists = {"options": array(option, 100), "option_groups": array(option_group, 100)}
    rules = (exactly_one("options", "option_groups"), objects.initial_among_options)
    return element({}, {**CHOSEN, **lists, **initial}, *rules)


BUTTONS: Final[Mapping[str, Check]] = {
    "button": element(
        {"text": plain(75)},
        {
            **ACTION,
            "url": string(3000),
            "value": string(2000),
            "style": objects.STYLE,
            "confirm": confirm,
            "accessibility_label": string(75),
            "agent_prompt": string(4000),
            "agent_prompt_display": anything,
            "visible_to_user_ids": IDS,
        },
    ),
    "workflow_button": element(
        {"text": plain(75), "workflow": anything},
        {**ACTION, "style": objects.STYLE, "accessibility_label": string(75)},
    ),
    "overflow": element({"options": array(objects.link_option, 5, 1)}, {**ACTION, "confirm": confirm}),
}

MENUS: Final[Mapping[str, Check]] = {
    "static_select": _static({"initial_option": option}),
    "multi_static_select": _static({**MANY, "initial_options": array(option, 100)}),
    "external_select": element(
        {}, {**CHOSEN, "initial_option": option, "min_query_length": integer(0, 1_000)}
    ),
    "multi_external_select": element(
        {}, {**CHOSEN, **MANY, "initial_options": array(option, 100), "min_query_length": integer(0, 1_000)}
    ),
    "users_select": element({}, {**CHOSEN, "initial_user": string()}),
    "multi_users_select": element({}, {**CHOSEN, **MANY, "initial_users": IDS}),
    "conversations_select": element(
        {},
        {
            **CHOSEN,
            "initial_conversation": string(),
            "default_to_current_conversation": boolean,
            "response_url_enabled": boolean,
            "filter": objects.conversation_filter,
        },
    ),
    "multi_conversations_select": element(
        {},
        {
            **CHOSEN,
            **MANY,
            "initial_conversations": IDS,
            "default_to_current_conversation": boolean,
            "filter": objects.conversation_filter,
        },
    ),
    "channels_select": element({}, {**CHOSEN, "initial_channel": string(), "response_url_enabled": boolean}),
    "multi_channels_select": element({}, {**CHOSEN, **MANY, "initial_channels": IDS}),
}

PICKERS: Final[Mapping[str, Check]] = {
    "checkboxes": element(
        {"options": array(rich_option, 10)},
        {**TOUCHED, "initial_options": array(rich_option, 10)},
        objects.initial_among_options,
    ),
    "radio_buttons": element(
        {"options": array(rich_option, 10)},
        {**TOUCHED, "initial_option": rich_option},
        objects.initial_among_options,
    ),
    "datepicker": element(
        {}, {**CHOSEN, "initial_date": matching(re.compile(r"\d{4}-[01]\d-[0-3]\d").fullmatch, "YYYY-MM-DD")}
    ),
    "timepicker": element(
        {},
        {
            **CHOSEN,
            "initial_time": matching(re.compile(r"([01]\d|2[0-3]):[0-5]\d").fullmatch, "HH:mm"),
            "timezone": string(),
        },
    ),
    "datetimepicker": element({}, {**TOUCHED, "initial_date_time": integer(0, 9_999_999_999)}),
}

TEXTS: Final[Mapping[str, Check]] = {
    "plain_text_input": element(
        {},
        {
            **TYPED_IN,
            "initial_value": string(INPUT_LIMIT),
            "multiline": boolean,
            "min_length": integer(0, INPUT_LIMIT),
            "max_length": integer(1, INPUT_LIMIT),
        },
        _lengths,
    ),
    "email_text_input": element({}, {**TYPED_IN, "initial_value": string()}),
    "url_text_input": element({}, {**TYPED_IN, "initial_value": string()}),
    "number_input": element(
        {"is_decimal_allowed": boolean},
        {**TYPED_IN, "initial_value": NUMBER, "min_value": NUMBER, "max_value": NUMBER},
        _bounds,
    ),
    "rich_text_input": element(
        {},
        {
            **TYPED_IN,
            "initial_value": anything,
            "max_lines": LINES,
            "min_lines": LINES,
        },
    ),
    "file_input": element({}, {**ACTION, "filetypes": array(string(), None, 1), "max_files": integer(1, 10)}),
}

IMAGE: Final = element(
    {"alt_text": string(2000, 1)},
    {"image_url": string(3000, 1), "slack_file": objects.slack_file},
    exactly_one("image_url", "slack_file"),
)

FEEDBACK = record({"text": plain(75), "value": string(2000)}, {"accessibility_label": string(75)})

CONTEXT_ACTIONS: Final[Mapping[str, Check]] = {
    "feedback_buttons": element({"positive_button": FEEDBACK, "negative_button": FEEDBACK}, ACTION),
    "icon_button": element(
        {"icon": string(255, 1), "text": plain(75)},
        {
            **ACTION,
            "value": string(2000),
            "confirm": confirm,
            "accessibility_label": string(75),
            "visible_to_user_ids": IDS,
        },
    ),
}

IN_ACTIONS: Final = {**BUTTONS, **MENUS, **PICKERS, "rich_text_input": TEXTS["rich_text_input"]}
IN_SECTION: Final = {**BUTTONS, **MENUS, **PICKERS, "image": IMAGE}
IN_INPUT: Final = {**MENUS, **PICKERS, **TEXTS}
IN_CONTEXT: Final = {"image": IMAGE, "plain_text": plain(), "mrkdwn": objects.text()}
