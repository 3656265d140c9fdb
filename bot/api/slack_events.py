"""`POST /slack/events`: a guard that lets only what Slack signed, and Bolt can read, through to Bolt."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from urllib.parse import parse_qs

import structlog
from pydantic import SecretStr
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from bot.api.bodies import read
from bot.api.problems import Problem

log = structlog.get_logger("signoff.api")

FRESH_SECONDS = 300
"""How far a request's timestamp may be from now, either way: Slack's own rule."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SlackEvents:
    """Bolt itself answers 500 to a malformed timestamp, to broken JSON and to bytes that are no text."""

    def __init__(self, bolt: AsyncApp, secret: SecretStr) -> None:
        self._handler = AsyncSlackRequestHandler(bolt)
        self._secret = secret.get_secret_value().encode()

    async def receive(self, request: Request) -> Response:
        """Hand a request to Bolt; its status is passed through, also where a listener did not acknowledge."""
        try:
            body = await read(request)
        except Problem as problem:
            return _refused(problem.status, problem.message)
        if not signed(self._secret, request.headers, body, time.time()):
            return _refused(401, "The signature or its timestamp is missing, stale or wrong.")
        if (why := unreadable(request.headers.get("content-type", ""), body)) is not None:
            return _refused(400, why)
        try:
            return await self._handler.handle(Request(request.scope, _again(body)))
        except (AttributeError, LookupError, TypeError, ValueError):
            # Bolt catches what listeners raise; this is Bolt itself, reading a shape that Slack never sends.
            log.exception("slack_request_unreadable")
            return _refused(400, "The payload is not shaped like one of Slack's.")


def signed(secret: bytes, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Say whether Slack signed these bytes within the last minutes (v0: HMAC-SHA256, `now` in Unix seconds).

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack/
    """
    stamp = headers.get("x-slack-request-timestamp", "")
    if not _TIMESTAMP.fullmatch(stamp) or abs(now - int(stamp)) > FRESH_SECONDS:
        return False
    digest = hmac.new(secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    given = headers.get("x-slack-signature", "").encode("utf-8", "replace")
    return hmac.compare_digest(f"v0={digest}".encode(), given)


def unreadable(content_type: str, body: bytes) -> str | None:
    """Return why Bolt could not read a body (a form, one with a JSON `payload`, or JSON), None if it can."""
    try:
        text = body.decode()
        if content_type.partition(";")[0].strip() == "application/json" or text.startswith("{"):
            parsed = json.loads(text) if text else {}
        elif "payload" in text:
            parsed = json.loads(parse_qs(text, keep_blank_values=True).get("payload", ["{}"])[-1])
        else:
            return None
    except (ValueError, RecursionError):
        return "The body is no text, or its JSON cannot be read."
    return None if isinstance(parsed, dict) else "The body's JSON is no object."


def _again(body: bytes) -> Receive:
    """Return what hands the whole body over: the guard has taken it off the wire."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _refused(status: int, why: str) -> Response:
    log.info("slack_request_refused", status=status, why=why)
    return Response(why, status, media_type="text/plain")
