"""What comes from Slack's side and is in no shape of Slack's: refused in one line, whichever way it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import structlog
from fixtures_house import FINANCE, MAYA, PATIENCE, ROSA, Running, api_client, running_house
from structlog.testing import LogCapture

from bot.api import slack_events
from bot.emulator import payloads
from bot.emulator.delivery import Kind, encoded, signed
from bot.roles import slack as slack_role
from bot.slack import app as slack_app
from bot.slack.listeners import clicks, desk
from workflows.expense import samples

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
SECRET = "xoxb-the-senders-own-words"
Logged = Callable[[], list[Any]]

NOTHING = "The body holds no event, no interaction and no command that Slack sends to Signoff."
NO_OBJECT = "The body, or the payload in it, is not a JSON object."
NO_JSON = "The body, or the payload in it, is not JSON."


@pytest.fixture
async def house(database: str) -> AsyncIterator[Running]:
    async with running_house(database) as running:
        yield running


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Logged:
    """Return a call that gives what was logged since the last one, other libraries' complaints included."""
    capture = LogCapture()
    for module in (slack_events, slack_role, slack_app, desk):
        monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[capture]))

    def taken() -> list[Any]:
        said = [*capture.entries, *(one for one in caplog.records if one.levelname != "DEBUG")]
        capture.entries.clear()
        caplog.clear()
        return said

    return taken


async def kept(house: Running) -> list[Any]:
    """Everything that a request could have changed."""
    tables = ("approvals", "votes", "audit", "messages", "threads", "people", "procrastinate_jobs")
    return [await house.rows(f"select t::text from {table} t order by 1") for table in tables]


BODIES: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", JSON, NOTHING),
    "an empty form": (b"", FORM, NOTHING),
    "a form of something else": (b"a=b", FORM, NOTHING),
    "an empty object": (b"{}", JSON, NOTHING),
    "an empty payload": (b"payload=%7B%7D", FORM, NOTHING),
    "an unknown type": (b'{"type": "xoxb-the-senders-own-words"}', JSON, NOTHING),
    "an interaction of an unknown type": (
        urlencode({"payload": '{"type": "nosuch"}'}).encode(),
        FORM,
        NOTHING,
    ),
    "a command that is an event as well": (
        b'{"command": "/approvals", "type": "event_callback"}',
        JSON,
        NOTHING,
    ),
    "a list": (b"[]", JSON, NO_OBJECT),
    "null": (b"null", JSON, NO_OBJECT),
    "a payload that is a list": (b"payload=[1]", FORM, NO_OBJECT),
    "broken JSON": (b'{"xoxb-the-senders-own-words": ', JSON, NO_JSON),
    "a broken payload": (b"payload=%7Bxoxb-the-senders-own-words", FORM, NO_JSON),
    "bytes that are no text": (b"payload=\xff\xfe", FORM, "The body is not UTF-8 text."),
    "endless nesting": (b'{"a":' * 100_000, JSON, "The JSON is nested too deeply."),
    "authorizations that are none": (
        b'{"type": "event_callback", "event": {"type": "x"}, "authorizations": 5}',
        JSON,
        "The payload's ids are not what Slack sends there.",
    ),
    "a command of nobody": (b"command=/approvals&team_id=T1", FORM, "The payload lacks user_id."),
    "a challenge without one": (b'{"type": "url_verification"}', JSON, "The payload lacks challenge."),
}

GONE = object()
Change = tuple[str, Any, str]

OF_EVENTS: tuple[Change, ...] = (
    ("event", GONE, "The payload lacks event."),
    ("event", SECRET, "The payload's event is not what Slack sends there."),
    ("event", None, "The payload's event is not what Slack sends there."),
    ("event.type", GONE, "The payload lacks event.type."),
    ("event.user", GONE, "The payload lacks event.user."),
    ("event.user", "U\0", "The payload's event.user is not what Slack sends there."),
)
OF_CLICKS: tuple[Change, ...] = (
    ("user", GONE, "The payload lacks user."),
    ("user", SECRET, "The payload's user is not what Slack sends there."),
    ("user.id", "", "The payload's user.id is not what Slack sends there."),
    ("user.id", "U\ud800", "The payload's user.id is not what Slack sends there."),
    ("user.team_id team", GONE, "The payload names no team."),
    ("channel container", GONE, "The payload names neither a channel nor a view."),
    ("channel", "C1", "The payload's channel is not what Slack sends there."),
    ("container", "C1", "The payload's container is not what Slack sends there."),
    ("container.message_ts", 5, "The payload's container.message_ts is not what Slack sends there."),
    ("message", 5, "The payload's message is not what Slack sends there."),
    ("view", 5, "The payload's view is not what Slack sends there."),
    ("actions", GONE, "The payload lacks actions."),
    ("actions", [], "The payload's actions is not what Slack sends there."),
    ("actions.0", None, "The payload's actions.0 is not what Slack sends there."),
    ("actions.0.action_id", 5, "The payload's actions.0.action_id is not what Slack sends there."),
    (
        "actions.0.selected_option",
        5,
        "The payload's actions.0.selected_option is not what Slack sends there.",
    ),
)
OF_SUBMISSIONS: tuple[Change, ...] = (
    ("view", GONE, "The payload lacks view."),
    ("view", None, "The payload's view is not what Slack sends there."),
    ("view.type", SECRET, "The payload's view.type is not what Slack sends there."),
    ("view.callback_id", 5, "The payload's view.callback_id is not what Slack sends there."),
    ("view.state", GONE, "The payload lacks view.state."),
    ("view.state.values", {SECRET: 5}, "The payload's view.state is not what Slack sends there."),
    ("view.state.values", {"b": {SECRET: 5}}, "The payload's view.state is not what Slack sends there."),
    ("view.blocks.0", {"type": "input", "block_id": "b"}, "The payload lacks view.blocks.0.label."),
)


def changed(payload: dict[str, Any], paths: str, value: Any) -> dict[str, Any]:
    """Return the payload with another value at each of these places, or without them."""
    whole: Any = deepcopy(payload)
    for path in paths.split():
        *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
        inside = whole
        for part in way:
            inside = inside[part]
        if value is GONE:
            del inside[last]
        else:
            inside[last] = value
    return dict(whole)


async def told(house: Running) -> dict[str, dict[str, Any]]:
    """What Slack does send of a card: an event, a click, and a submission that nobody has made yet."""
    await house.run("expense", samples["hotel"], ROSA)
    assert (await house.click(MAYA, FINANCE, "signoff.reject")).acked
    view = await house.slack.until(lambda: next(iter(house.slack.views(MAYA)), None))
    words = {"words": {"words": {"type": "plain_text_input", "value": "no receipt"}}}
    return {
        "event": payloads.event(house.slack.state, {"type": "app_home_opened", "user": MAYA}),
        "click": house.slack.click_payload(MAYA, house.card(FINANCE), "signoff.approve"),
        "submission": payloads.submission(house.slack.state, MAYA, view, words, "1.2.abc"),
    }


def misshapen(good: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """What kind of payload, the payload, and what is said of it."""
    for kind, changes in (("event", OF_EVENTS), ("click", OF_CLICKS), ("submission", OF_SUBMISSIONS)):
        for paths, value, why in changes:
            yield kind, changed(good[kind], paths, value), why


async def post(house: Running, body: bytes, content_type: str) -> httpx.Response:
    headers = signed(house.slack.state.workspace.signing_secret, body) | {"Content-Type": content_type}
    async with api_client(house, token=None) as client:
        return await client.post("/slack/events", content=body, headers=headers)


def complaint(why: str) -> dict[str, str]:
    return {"log_level": "warning", "event": "slack_request_malformed", "why": why}


async def refused(house: Running, logged: Logged, body: bytes, content_type: str, why: str) -> None:
    logged()
    answer = await post(house, body, content_type)
    assert (answer.status_code, answer.text) == (400, why)
    assert answer.headers["X-Slack-No-Retry"] == "1"
    assert logged() == [complaint(why)]
    assert SECRET not in why


async def test_a_signed_body_in_no_shape_of_slacks_is_refused_in_one_line(
    house: Running, logged: Logged
) -> None:
    for body, content_type, why in BODIES.values():
        await refused(house, logged, body, content_type, why)


async def test_a_signed_payload_in_no_shape_of_slacks_is_refused_and_changes_nothing(
    house: Running, logged: Logged
) -> None:
    good = await told(house)
    before = await kept(house)
    for kind, payload, why in misshapen(good):
        route: Kind = "events_api" if kind == "event" else "interactive"
        await refused(house, logged, *encoded(route, payload), why)
    assert await kept(house) == before
    for kind, payload in good.items():
        route = "events_api" if kind == "event" else "interactive"
        assert (kind, (await post(house, *encoded(route, payload))).status_code) == (kind, 200)


async def test_a_malformed_envelope_is_logged_and_the_socket_goes_on(house: Running, logged: Logged) -> None:
    """An event is acknowledged, for it would only come again; who clicked is to see that it failed."""
    good = await told(house)
    before = await kept(house)
    logged()
    bad = list(misshapen(good))

    async def acked(sort: str, kinds: tuple[str, ...], seconds: float) -> set[bool]:
        house.slack.delivery.ack_seconds = seconds
        sent = (house.slack.deliver(body, sort) for kind, body, _ in bad if kind in kinds)
        return {ack.acked for ack in await asyncio.gather(*sent)}

    others = tuple({kind for kind, _, _ in bad} - {"event"})
    assert await acked("interactive", others, 0.5) == {False}
    # They are heard one after the other, so all of those have been when these are acknowledged.
    assert await acked("events_api", ("event",), PATIENCE) == {True}
    said = logged()
    assert all(complaint(why) in said for _, _, why in bad)
    assert len(said) == len(bad)
    assert await kept(house) == before
    house.slack.delivery.ack_seconds = PATIENCE
    assert (await house.slack.deliver(good["click"])).acked


async def test_an_envelope_that_the_sdk_cannot_read_leaves_the_socket_alone(house: Running) -> None:
    await house.run("expense", samples["hotel"], ROSA)
    house.slack.delivery.ack_seconds = 0.2
    unread: Any = [None, [], 5]
    assert not [ack for body in unread if (ack := await house.slack.deliver(body, "events_api")).acked]
    house.slack.delivery.ack_seconds = PATIENCE
    assert (await house.click(MAYA, FINANCE, "signoff.approve")).acked


async def test_a_fault_of_ours_is_no_malformed_request(
    house: Running, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack is to send it again, and the log to hold where it happened."""
    click = (await told(house))["click"]

    def broken(_: Any) -> Any:
        raise TypeError("ours")

    monkeypatch.setattr(clicks, "token_and_option", broken)
    logged()
    answer = await post(house, *encoded("interactive", click))
    assert answer.status_code == 500
    assert "X-Slack-No-Retry" not in answer.headers
    (said,) = logged()
    assert (said["log_level"], str(said["exc_info"])) == ("error", "ours")
