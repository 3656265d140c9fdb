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
from slack_bolt.request.internals import parse_body
from starlette.requests import Request
from starlette.responses import Response

from bot.api.bodies import read
from bot.api.problems import Problem
from bot.slack.payloads import UNREADABLE, misshapen

log = structlog.get_logger("signoff.api")

FRESH_SECONDS = 300
"""How far a request's timestamp may be from now, either way: Slack's own rule."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SlackEvents:
    """Bolt itself answers 500 to a malformed timestamp, and to whatever it or a listener cannot read."""

    def __init__(self, bolt: AsyncApp, secret: SecretStr) -> None:
        self._bolt = bolt
        self._secret = secret.get_secret_value().encode()

    async def receive(self, request: Request) -> Response:
        """Hand a request to Bolt; its status is passed through, also where a listener did not acknowledge."""
        try:
            body = await read(request)
        except Problem as problem:
            return _refused(problem.status, problem.message, problem.headers)
        if not signed(self._secret, request.headers, body, time.time()):
            return _refused(401, "The signature or its timestamp is missing, stale or wrong.")
        try:
            asked = to_async_bolt_request(request, body)
            wrong = misshapen(asked.body)
        except UNREADABLE:
            wrong = _unreadable(body, request.headers.get("content-type", ""))
        if wrong is not None:
            return _malformed(wrong)
        return to_starlette_response(await self._bolt.async_dispatch(asked))


def _unreadable(body: bytes, content_type: str) -> str:
    """Say why Bolt could make no request of a body."""
    try:
        parsed = parse_body(body.decode(), content_type.partition(";")[0])
    except UnicodeDecodeError:
        return "The body is not UTF-8 text."
    except RecursionError:
        return "The JSON is nested too deeply."
    except ValueError:
        return "The body, or the payload in it, is not JSON."
    if not isinstance(parsed, dict):
        return "The body, or the payload in it, is not a JSON object."
    return misshapen(parsed) or "The payload's ids are not what Slack sends there."


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


def _refused(status: int, why: str, headers: Mapping[str, str] | None = None) -> Response:
    log.info("slack_request_refused", status=status, why=why)
    return Response(why, status, headers, media_type="text/plain")


def _malformed(why: str) -> Response:
    """Answer what will not get better by being sent again.

    Source of the header: https://docs.slack.dev/apis/events-api/#retries
    """
    log.warning("slack_request_malformed", why=why)
    return Response(why, 400, {"X-Slack-No-Retry": "1"}, media_type="text/plain")
