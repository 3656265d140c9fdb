"""The real SDK and Bolt against the emulator, unmodified, over Socket Mode and over signed HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from fixtures_house import PATIENCE
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from test_http_slack import served

from bot.emulator import CannotDo, Emulator

MAYA, FINN, OTTO = "U01MAYA", "U02FINN", "U07OTTO"
FINANCE = "C01FINANCE"
Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


BUTTONS = [
    {
        "type": "button",
        "action_id": "approve",
        "text": plain("Approve"),
        "value": "s1.7.1",
        "style": "primary",
    },
    {"type": "button", "action_id": "reject", "text": plain("Reject"), "value": "s1.7.1"},
    {"type": "overflow", "action_id": "more", "options": [{"text": plain("Snooze"), "value": "snooze"}]},
]
CARD = [{"type": "actions", "block_id": "ap:7", "elements": BUTTONS}]
REASON = {
    "type": "modal",
    "callback_id": "reject",
    "private_metadata": "s1.7.1",
    "title": plain("Reject"),
    "submit": plain("Reject"),
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": plain("Reason"),
            "element": {"type": "plain_text_input", "action_id": "text"},
        },
        {
            "type": "input",
            "block_id": "count",
            "optional": True,
            "label": plain("Count"),
            "element": {
                "type": "number_input",
                "action_id": "number",
                "is_decimal_allowed": False,
                "min_value": "1",
            },
        },
    ],
}


class Bot:
    """A small approvals app, as anybody would write it with Bolt, that notes what it heard."""

    def __init__(self, slack: Emulator) -> None:
        self.heard: list[Json] = []
        self.client = AsyncWebClient(slack.state.workspace.bot_token, base_url=slack.api_url)
        self.app = AsyncApp(client=self.client, signing_secret=slack.state.workspace.signing_secret)
        self.slow = asyncio.Event()
        self.app.action("approve")(self.on_approve)
        self.app.action("reject")(self.on_reject)
        self.app.action("more")(self.on_more)
        self.app.action("slow")(self.on_slow)
        self.app.view("reject")(self.on_reason)
        self.app.view_closed("reject")(self.on_closed)
        self.app.command("/approvals")(self.on_command)
        self.app.event("app_home_opened")(self.on_home)

    async def on_approve(self, ack: Callable[..., Awaitable[Any]], body: Json) -> None:
        self.heard.append(body)
        await ack()
        where = {"channel": body["channel"]["id"], "ts": body["message"]["ts"]}
        await self.client.chat_update(text=f"Approved by {body['user']['id']}", **where)

    async def on_reject(self, ack: Callable[..., Awaitable[Any]], body: Json) -> None:
        self.heard.append(body)
        await ack()
        await self.client.views_open(trigger_id=body["trigger_id"], view=REASON)

    async def on_more(self, ack: Callable[..., Awaitable[Any]], body: Json) -> None:
        self.heard.append(body)
        await ack()

    async def on_slow(self, ack: Callable[..., Awaitable[Any]]) -> None:
        await self.slow.wait()
        await ack()

    async def on_reason(self, ack: Callable[..., Awaitable[Any]], body: Json) -> None:
        self.heard.append(body)
        reason = body["view"]["state"]["values"]["reason"]["text"]["value"]
        if len(reason) < 5:
            await ack(response_action="errors", errors={"reason": "Say a little more."})
        else:
            await ack()

    async def on_closed(self, ack: Callable[..., Awaitable[Any]], body: Json) -> None:
        self.heard.append(body)
        await ack()

    async def on_command(self, ack: Callable[..., Awaitable[Any]], body: Json) -> None:
        self.heard.append(body)
        await ack(text=f"Nothing waits for you, {body['user_name']}")

    async def on_home(self, event: Json) -> None:
        view = {"type": "home", "blocks": [{"type": "section", "text": plain("Nothing waits")}]}
        await self.client.views_publish(user_id=event["user"], view=view)

    async def post(self, **more: Any) -> str:
        card = {"channel": FINANCE, "text": "Pay Acme", "blocks": CARD, **more}
        posted = await self.client.chat_postMessage(**card)
        return str(posted["ts"])


@asynccontextmanager
async def over_socket(slack: Emulator, bot: Bot) -> AsyncIterator[None]:
    handler = AsyncSocketModeHandler(bot.app, slack.state.workspace.app_token)
    connected = len(slack.sockets) + 1
    await handler.connect_async()
    await slack.until(lambda: len(slack.sockets) == connected)
    try:
        yield
    finally:
        await handler.close_async()


@asynccontextmanager
async def over_http(slack: Emulator, bot: Bot) -> AsyncIterator[None]:
    handler = AsyncSlackRequestHandler(bot.app)

    async def endpoint(request: Request) -> Response:
        return await handler.handle(request)

    web = Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])
    async with served(web) as url:
        slack.delivery.request_url = f"{url}/slack/events"
        yield


@pytest.fixture
async def slack() -> AsyncIterator[Emulator]:
    async with Emulator(rate_limits=False, ack_seconds=PATIENCE, event_retries=()) as emulator:
        yield emulator


@pytest.fixture(params=["socket", "http"])
async def bot(slack: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[Bot]:
    bot = Bot(slack)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context((over_socket if request.param == "socket" else over_http)(slack, bot))
        yield bot


async def test_a_click_is_acknowledged_and_settles_the_card(slack: Emulator, bot: Bot) -> None:
    ts = await bot.post()

    ack = await slack.click(MAYA, ts, "approve")

    assert (ack.acked, ack.status, ack.error) == (True, 200, None)
    await slack.until(lambda: slack.messages(FINANCE)[0]["text"] == f"Approved by {MAYA}")
    assert "blocks" not in slack.messages(FINANCE)[0]
    (body,) = bot.heard
    assert body["type"] == "block_actions"
    assert body["user"] == {"id": MAYA, "username": "maya", "name": "maya", "team_id": "T00DEMO"}
    assert body["container"]["message_ts"] == body["message"]["ts"] == ts
    (action,) = body["actions"]
    assert (action["block_id"], action["value"], action["type"]) == ("ap:7", "s1.7.1", "button")


async def test_a_menu_says_what_was_chosen(slack: Emulator, bot: Bot) -> None:
    ts = await bot.post()

    assert (await slack.click(MAYA, ts, "more", option="snooze")).acked

    assert bot.heard[0]["actions"][0]["selected_option"]["value"] == "snooze"


async def test_a_modal_keeps_what_is_wrong_and_closes_on_what_is_right(slack: Emulator, bot: Bot) -> None:
    ts = await bot.post()
    await slack.click(MAYA, ts, "reject")
    (view,) = await slack.until(lambda: slack.views(MAYA))

    short = await slack.submit(MAYA, view, {"reason": "no"})
    assert short.field_errors == {"reason": "Say a little more."}
    assert slack.views(MAYA) == [view]
    done = await slack.submit(MAYA, view, {"reason": "Wrong vendor", "count": {"number": "3"}})

    assert (done.acked, done.field_errors) == (True, {})
    assert slack.views(MAYA) == []
    submitted = bot.heard[-1]["view"]
    assert submitted["private_metadata"] == "s1.7.1"
    assert submitted["state"]["values"]["count"]["number"] == {"type": "number_input", "value": "3"}


async def test_slacks_client_does_not_submit_what_is_wrong(slack: Emulator, bot: Bot) -> None:
    await slack.click(MAYA, await bot.post(), "reject")
    (view,) = await slack.until(lambda: slack.views(MAYA))

    with pytest.raises(CannotDo) as refused:
        await slack.submit(MAYA, view, {"count": "0"})

    assert set(refused.value.fields) == {"reason", "count"}
    assert [body["type"] for body in bot.heard] == ["block_actions"]


async def test_closing_a_modal_is_told_to_an_app_that_asked(slack: Emulator, bot: Bot) -> None:
    await slack.click(MAYA, await bot.post(), "reject")
    (view,) = await slack.until(lambda: slack.views(MAYA))

    assert (await slack.close(MAYA, view)).acked

    assert slack.views(MAYA) == []
    assert (bot.heard[-1]["type"], bot.heard[-1]["is_cleared"]) == ("view_closed", False)


async def test_a_command_is_answered_to_the_person_alone(slack: Emulator, bot: Bot) -> None:
    ack = await slack.command(MAYA, FINANCE, "/approvals", "mine")

    assert ack.acked
    assert bot.heard[0]["text"] == "mine"
    assert [message["text"] for message in slack.ephemerals(MAYA)] == ["Nothing waits for you, maya"]
    assert slack.messages(FINANCE) == []


async def test_opening_the_home_tab_lets_the_app_draw_it(slack: Emulator, bot: Bot) -> None:
    ack = await slack.open_home(MAYA)

    assert ack is not None
    assert ack.acked
    home = await slack.until(lambda: slack.home(MAYA))
    assert home is not None
    assert home["blocks"][0]["text"]["text"] == "Nothing waits"


async def test_the_same_click_can_come_twice(slack: Emulator, bot: Bot) -> None:
    ack = await slack.click(MAYA, await bot.post(), "approve", times=2)

    assert [ack.acked, *(one.acked for one in ack.repeats)] == [True, True]
    assert bot.heard[0]["trigger_id"] == bot.heard[1]["trigger_id"]


async def test_a_lost_ack_looks_like_a_failure_though_the_app_did_its_work(slack: Emulator, bot: Bot) -> None:
    slack.drop_acks()

    ack = await slack.click(MAYA, await bot.post(), "approve")

    assert (ack.acked, ack.error) == (False, "ack_dropped")
    assert len(bot.heard) == 1


async def test_an_old_click_can_be_delivered_after_its_button_is_gone(slack: Emulator, bot: Bot) -> None:
    ts = await bot.post()
    stale = slack.click_payload(FINN, ts, "approve")
    await slack.click(MAYA, ts, "approve")
    await slack.until(lambda: "blocks" not in slack.messages(FINANCE)[0])

    with pytest.raises(CannotDo, match="nothing to click"):
        await slack.click(FINN, ts, "approve")
    assert (await slack.deliver(stale)).acked
    assert [body["user"]["id"] for body in bot.heard] == [MAYA, FINN]


async def test_an_app_that_does_not_answer_in_time_is_seen_to_have_failed(slack: Emulator, bot: Bot) -> None:
    slack.delivery.ack_seconds = 0.05
    slow = {"type": "button", "action_id": "slow", "text": plain("Slow")}
    ts = await bot.post(blocks=[{"type": "actions", "elements": [slow]}])

    ack = await slack.click(MAYA, ts, "slow")

    assert (ack.acked, ack.error) == (False, "timeout")
    bot.slow.set()


async def test_http_is_refused_when_the_signature_is_wrong(slack: Emulator) -> None:
    bot = Bot(slack)
    async with over_http(slack, bot):
        ts = await bot.post()
        slack.delivery._secret = "another"
        ack = await slack.click(MAYA, ts, "approve")

    assert (ack.acked, ack.status) == (False, 401)
    assert bot.heard == []


async def test_an_app_comes_back_after_slack_refreshed_its_socket(slack: Emulator) -> None:
    bot = Bot(slack)
    async with over_socket(slack, bot):
        ts = await bot.post()
        await slack.disconnect("refresh_requested")
        await slack.until(lambda: len(slack.sockets) == 0)
        await slack.until(lambda: len(slack.sockets) == 1)
        assert (await slack.click(MAYA, ts, "approve")).acked


async def test_payloads_go_round_the_connections(slack: Emulator) -> None:
    first, second = Bot(slack), Bot(slack)
    async with over_socket(slack, first), over_socket(slack, second):
        ts = await first.post()
        for _ in range(4):
            await slack.click(OTTO, ts, "more", option="snooze")

    assert (len(first.heard), len(second.heard)) == (2, 2)


async def test_an_event_that_was_not_acknowledged_comes_again(slack: Emulator) -> None:
    slack.events.retry_after = (0.0,)
    bot = Bot(slack)
    async with over_socket(slack, bot):
        slack.drop_acks()
        ack = await slack.open_home(MAYA)

        assert ack is not None
        assert (ack.acked, ack.error) == (False, "ack_dropped")
        await slack.until(lambda: [call.method for call in slack.calls].count("views.publish") == 2)
