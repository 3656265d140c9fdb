"""The page's interface: what it shows, what it does, and who may not use it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.emulator import Emulator, serve
from bot.emulator.door import is_local

MAYA, OTTO, OKEY = "U01MAYA", "U07OTTO", "U04OKEY"
FINANCE = "C01FINANCE"
BUTTON = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
BLOCKS = [{"type": "actions", "block_id": "b", "elements": [BUTTON]}]


class Clockwork:
    """A panel that remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def state(self) -> dict[str, Any]:
        return {"now": "2026-11-20T09:00:00Z", "note": "Friday", "actions": [{"id": "hour", "label": "+1 h"}]}

    async def act(self, action: str) -> dict[str, Any]:
        self.asked.append(action)
        return {"moved": action}


@pytest.fixture
def panel() -> Clockwork:
    return Clockwork()


@pytest.fixture
async def slack(panel: Clockwork) -> AsyncIterator[Emulator]:
    async with Emulator(rate_limits=False, panel=panel) as emulator:
        yield emulator


@pytest.fixture
async def http(slack: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(slack.url) as session:
        yield session


@pytest.fixture
def client(slack: Emulator) -> AsyncWebClient:
    return AsyncWebClient("xoxb-emulator", base_url=slack.api_url)


async def read(http: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with http.get(f"/_emulator/{path}") as answer:
        return dict(await answer.json())


async def act(http: aiohttp.ClientSession, path: str, **body: Any) -> dict[str, Any]:
    async with http.post(f"/_emulator/{path}", json=body) as answer:
        return dict(await answer.json())


async def test_a_person_sees_their_channels_and_what_was_whispered_to_them(
    http: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    metadata = {"event_type": "x", "event_payload": {}}
    await client.chat_postMessage(channel=FINANCE, text="For all", metadata=metadata)
    await client.chat_postEphemeral(channel=FINANCE, user=OTTO, text="For Otto")

    otto, maya, okey = [await read(http, f"state?user={user}") for user in (OTTO, MAYA, OKEY)]

    assert [message["text"] for message in otto["messages"][FINANCE]] == ["For all", "For Otto"]
    assert [message["text"] for message in maya["messages"][FINANCE]] == ["For all"]
    assert "metadata" not in maya["messages"][FINANCE][0]
    assert FINANCE not in okey["messages"]
    latest = await read(http, f"state?user={OTTO}&most=0")
    assert [one["earlier"] for one in latest["channels"] if one["id"] == FINANCE] == [1]
    assert otto["panel"]["note"] == "Friday"


async def test_what_was_read_is_no_longer_unread(http: aiohttp.ClientSession, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel=FINANCE, text="News")

    async def unread() -> int:
        state = await read(http, f"state?user={MAYA}")
        return next(int(one["unread"]) for one in state["channels"] if one["id"] == FINANCE)

    assert await unread() == 1
    await act(http, "read", user=MAYA, channel=FINANCE)
    assert await unread() == 0


async def test_a_click_that_no_app_hears_says_so(http: aiohttp.ClientSession, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=FINANCE, text="x", blocks=BLOCKS))["ts"]

    answer = await act(http, "click", user=MAYA, channel=FINANCE, ts=ts, block_id="b", action_id="go")

    assert answer == {"ok": False, "acked": False, "status": None, "error": "no_app", "detail": ""}


@pytest.mark.parametrize(
    ("user", "action_id", "reason"),
    [(MAYA, "stop", "there is: go"), (OKEY, "go", "is not in"), ("U10LEFT", "go", "deactivated")],
)
async def test_what_a_person_could_not_click_is_not_sent(
    http: aiohttp.ClientSession, client: AsyncWebClient, user: str, action_id: str, reason: str
) -> None:
    ts = (await client.chat_postMessage(channel=FINANCE, text="x", blocks=BLOCKS))["ts"]

    answer = await act(http, "click", user=user, channel=FINANCE, ts=ts, action_id=action_id)

    assert answer["ok"] is False
    assert reason in answer["error"]


async def test_a_person_can_reply_and_delete(http: aiohttp.ClientSession, slack: Emulator) -> None:
    first = await act(http, "message", user=MAYA, channel=FINANCE, text="A question")
    await act(http, "message", user=OTTO, channel=FINANCE, text="An answer", thread_ts=first["ts"])
    reply = slack.messages(FINANCE)[1]
    await act(http, "delete", user=OTTO, channel=FINANCE, ts=reply["ts"])

    assert reply["thread_ts"] == first["ts"]
    assert [message["text"] for message in slack.messages(FINANCE)] == ["A question"]


async def test_faults_are_injected_from_outside(http: aiohttp.ClientSession, slack: Emulator) -> None:
    await act(http, "faults", method="auth.test", kind="server_error", times=1)
    await act(http, "faults", drop_acks=2)
    refused = await act(http, "faults", method="auth.test", kind="earthquake")

    assert slack.faults.take("auth.test") is not None
    assert slack.faults.take("auth.test") is None
    assert slack.faults.lost_acks == 2
    assert refused["ok"] is False


async def test_the_panel_is_asked_and_the_page_is_told(
    http: aiohttp.ClientSession, slack: Emulator, panel: Clockwork
) -> None:
    version = slack.state.version

    assert await act(http, "panel", action="hour") == {"ok": True, "moved": "hour"}
    assert panel.asked == ["hour"]
    assert slack.state.version > version


async def test_every_change_is_an_event_in_the_stream(
    http: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    async with http.get("/_emulator/events") as stream:
        versions = []
        for text in ("one", "two"):
            assert await stream.content.readline() == b"event: change\n"
            versions.append(int((await stream.content.readline()).removeprefix(b"data: ")))
            await stream.content.readline()
            await client.chat_postMessage(channel=FINANCE, text=text)

    assert versions[0] < versions[1]


async def test_the_calls_are_listed_without_tokens(
    http: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel=FINANCE, text="x")

    listed = (await read(http, "calls"))["calls"]

    assert [(call["method"], call["outcome"]) for call in listed] == [("chat.postMessage", "ok")]
    assert "xoxb" not in json.dumps(listed)


@pytest.mark.parametrize("path", ["/_emulator/click", "/api/chat.postMessage"])
async def test_a_page_elsewhere_cannot_click_or_post(http: aiohttp.ClientSession, path: str) -> None:
    body = {"user": MAYA, "token": "xoxb-emulator", "channel": FINANCE, "text": "x"}
    async with http.post(path, json=body, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
    async with http.post(path, json=body, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin"])
async def test_no_page_calls_the_web_api_not_even_by_an_image_s_address(
    slack: Emulator, http: aiohttp.ClientSession, site: str
) -> None:
    call = {"token": "xoxb-emulator", "channel": FINANCE, "text": "forged"}
    async with http.get("/api/chat.postMessage", params=call, headers={"Sec-Fetch-Site": site}) as answer:
        assert answer.status == 403

    assert not slack.state.conversation(FINANCE).messages


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", []),
        ("command", []),
        ("message", {"user": MAYA, "channel": FINANCE, "text": 5}),
        ("home", "[" * 100_000),
    ],
)
async def test_what_is_malformed_is_said_to_be(http: aiohttp.ClientSession, path: str, body: object) -> None:
    sent = body if isinstance(body, str) else json.dumps(body)
    async with http.post(
        f"/_emulator/{path}", data=sent, headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 400
        assert "malformed" in (await answer.json())["error"]


async def test_an_address_that_names_nothing_is_no_fault(http: aiohttp.ClientSession) -> None:
    async with http.get("/js/%00") as answer:
        assert answer.status == 404
    async with http.get("/", headers={"Host": "["}) as answer:
        assert answer.status == 403
    assert await read(http, "calls?limit=all") == {"ok": True, "calls": []}


def test_only_this_machines_names_and_the_own_origin_are_local() -> None:
    assert is_local("127.0.0.1:8765", None)
    assert is_local("localhost:8765", "http://localhost:8765")
    assert not is_local("localhost:8765", "http://localhost:9000")
    assert not is_local("localhost:8765", "null")
    assert not is_local("127.0.0.1.evil.example", None)


async def test_the_page_is_served_and_nothing_beside_it(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
    async with http.get("/..%2fserver.py") as answer:
        assert answer.status == 404


async def test_it_does_not_listen_where_others_could_reach_it() -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        await serve(host="0.0.0.0", announce=print)
