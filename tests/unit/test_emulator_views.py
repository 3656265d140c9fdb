"""Triggers, modals and App Homes, with the real SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from emulator_client import Clock, client_of, refusal
from slack_sdk.web.async_client import AsyncWebClient

from bot.emulator import Emulator

MAYA, ROSA, OTTO = "U01MAYA", "U05ROSA", "U07OTTO"
METADATA = {"event_type": "approval", "event_payload": {"id": "7"}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[Emulator]:
    async with Emulator(clock=clock, rate_limits=False) as emulator:
        yield emulator


@pytest.fixture
def client(slack: Emulator) -> AsyncWebClient:
    return client_of(slack)


def modal(title: str = "Reject", **more: Any) -> dict[str, Any]:
    text = {"type": "plain_text", "text": title}
    return {"type": "modal", "title": text, "blocks": [{"type": "divider"}], **more}


async def test_a_trigger_opens_one_modal_within_three_seconds(
    slack: Emulator, client: AsyncWebClient, clock: Clock
) -> None:
    spent, stale = (slack.state.screens.issue(MAYA, slack.state.now()) for _ in range(2))

    await client.views_open(trigger_id=spent, view=modal())
    assert await refusal(client.views_open(trigger_id=spent, view=modal())) == "exchanged_trigger_id"
    clock.forward(3.1)
    assert await refusal(client.views_open(trigger_id=stale, view=modal())) == "expired_trigger_id"
    assert await refusal(client.views_open(trigger_id="1.2.3", view=modal())) == "invalid_trigger_id"
    assert [view["title"]["text"] for view in slack.views(MAYA)] == ["Reject"]


async def test_a_stack_holds_three_modals(slack: Emulator, client: AsyncWebClient) -> None:
    trigger = slack.state.screens.issue(MAYA, slack.state.now())
    root = (await client.views_open(trigger_id=trigger, view=modal("1")))["view"]["id"]
    for title in "23":
        trigger = slack.state.screens.issue(MAYA, slack.state.now(), in_modal=True)
        pushed = (await client.views_push(trigger_id=trigger, view=modal(title)))["view"]
    trigger = slack.state.screens.issue(MAYA, slack.state.now(), in_modal=True)

    assert await refusal(client.views_push(trigger_id=trigger, view=modal("4"))) == "push_limit_reached"
    assert pushed["root_view_id"] == root
    await slack.close(MAYA, pushed)
    assert [view["title"]["text"] for view in slack.views(MAYA)] == ["1", "2"]


async def test_an_update_with_an_old_hash_conflicts(slack: Emulator, client: AsyncWebClient) -> None:
    trigger = slack.state.screens.issue(MAYA, slack.state.now())
    view = (await client.views_open(trigger_id=trigger, view=modal()))["view"]
    await client.views_update(view_id=view["id"], hash=view["hash"], view=modal("Mine"))

    late = client.views_update(view_id=view["id"], hash=view["hash"], view=modal("Theirs"))

    assert await refusal(late) == "hash_conflict"
    assert slack.views(MAYA)[0]["title"]["text"] == "Mine"
    assert await refusal(client.views_update(view_id="V0", view=modal())) == "not_found"


async def test_a_malformed_view_is_refused_and_its_trigger_is_not_spent(
    slack: Emulator, client: AsyncWebClient
) -> None:
    trigger = slack.state.screens.issue(MAYA, slack.state.now())

    assert await refusal(client.views_open(trigger_id=trigger, view=modal("x" * 25))) == "invalid_arguments"
    assert (await client.views_open(trigger_id=trigger, view=modal()))["ok"]


async def test_a_home_is_published_to_one_person(slack: Emulator, client: AsyncWebClient) -> None:
    await client.views_publish(user_id=MAYA, view={"type": "home", "blocks": [{"type": "divider"}]})

    assert slack.home(MAYA) is not None
    assert slack.home(ROSA) is None
