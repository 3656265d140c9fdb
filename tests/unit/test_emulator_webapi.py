"""Who may call the Web API and what can be read through it, with the real SDK."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import aiohttp
import pytest
from emulator_client import FINANCE, Clock, client_of, post, refusal
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.emulator import Emulator, demo_workspace

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


async def test_auth_test_says_who_the_bot_is_and_what_it_may(client: AsyncWebClient) -> None:
    answer = await client.auth_test()

    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == ("U00SIGNOFF", "B00SIGNOFF", "T00DEMO")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


async def test_a_missing_a_foreign_and_a_wrong_kind_of_token_are_refused(
    slack: Emulator,
) -> None:
    async with aiohttp.ClientSession() as http, http.post(f"{slack.api_url}auth.test") as answer:
        assert (await answer.json())["error"] == "not_authed"
    assert await refusal(client_of(slack, "xoxb-other").auth_test()) == "invalid_auth"
    assert await refusal(client_of(slack, "xapp-emulator").auth_test()) == "not_allowed_token_type"


@pytest.mark.parametrize("how", ["query", "form", "json"])
async def test_arguments_may_come_as_a_query_a_form_or_json(slack: Emulator, how: str) -> None:
    args = {"channel": FINANCE, "text": "Hello", "token": "xoxb-emulator"}
    url = f"{slack.api_url}chat.postMessage"
    async with aiohttp.ClientSession() as http:
        request = {
            "query": lambda: http.get(url, params=args),
            "form": lambda: http.post(url, data=args),
            "json": lambda: http.post(url, json=args),
        }[how]()
        async with request as answer:
            assert (await answer.json())["ok"] is True
    assert [message["text"] for message in slack.messages(FINANCE)] == ["Hello"]


async def test_a_method_that_slack_does_not_have_is_unknown(client: AsyncWebClient) -> None:
    assert await refusal(client.api_call("chat.shout")) == "unknown_method"


async def test_history_without_its_scope_says_what_is_needed() -> None:
    scopes = demo_workspace().bot_scopes - {"channels:history"}
    workspace = dataclasses.replace(demo_workspace(), bot_scopes=scopes)
    async with Emulator(workspace, rate_limits=False) as slack:
        with pytest.raises(SlackApiError) as caught:
            await client_of(slack).conversations_history(channel=FINANCE)

    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "channels:history"
    assert "channels:history" not in caught.value.response["provided"]


async def test_metadata_is_kept_and_shown_only_where_asked_for(client: AsyncWebClient) -> None:
    ts = await post(client, metadata=METADATA)

    plain = await client.conversations_history(channel=FINANCE)
    asked = await client.conversations_history(
        channel=FINANCE, include_all_metadata=True, oldest=ts, inclusive=True
    )

    assert "metadata" not in plain["messages"][0]
    assert asked["messages"][0]["metadata"] == METADATA


async def test_malformed_metadata_is_refused(client: AsyncWebClient) -> None:
    call = client.chat_postMessage(channel=FINANCE, text="x", metadata={"event_type": "a"})

    assert await refusal(call) == "invalid_metadata_format"


async def test_history_pages_newest_first_and_leaves_replies_to_their_thread(client: AsyncWebClient) -> None:
    first = await post(client, text="1")
    await post(client, text="reply", thread_ts=first)
    for text in "23":
        await post(client, text=text)

    page = await client.conversations_history(channel=FINANCE, limit=2)
    cursor = page["response_metadata"]["next_cursor"]
    rest = await client.conversations_history(channel=FINANCE, limit=2, cursor=cursor)
    thread = await client.conversations_replies(channel=FINANCE, ts=first)

    assert [message["text"] for message in page["messages"]] == ["3", "2"]
    assert [message["text"] for message in rest["messages"]] == ["1"]
    assert rest["messages"][0]["reply_count"] == 1
    assert [message["text"] for message in thread["messages"]] == ["1", "reply"]


async def test_people_and_groups_are_as_the_demo_has_them(client: AsyncWebClient) -> None:
    gwen = (await client.users_info(user="U08GWEN"))["user"]
    xeno = (await client.users_info(user="U11XENO"))["user"]
    lena = (await client.users_info(user="U10LEFT"))["user"]
    managers = await client.usergroups_users_list(usergroup="S01FINMGR")
    groups = await client.usergroups_list(include_users=True)

    assert gwen["is_restricted"]
    assert (xeno["is_stranger"], xeno["team_id"]) == (True, "T99OTHER")
    assert lena["deleted"]
    assert managers["users"] == ["U01MAYA", "U02FINN"]
    assert {group["handle"]: len(group["users"]) for group in groups["usergroups"]}["nobody"] == 0
    assert await refusal(client.users_info(user="U99")) == "user_not_found"
    assert await refusal(client.usergroups_users_list(usergroup="S99")) == "no_such_subteam"
