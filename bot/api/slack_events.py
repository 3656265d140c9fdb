"""`POST /slack/events`: a guard that lets only what Slack signed, and Bolt can read, through to Bolt."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping

import structlog
from pydantic import SecretStr
from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from starlette.requests import Request
from starlette.responses import Response

from bot.api.bodies import read
from bot.api.problems import Problem

log = structlog.get_logger("signoff.api")

FRESH_SECONDS = 300
"""How far a request's timestamp may be from now, either way: Slack's own rule."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SlackEvents:
    """Bolt itself answers 500 to a malformed timestamp, to broken JSON and to bytes that are no text."""

    def __init__(self, bolt: AsyncApp, secret: SecretStr) -> None:
        self._bolt = bolt
        self._secret = secret.get_secret_value().encode()

    async def receive(self, request: Request) -> Response:
        """Hand a request to Bolt; its status is passed through, also where a listener did not acknowledge."""
        try:
            body = await read(request)
        except Problem as problem:
            return _refused(problem.status, problem.message)
        if not signed(self._secret, request.headers, body, time.time()):
            return _refused(401, "The signature or its timestamp is missing, stale or wrong.")
        try:
            asked = to_async_bolt_request(request, body)
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            return _refused(400, "The body is no text, or its JSON is none, or no object.")
        try:
            return to_starlette_response(await self._bolt.async_dispatch(asked))
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


def _refused(status: int, why: str) -> Response:
    log.info("slack_request_refused", status=status, why=why)
    return Response(why, status, media_type="text/plain")
