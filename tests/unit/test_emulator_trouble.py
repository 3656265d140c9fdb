"""Rates, injected faults and restarts, with the real SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from emulator_client import FINANCE, Clock, client_of, post, refusal
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
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


async def test_a_channel_takes_about_a_message_a_second_and_says_when_to_come_back(clock: Clock) -> None:
    async with Emulator(clock=clock) as slack:
        client = client_of(slack)
        for _ in range(3):
            await post(client)
        with pytest.raises(SlackApiError) as caught:
            await post(client)
        await post(client, channel="C05GENERAL")
        clock.forward(1)
        await post(client)

    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    assert caught.value.response["error"] == "ratelimited"


async def test_tier_two_methods_run_out_after_twenty_a_minute(clock: Clock) -> None:
    async with Emulator(clock=clock) as slack:
        client = client_of(slack)
        for _ in range(20):
            await client.usergroups_list()
        assert await refusal(client.usergroups_list()) == "ratelimited"


async def test_an_injected_429_is_waited_out_by_the_sdk(slack: Emulator) -> None:
    slack.fault("chat.postMessage", "ratelimited", retry_after=0)
    client = client_of(slack)
    client.retry_handlers = [AsyncRateLimitErrorRetryHandler(max_retry_count=1)]

    await post(client)

    assert [call.outcome for call in slack.calls] == ["ratelimited", "ok"]


async def test_an_injected_500_has_no_effect(slack: Emulator, client: AsyncWebClient) -> None:
    slack.fault("chat.postMessage", "server_error")

    with pytest.raises(SlackApiError):
        await post(client)
    assert slack.messages(FINANCE) == []


@pytest.mark.parametrize(("kind", "posted"), [("dropped", 0), ("posted_but_dropped", 1)])
async def test_a_dropped_connection_hides_whether_the_message_was_posted(
    slack: Emulator, client: AsyncWebClient, kind: Any, posted: int
) -> None:
    slack.fault("chat.postMessage", kind)

    with pytest.raises(aiohttp.ClientError):
        await post(client)
    assert len(slack.messages(FINANCE)) == posted


async def test_when_slack_is_down_every_call_fails(slack: Emulator, client: AsyncWebClient) -> None:
    slack.faults.down = True
    with pytest.raises(aiohttp.ClientError):
        await client.auth_test()
    slack.faults.down = False

    assert (await client.auth_test())["ok"]


async def test_messages_homes_and_direct_messages_survive_a_process_that_just_ends(tmp_path: Path) -> None:
    path = tmp_path / "slack.db"
    before = Emulator(path=path, rate_limits=False)
    await before.start()
    client = client_of(before)
    ts = await post(client, metadata=METADATA)
    await post(client, thread_ts=ts, text="Reply")
    await post(client, channel=MAYA, text="Direct")
    await client.chat_update(channel=FINANCE, ts=ts, text="Settled")
    await client.views_publish(user_id=MAYA, view={"type": "home", "blocks": [{"type": "divider"}]})

    async with Emulator(path=path, rate_limits=False) as after:
        assert [message["text"] for message in after.messages(FINANCE)] == ["Settled", "Reply"]
        assert after.messages(FINANCE)[0]["metadata"] == METADATA
        assert [message["text"] for message in after.messages(MAYA)] == ["Direct"]
        assert after.home(MAYA) is not None
        assert await post(client_of(after)) > ts
    await before.stop()
