"""What every dialect asks can be drawn: a card and, where it can be edited, a modal that Slack takes."""

from __future__ import annotations

import json

import pytest
from slack_rows import GROUPS, NOW, approval, judge, judge_view, thread
from slack_rows import read as words_of

from bot.approvals.dialects import breakpoint_request, read
from bot.slack.card import CardView, card
from bot.slack.modals import edit_modal
from bot.slack.token import Token

HOSTILE = "<!channel> <@U0EVE0001> ``` *x* <https://evil.example|click>\n" * 40


def batch(calls: int) -> dict:
    args = {HOSTILE[:120]: HOSTILE, "deep": {"a": [{"b": HOSTILE}]}, "n": 1e300, "": None}
    return {
        "action_requests": [
            {"name": f"tool-{n} <!here>", "args": args, "description": HOSTILE} for n in range(calls)
        ],
        "review_configs": [
            {
                "action_name": f"tool-{n} <!here>",
                "allowed_decisions": ["approve", "edit", "reject", "respond"],
            }
            for n in range(calls)
        ],
    }


ASKS = {
    "batched": read(batch(1)).request,
    "several": read(batch(3)).request,
    "fifty": read(batch(50)).request,
    "inbox": read(
        {"action_request": {"action": HOSTILE[:190], "args": {"a": HOSTILE}}, "config": {"allow_edit": True}}
    ).request,
    "schema": read(
        {"question": HOSTILE},
        {"type": "object", "properties": {HOSTILE: {"type": "string", "title": HOSTILE, "default": HOSTILE}}},
    ).request,
    "choice": read("Which?", {"enum": [f"{n} {HOSTILE}" for n in range(100)]}).request,
    "plain": read({HOSTILE: HOSTILE, "title": HOSTILE}).request,
    "raw": read({1: HOSTILE, "x": {HOSTILE}}).request,
    "breakpoint": breakpoint_request(HOSTILE, "before", {HOSTILE: HOSTILE}),
}


@pytest.mark.parametrize("name", ASKS)
def test_slack_takes_its_card_and_nobody_is_mentioned(name: str) -> None:
    shown = approval(ASKS[name])
    drawn = card(
        CardView(approval=shown, thread=thread(), now=NOW, message_id="card:a1", version=1, groups=GROUPS)
    )

    judge(drawn.blocks)
    parsed = [b for b in drawn.blocks if b["type"] == "section"]
    assert "<!channel>" not in json.dumps(parsed)
    assert "<!here>" not in json.dumps(parsed)
    assert words_of(drawn.blocks)


@pytest.mark.parametrize("name", [name for name, request in ASKS.items() if "edit" in request.allow])
def test_slack_takes_its_modal(name: str) -> None:
    judge_view(edit_modal(Token("a1", 1), approval(ASKS[name])))
