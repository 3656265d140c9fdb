"""What may be posted where, and what an update changes, with the real SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from emulator_client import FINANCE, Clock, client_of, post, refusal
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.emulator import Channel, Emulator

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


async def test_blocks_can_be_checked_without_posting(slack: Emulator, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.api_call("blocks.validate", json={"blocks": [{"type": "section"}]})

    assert caught.value.response["errors"][0]["pointer"] == "/blocks/0"
    assert (await client.api_call("blocks.validate", json={"blocks": [{"type": "divider"}]}))["ok"]
    assert slack.messages(FINANCE) == []


async def test_a_response_url_answers_to_one_person_five_times(slack: Emulator) -> None:
    url = slack.line.response_urls.issue(MAYA, FINANCE)
    async with aiohttp.ClientSession() as http:
        answers = []
        for number in range(6):
            async with http.post(url, json={"text": f"Answer {number}"}) as answer:
                answers.append(answer.status)

    assert answers == [200] * 5 + [404]
    assert len(slack.ephemerals(MAYA)) == 5
    assert slack.messages(FINANCE) == []


async def test_a_response_url_may_replace_or_delete_the_message_that_was_clicked(
    slack: Emulator, client: AsyncWebClient
) -> None:
    ts = await post(client)
    url = slack.line.response_urls.issue(MAYA, FINANCE, ts)
    async with aiohttp.ClientSession() as http:
        await (await http.post(url, json={"text": "Settled", "replace_original": True})).release()
        assert [message["text"] for message in slack.messages(FINANCE)] == ["Settled"]
        await (await http.post(url, json={"delete_original": True})).release()
    assert slack.messages(FINANCE) == []


async def test_blocks_that_are_too_long_together_are_refused(client: AsyncWebClient) -> None:
    long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}]
    runs = [{"type": "text", "text": f"{n}", "style": {"bold": True}} for n in range(500)]
    rich = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": runs}]}]

    assert await post(client, blocks=long * 4)
    assert await refusal(client.chat_postMessage(channel=FINANCE, text="x", blocks=long * 5)) == (
        "msg_blocks_too_long"
    )
    assert await refusal(client.chat_postMessage(channel=FINANCE, text="x", blocks=rich)) == (
        "msg_blocks_too_long"
    )


async def test_an_updates_text_is_counted_in_bytes(client: AsyncWebClient) -> None:
    ts = await post(client)

    await client.chat_update(channel=FINANCE, ts=ts, text="\u652f" * 1333)
    assert await refusal(client.chat_update(channel=FINANCE, ts=ts, text="\u652f" * 1334)) == "msg_too_long"


async def test_a_page_of_a_thousand_is_more_than_slack_gives(client: AsyncWebClient) -> None:
    assert (await client.conversations_list(limit=999))["channels"]
    assert await refusal(client.conversations_list(limit=1000)) == "invalid_limit"
    assert await refusal(client.conversations_members(channel=FINANCE, limit=1000)) == "invalid_limit"
