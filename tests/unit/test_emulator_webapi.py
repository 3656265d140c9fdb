"""The Web API through the real SDK: what Slack answers, refuses, hides and counts."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.emulator import Channel, Emulator, demo_workspace

MAYA, ROSA, OTTO = "U01MAYA", "U05ROSA", "U07OTTO"
FINANCE = "C01FINANCE"
METADATA = {"event_type": "approval", "event_payload": {"id": "7"}}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


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


def client_of(slack: Emulator, token: str = "xoxb-emulator") -> AsyncWebClient:
    return AsyncWebClient(token, base_url=slack.api_url, retry_handlers=[])


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def post(client: AsyncWebClient, **more: Any) -> str:
    posted = await client.chat_postMessage(**{"channel": FINANCE, "text": "Hello", **more})
    return str(posted["ts"])


# Tokens, scopes, shapes


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


# Posting and updating


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C99NOWHERE", "channel_not_found"),
        ("#nowhere", "channel_not_found"),
        ("C06SECRET", "not_in_channel"),
        ("C07OLD", "is_archived"),
        ("U10LEFT", "channel_not_found"),
        ("U09BOTT", "cannot_dm_bot"),
    ],
)
async def test_a_message_to_where_the_bot_may_not_post_is_refused(
    client: AsyncWebClient, channel: str, error: str
) -> None:
    assert await refusal(client.chat_postMessage(channel=channel, text="Hello")) == error


async def test_a_private_channel_without_the_bot_looks_as_if_it_were_not_there(
    slack: Emulator, client: AsyncWebClient
) -> None:
    slack.state.set_channel(Channel("C08PRIVATE", "private", frozenset({MAYA}), is_private=True))

    assert await refusal(client.chat_postMessage(channel="C08PRIVATE", text="Hello")) == "channel_not_found"


async def test_a_channel_may_be_named_and_a_person_gets_a_direct_message(
    slack: Emulator, client: AsyncWebClient
) -> None:
    by_name = await client.chat_postMessage(channel="#finance-approvals", text="Hello")
    direct = await client.chat_postMessage(channel=MAYA, text="Hello, you")
    opened = await client.conversations_open(users=MAYA)

    assert by_name["channel"] == FINANCE
    assert direct["channel"] == opened["channel"]["id"] == "D01MAYA"
    assert [message["text"] for message in slack.messages(MAYA)] == ["Hello, you"]


async def test_an_update_wants_the_id_of_the_direct_message_not_of_the_person(client: AsyncWebClient) -> None:
    ts = await post(client, channel=MAYA)

    assert await refusal(client.chat_update(channel=MAYA, ts=ts, text="x")) == "channel_not_found"
    assert (await client.chat_update(channel="D01MAYA", ts=ts, text="x"))["ok"]


async def test_text_without_blocks_takes_the_blocks_away_and_metadata_stays(
    slack: Emulator, client: AsyncWebClient
) -> None:
    ts = await post(client, blocks=[{"type": "divider"}], metadata=METADATA)

    await client.chat_update(channel=FINANCE, ts=ts, text="Settled")

    (message,) = slack.messages(FINANCE)
    assert "blocks" not in message
    assert message["metadata"] == METADATA
    assert message["edited"]["user"] == "U00SIGNOFF"


async def test_an_update_of_what_is_gone_or_anothers_is_refused(
    slack: Emulator, client: AsyncWebClient
) -> None:
    gone = await post(client)
    slack.delete_message(FINANCE, gone)
    theirs = (await slack.say(MAYA, FINANCE, "Mine"))["ts"]

    assert await refusal(client.chat_update(channel=FINANCE, ts=gone, text="x")) == "message_not_found"
    assert await refusal(client.chat_update(channel=FINANCE, ts=theirs, text="x")) == "cant_update_message"


async def test_a_deleted_card_with_replies_leaves_a_tombstone_that_cannot_be_updated(
    slack: Emulator, client: AsyncWebClient
) -> None:
    ts = await post(client)
    await post(client, thread_ts=ts, text="Reply")
    slack.delete_message(FINANCE, ts)

    assert slack.messages(FINANCE)[0]["subtype"] == "tombstone"
    assert await refusal(client.chat_update(channel=FINANCE, ts=ts, text="x")) == "message_not_found"


async def test_texts_that_are_missing_or_too_long_are_refused(client: AsyncWebClient) -> None:
    ts = await post(client)
    silent = client.api_call("chat.postMessage", json={"channel": FINANCE, "blocks": [{"type": "divider"}]})

    assert await refusal(client.chat_update(channel=FINANCE, ts=ts, text="x" * 4001)) == "msg_too_long"
    assert await refusal(client.chat_postMessage(channel=FINANCE, text="x" * 40001)) == "msg_too_long"
    assert await refusal(silent) == "no_text"


async def test_refused_blocks_come_with_reasons_and_pointers(client: AsyncWebClient) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=FINANCE, text="x", blocks=blocks)

    assert caught.value.response["error"] == "invalid_blocks"
    assert caught.value.response["response_metadata"]["messages"] == [
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]


async def test_an_ephemeral_is_seen_by_one_person_who_must_be_in_the_channel(
    slack: Emulator, client: AsyncWebClient
) -> None:
    await client.chat_postEphemeral(channel=FINANCE, user=OTTO, text="Only Maya may")

    assert [message["text"] for message in slack.ephemerals(OTTO)] == ["Only Maya may"]
    assert slack.messages(FINANCE) == slack.ephemerals(MAYA) == []
    outsider = client.chat_postEphemeral(channel=FINANCE, user="U04OKEY", text="x")
    assert await refusal(outsider) == "user_not_in_channel"


# Reading back


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


# Triggers and views


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


# Rates and faults


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


# Restarts


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
