"""What Slack refuses in blocks and views, we refuse, and cards that it takes pass."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.emulator.blockkit import problems, view_problems
from bot.emulator.blockkit.checks import units

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(action_id: str = "approve", **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain("Approve"), **more}


def actions(*elements: Json, **more: Any) -> Json:
    return {"type": "actions", "elements": list(elements), **more}


def entry(element: Json | None = None, **more: Any) -> Json:
    element = element or {"type": "plain_text_input", "action_id": "a"}
    return {"type": "input", "block_id": "b", "label": plain("Reason"), "element": element, **more}


def modal(*blocks: Json, **more: Any) -> Json:
    return {
        "type": "modal",
        "title": plain("Reject"),
        "submit": plain("Reject"),
        "blocks": list(blocks),
        **more,
    }


CARD = [
    {"type": "header", "text": plain("Pay Acme 12,400.00 USD")},
    section(fields=[mrkdwn("*Vendor*\nAcme"), mrkdwn("*Amount*\n1")], accessory=button("open", url="u")),
    {
        "type": "rich_text",
        "elements": [
            {"type": "rich_text_preformatted", "border": 0, "elements": [{"type": "text", "text": "{}"}]},
            {
                "type": "rich_text_list",
                "style": "bullet",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [{"type": "text", "text": "a", "style": {"bold": True}}],
                    }
                ],
            },
        ],
    },
    {"type": "divider"},
    actions(
        button("approve", style="primary", value="s1.x.1"),
        button("reject"),
        {
            "type": "overflow",
            "action_id": "more",
            "options": [{"text": plain("Respond"), "value": "respond"}],
        },
        block_id="ap:1",
    ),
    {"type": "context", "elements": [mrkdwn("Due <!date^1^{time}|soon>")]},
]


def test_a_whole_card_is_taken() -> None:
    assert problems("message", CARD) == []


def test_a_form_with_every_kind_of_input_is_taken() -> None:
    options = [{"text": plain("One"), "value": "1"}]
    inputs: list[Json] = [
        {
            "type": "plain_text_input",
            "action_id": "a",
            "multiline": True,
            "max_length": 3000,
            "initial_value": "x",
        },
        {
            "type": "number_input",
            "action_id": "a",
            "is_decimal_allowed": False,
            "min_value": "1",
            "max_value": "9",
        },
        {"type": "static_select", "action_id": "a", "options": options, "initial_option": options[0]},
        {"type": "multi_static_select", "action_id": "a", "options": options},
        {"type": "radio_buttons", "action_id": "a", "options": options},
        {"type": "checkboxes", "action_id": "a", "options": options, "initial_options": options},
        {"type": "datepicker", "action_id": "a", "initial_date": "2026-11-20"},
        {"type": "datetimepicker", "action_id": "a", "initial_date_time": 1795226482},
    ]
    view = modal(*[entry(element) | {"block_id": f"b{at}"} for at, element in enumerate(inputs)])

    assert view_problems(view, "modal") == []


MISSED_BY_OTHERS = {
    "51 blocks": ("message", [{"type": "divider"}] * 51, "no more than 50 items allowed"),
    "a field of 2001 characters": ("message", [section(fields=[mrkdwn("x" * 2001)])], "less than 2001"),
    "an empty text": ("message", [section("")], "must be more than 0 characters"),
    "a block_id twice": (
        "message",
        [section(block_id="b"), section(block_id="b")],
        "block_id already exists",
    ),
    "an action_id twice in a block": ("message", [actions(button(), button())], "action_id already exists"),
    "an alert in a message": ("message", [{"type": "alert", "text": plain("x")}], "unsupported block type"),
    "a table in a modal": (
        "modal",
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}],
        "unsupported",
    ),
    "markdown in a modal": ("modal", [{"type": "markdown", "text": "x"}], "unsupported block type"),
    "an input longer than 3000": (
        "modal",
        [entry({"type": "plain_text_input", "action_id": "a", "max_length": 3001})],
        "must be between 1 and 3000",
    ),
    "a mrkdwn header": (
        "message",
        [{"type": "header", "text": mrkdwn("x")}],
        "unsupported text type: mrkdwn",
    ),
    "a section without text": ("message", [{"type": "section"}], "must define text or fields"),
    "a button without text": (
        "message",
        [actions({"type": "button", "action_id": "a"})],
        "missing required field",
    ),
    "an unknown key": ("message", [section(colour="red")], "invalid additional property: colour"),
    "an unknown block": ("message", [{"type": "table_of_contents"}], "unsupported block type"),
    "an input among actions": (
        "message",
        [actions({"type": "plain_text_input", "action_id": "a"})],
        "unsupported",
    ),
    "no such style": ("message", [actions(button(style="default"))], "must be one of: primary, danger"),
    "two primary buttons": (
        "message",
        [actions(button("a", style="primary"), button("b", style="primary"))],
        "at most one button may be primary",
    ),
    "11 radio buttons": (
        "modal",
        [
            entry(
                {
                    "type": "radio_buttons",
                    "options": [{"text": plain("x"), "value": str(n)} for n in range(11)],
                }
            )
        ],
        "no more than 10 items allowed",
    ),
    "a number input that does not say whether decimals": (
        "modal",
        [entry({"type": "number_input"})],
        "missing",
    ),
    "a first option that is not offered": (
        "modal",
        [
            entry(
                {
                    "type": "static_select",
                    "options": [{"text": plain("x"), "value": "1"}],
                    "initial_option": {"text": plain("y"), "value": "2"},
                }
            )
        ],
        "not among the options",
    ),
    "12,001 characters of markdown in two blocks": (
        "message",
        [{"type": "markdown", "text": "x" * 6001}, {"type": "markdown", "text": "y" * 6000}],
        "less than 12001 characters in all",
    ),
    "two tables": (
        "message",
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2,
        "only one table",
    ),
    "blocks that are no list": ("message", {"type": "section"}, "must provide an array"),
    "a text that is no text": ("message", [{"type": "section", "text": "x"}], "must provide an object"),
}


@pytest.mark.parametrize("name", MISSED_BY_OTHERS)
def test_what_slack_refuses_is_refused_and_the_reason_says_what(name: str) -> None:
    surface, blocks, reason = MISSED_BY_OTHERS[name]

    found = problems(surface, blocks)  # type: ignore[arg-type]

    assert any(reason in str(problem) for problem in found), found


def test_a_reason_points_to_where_it_is() -> None:
    (problem,) = problems("message", [section(), section("x" * 3001)])

    assert str(problem) == "must be less than 3001 characters [json-pointer:/blocks/1/text/text]"


def test_several_primary_buttons_are_fine_on_an_app_home_where_each_item_has_its_own() -> None:
    blocks = [actions(button(style="primary")), actions(button(style="primary"))]

    assert problems("home", blocks) == []


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (modal(entry()) | {"submit": plain("x" * 25)}, "less than 25"),
        (modal(section(), title=plain("x" * 25)), "less than 25"),
        (modal(section(), private_metadata="x" * 3001), "less than 3001"),
        (modal(section(), callback_id="x" * 256), "less than 256"),
        ({"type": "modal", "title": plain("x"), "blocks": [entry()]}, "submit"),
        ({"type": "modal", "blocks": [section()]}, "title"),
        (modal(), "no fewer than 1"),
        (modal(*[{"type": "divider"}] * 101), "no more than 100"),
        ({"type": "home", "blocks": [section()]}, "must be of type modal"),
    ],
)
def test_a_modal_that_slack_refuses_is_refused(view: Json, reason: str) -> None:
    assert any(reason in str(problem) for problem in view_problems(view, "modal"))


def test_a_home_has_no_submit() -> None:
    view = {"type": "home", "blocks": [section()], "submit": plain("x")}

    assert any("submit" in str(problem) for problem in view_problems(view, "home"))


def test_lengths_are_counted_in_utf16_units_so_that_emoji_count_twice() -> None:
    assert units("👍") == 2
    assert problems("message", [section("👍" * 1500)]) == []
    assert problems("message", [section("👍" * 1501)])


KEYS = st.sampled_from(
    ["type", "text", "elements", "element", "label", "options", "initial_option", "accessory", "fields"]
)
KINDS = st.sampled_from(
    ["section", "actions", "input", "button", "static_select", "plain_text", "rich_text", "card"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_nonsense_is_judged_and_never_breaks_the_judge(nonsense: Any) -> None:
    assert isinstance(problems("message", [nonsense]), list)
    assert isinstance(
        view_problems({"type": "modal", "title": plain("x"), "blocks": [nonsense]}, "modal"), list
    )
