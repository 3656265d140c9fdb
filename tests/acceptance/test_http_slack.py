from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
import uvicorn
from fixtures_house import (
    FINANCE,
    FINN,
    MAYA,
    OTTO,
    PATIENCE,
    ROSA,
    TOKEN,
    UNHURRIED,
    api_client,
    running_house,
)

from bot.api import bodies
from bot.api.app import http_app
from bot.emulator import Emulator
from bot.emulator.delivery import encoded, signed
from bot.manifest import scopes
from workflows.expense import samples


@asynccontextmanager
async def served(app):
    """The address of an app, on a socket that listens before its server starts: nobody waits for a port.

    Why a server did not start is raised at the end.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        web = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        serving = asyncio.create_task(web.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            web.should_exit = True
            await serving


@pytest.fixture
async def web(database):
    """A house that Slack reaches over signed HTTP alone, and the address of its web role."""
    async with web_house(database) as running:
        yield running


@asynccontextmanager
async def web_house(database, patience=UNHURRIED):
    tokens = {"SIGNOFF_API_TOKENS": f"tests:{TOKEN}"}
    async with (
        Emulator(rate_limits=False, delivery="http", ack_seconds=PATIENCE) as slack,
        running_house(database, socket=False, slack=slack, patience=patience, **tokens) as running,
        served(http_app(running.house)) as url,
    ):
        slack.delivery.request_url = f"{url}/slack/events"
        yield running


@pytest.fixture
async def posting(web):
    """What a stranger, or Slack, can post to /slack/events."""
    async with httpx.AsyncClient() as client:

        async def post(body, headers, **more):
            url = web.slack.delivery.request_url
            return await client.post(url, content=body, headers=headers, **more)

        yield post


def secret(web):
    return web.slack.state.workspace.signing_secret


async def test_a_card_is_approved_end_to_end_over_signed_http(web):
    thread_id = await web.run("expense", samples["hotel"], ROSA)
    ack = await web.click(MAYA, FINANCE, "signoff.approve")
    assert (ack.acked, ack.status) == (True, 200)
    await web.drain()
    assert (await web.thread(thread_id)).status == "done"
    assert "approved" in web.card(FINANCE)["text"].lower()
    assert not [e for e in web.card(FINANCE)["blocks"] if e["type"] == "actions" and "approve" in str(e)]


async def test_a_modal_opens_and_its_reason_is_recorded_over_signed_http(web):
    thread_id = await web.run("expense", samples["hotel"], ROSA)
    assert (await web.click(MAYA, FINANCE, "signoff.reject")).acked
    (view,) = await web.slack.until(lambda: web.slack.views(MAYA))
    reason = next(block["block_id"] for block in view["blocks"] if block["type"] == "input")
    assert (await web.slack.submit(MAYA, view, {reason: "no receipt"})).acked
    await web.drain()
    decision = (await web.approval(thread_id)).decision
    assert (decision.verdict, decision.by.user) == ("reject", MAYA)
    assert "no receipt" in (decision.comment, decision.text)


async def test_who_may_not_decide_is_told_privately_over_http(web):
    thread_id = await web.run("expense", samples["hotel"], ROSA)
    assert (await web.click(OTTO, FINANCE, "signoff.approve")).acked
    assert (await web.approval(thread_id)).status == "pending"
    await web.slack.until(lambda: web.slack.ephemerals(OTTO))


async def test_the_scopes_that_the_manifest_requires_are_enough(web):
    web.slack.state.bot_scopes = set(scopes()[0])
    thread_id = await web.run("expense", samples["acme"], ROSA)
    assert (await web.slack.open_home(MAYA)).acked
    assert (await web.slack.command(MAYA, FINANCE, "/approvals")).acked
    assert (await web.click(OTTO, FINANCE, "signoff.approve")).acked
    for approver in (MAYA, FINN):
        assert (await web.click(approver, FINANCE, "signoff.approve")).acked
        await web.drain()
    assert (await web.thread(thread_id)).status == "done"
    assert [call.method for call in web.slack.calls if call.outcome == "missing_scope"] == []


async def test_a_replayed_click_changes_nothing_more(web, posting):
    thread_id = await web.run("expense", samples["hotel"], ROSA)
    click = web.slack.click_payload(MAYA, web.card(FINANCE), "signoff.approve")
    body, content_type = encoded("interactive", click)
    headers = signed(secret(web), body) | {"Content-Type": content_type}
    for _ in range(3):
        assert (await posting(body, headers)).status_code == 200
        await web.drain()
    audit = [entry["event"] for entry in await web.audit(thread_id)]
    assert (audit.count("approval.decided"), audit.count("approval.refused")) == (1, 2)
    assert len(await web.rows("select from sample_effects")) == 1


async def test_a_click_that_cannot_be_recorded_is_not_acknowledged_and_works_later(database):
    async with web_house(database, replace(UNHURRIED, lock=0.5)) as web:
        thread_id = await web.run("expense", samples["hotel"], ROSA)
        async with web.house.work.connection() as conn, conn.transaction():
            await conn.execute("select from approvals for update")
            ack = await web.click(MAYA, FINANCE, "signoff.approve")
            assert (ack.acked, ack.status) == (False, 503)
        assert (await web.approval(thread_id)).status == "pending"
        assert (await web.click(MAYA, FINANCE, "signoff.approve")).acked
        assert (await web.approval(thread_id)).status == "decided"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
GOOD = b'{"type": "event_callback", "event": {"type": "nothing"}}'
CHALLENGE = b'{"type": "url_verification", "challenge": "abc"}'


def unsigned_requests(key):
    """What somebody without the signing secret can send."""
    now = int(time.time())
    good = signed(key, GOOD)
    stamp, signature = "X-Slack-Request-Timestamp", "X-Slack-Signature"
    yield "nothing at all", b"", {}
    yield "no signature", GOOD, {stamp: str(now)} | JSON
    yield "no timestamp", GOOD, {signature: good[signature]} | JSON
    yield "another secret", GOOD, signed("another secret", GOOD) | JSON
    yield "another body", GOOD + b" ", good | JSON
    yield "stale", GOOD, signed(key, GOOD, now - 301) | JSON
    yield "from the future", GOOD, signed(key, GOOD, now + 310) | JSON
    yield "an unsigned challenge", CHALLENGE, JSON
    yield "an unsigned certificate check", b"ssl_check=1&token=x", FORM
    for malformed in ("abc", "", "-1", "1e9", "1" * 400, "0x5", f"{now}.5", "\xb2", "NaN", "١٢٣"):
        yield f"timestamp {malformed!r}", GOOD, good | JSON | {stamp: malformed.encode()}
    for malformed in ("", "v0=", "v1=" + "0" * 64, "v0=" + "\xe9" * 64, "x" * 5000, "v0=" + "g" * 64):
        yield f"signature {malformed[:9]!r}", GOOD, good | JSON | {signature: malformed.encode("latin-1")}
    yield "bytes that are no text", b"\xff\xfe\x00", good | JSON


async def test_what_slack_did_not_sign_is_refused_whatever_it_is(web, posting):
    for name, body, headers in unsigned_requests(secret(web)):
        raw = {key: value if isinstance(value, bytes) else value.encode() for key, value in headers.items()}
        assert (name, (await posting(body, raw)).status_code) == (name, 401)


SIGNED = {
    "an event that nobody listens to": (GOOD, JSON, 404),
    "Slack's challenge": (CHALLENGE, JSON, 200),
    "an empty body": (b"", JSON, 400),
    "an empty form": (b"", FORM, 400),
    "broken JSON": (b'{"type": ', JSON, 400),
    "broken JSON that is called a form": (b'{"type": ', FORM, 400),
    "a form with broken JSON": (b"payload=%7B%22type", FORM, 400),
    "a form with an empty payload": (b"payload=", FORM, 400),
    "a form with a list": (b"payload=%5B%5D", FORM, 400),
    "a list": (b"[1]", JSON, 400),
    "a list with a charset": (b"[1]", {"Content-Type": "application/json; charset=utf-8"}, 400),
    "a number": (b"1", JSON, 400),
    "endless nesting": (b'{"a":' * 100_000, JSON, 400),
    "bytes that are no text": (b"\xff\xfe\x00", FORM, 400),
    "text": (b"hello", {"Content-Type": "text/plain"}, 400),
    "no content type": (b"hello", {}, 400),
    "many parts": (b"--x\r\n\r\n--x--", {"Content-Type": "multipart/form-data; boundary=x"}, 400),
    "authorizations that are none": (b'{"authorizations": {"a": 1}}', JSON, 400),
    "an enterprise that is a number": (b'{"enterprise": 3, "team": 4, "user": 5}', JSON, 400),
    "a megabyte": (b"x" * 1_000_000, {"Content-Type": "text/plain"}, 400),
    "more than a megabyte": (b"x" * 1_000_001, {"Content-Type": "text/plain"}, 413),
}


async def test_what_is_signed_and_makes_no_sense_is_never_our_fault(web, posting):
    for name, (body, headers, status) in SIGNED.items():
        response = await posting(body, headers | signed(secret(web), body))
        assert (name, response.status_code) == (name, status)


async def test_a_body_that_does_not_say_how_long_it_is_is_read_no_further_than_allowed(web):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 100_000
            yield b"x" * 100_000

    async with api_client(web, token=None) as client:
        assert (await client.post("/slack/events", content=endless())).status_code == 413
    assert sent <= 1_200_000


@pytest.mark.parametrize("path", ["/slack/events", "/v1/threads"])
async def test_a_body_that_comes_too_slowly_is_waited_for_no_longer_than_allowed(web, monkeypatch, path):
    monkeypatch.setattr(bodies, "MOST_SECONDS", 0.05)
    at = httpx.URL(web.slack.delivery.request_url)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
    reader, writer = await asyncio.open_connection(at.host, at.port)
    writer.write(head.encode() + b"{")
    try:
        async with asyncio.timeout(60):
            answer = await reader.read()  # to the end: the connection is closed
    finally:
        writer.close()

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_without_a_signing_secret_nothing_from_slack_is_taken(database):
    async with (
        running_house(database, SLACK_SIGNING_SECRET=None) as running,
        api_client(running, token=None) as client,
    ):
        headers = signed("unused: the socket is authenticated", GOOD) | JSON
        assert (await client.post("/slack/events", content=GOOD, headers=headers)).status_code == 404
