"""What Slack sends in rarer circumstances is let through; what its senders call things is not repeated."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.payloads import misshapen

USER = {"id": "U1", "team_id": "T1"}
ACTION = {"type": "button", "action_id": "a", "block_id": "b", "value": "x"}
CONTAINER = {"type": "message", "message_ts": "1.2", "channel_id": "C1", "is_ephemeral": True}
CLICK = {"type": "block_actions", "user": USER, "team": {"id": "T1"}, "actions": [ACTION]}
CHOICE = {"value": "1", "text": {"type": "plain_text", "text": "One"}}
MODAL: dict[str, Any] = {
    "id": "V1",
    "type": "modal",
    "callback_id": "",
    "root_view_id": "V1",
    "blocks": [
        {"type": "markdown", "block_id": "m", "text": "*words*"},
        {"type": "divider", "block_id": "d"},
        {"type": "header", "block_id": "h", "text": {"type": "plain_text", "text": "Lines"}},
        {"type": "input", "block_id": "i", "label": {"type": "plain_text", "text": "Amount"}},
    ],
    "state": {
        "values": {
            "i": {"a": {"type": "plain_text_input", "value": "half a character: \ud83d"}},
            "j": {"a": {"type": "plain_text_input", "value": None}},
            "k": {"a": {"type": "static_select", "selected_option": CHOICE}},
            "l": {"a": {"type": "checkboxes", "selected_options": []}},
            "m": {"a": {"type": "datetimepicker", "selected_date_time": 1_800_000_000}},
            "n": {"a": {"type": "rich_text_input", "rich_text_value": {"type": "rich_text"}}},
        }
    },
}

SENT = {
    "a click where a whole organization has the app": CLICK | {"team": None, "container": CONTAINER},
    "a click on what only one person sees": CLICK | {"container": CONTAINER, "channel": {"id": "C1"}},
    "a click in the App Home": CLICK | {"view": {"id": "V1", "type": "home", "blocks": []}},
    "a click in a modal": CLICK | {"view": MODAL, "container": {"type": "view", "view_id": "V1"}},
    "a click in a modal without inputs": CLICK | {"view": MODAL | {"state": {"values": []}}},
    "a choice from a menu": CLICK
    | {"channel": {"id": "C1"}, "actions": [ACTION | {"value": None, "selected_option": CHOICE}]},
    "a submission": {"type": "view_submission", "user": USER, "team": {"id": "T1"}, "view": MODAL},
    "a closed modal": {"type": "view_closed", "user": USER, "team": {"id": "T1"}, "view": {"id": "V1"}},
    "a person who changed": {
        "type": "event_callback",
        "event": {"type": "user_change", "user": {"id": "U1"}},
    },
    "a command without words": {"command": "/approvals", "text": "", "user_id": "U1", "team_id": "T1"},
    "a warning of too many events": {"type": "app_rate_limited", "minute_rate_limited": 1},
    "a look at the certificate": {"ssl_check": "1", "token": "x"},
}


@pytest.mark.parametrize("name", SENT)
def test_what_slack_sends_is_let_through(name: str) -> None:
    assert misshapen(SENT[name]) is None


@pytest.mark.parametrize(
    "filled", [5, {"value": 5}, {"selected_option": {"value": "1"}}, {"selected_options": [5]}]
)
def test_a_form_is_read_no_further_than_to_its_values_when_it_is_refused(filled: Any) -> None:
    view = MODAL | {"state": {"values": {"a-secret": {"another": filled}}}}
    refused = misshapen({"type": "view_submission", "user": USER, "view": view})
    assert refused == "The payload's view.state is not what Slack sends there."
