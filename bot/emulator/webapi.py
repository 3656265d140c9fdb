"""The Web API's door: tokens, scopes, rates and faults, and a log of every call."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from bot.emulator import apps, channels, chat, people, validate, views
from bot.emulator.arguments import Arguments
from bot.emulator.errors import SlackError
from bot.emulator.faults import Fault, Faults
from bot.emulator.limits import Limits
from bot.emulator.method import Call, Method, Token
from bot.emulator.state import Slack
from bot.emulator.workspace import Json

METHODS: Final[dict[str, Method]] = {
    **people.METHODS,
    **chat.METHODS,
    **channels.METHODS,
    **views.METHODS,
    **apps.METHODS,
    **validate.METHODS,
}
CALLS_KEPT = 20_000


@dataclass(frozen=True)
class CallRecord:
    """One Web API call as it came in; `outcome` is "ok", Slack's error code, or the fault's kind."""

    method: str
    args: Json
    at: datetime
    outcome: str


class WebApi:
    """Answers `/api/{method}`; `calls` is the log, oldest first, of the last 20,000."""

    def __init__(self, slack: Slack, faults: Faults, limits: Limits) -> None:
        self.calls: deque[CallRecord] = deque(maxlen=CALLS_KEPT)
        self._slack = slack
        self._faults = faults
        self._limits = limits

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        raw = await _read(request)
        token = _token(request, raw)
        fault = self._faults.take(name)
        if fault and fault.kind != "posted_but_dropped":
            self._note(name, raw, fault.kind)
            return _broken(request, fault)
        body = self._answer(name, token, Call(self._slack, Arguments(raw), str(request.url.origin())))
        self._note(name, raw, fault.kind if fault else str(body.get("error", "ok")))
        return _broken(request, fault) if fault else self._respond(body)

    def _answer(self, name: str, token: str, call: Call) -> Json:
        try:
            method = METHODS.get(name)
            if method is None:
                raise SlackError("unknown_method", req_method=name)  # noqa: TRY301 - one exit for refusals
            self._admit(name, method, token, call)
            return {"ok": True, **method.handler(call)}
        except SlackError as refusal:
            return refusal.body()

    def _admit(self, name: str, method: Method, token: str, call: Call) -> None:
        workspace = self._slack.workspace
        if method.token is not Token.NONE:
            if not token:
                raise SlackError("not_authed")
            if token not in {workspace.bot_token, workspace.app_token}:
                raise SlackError("invalid_auth")
        if method.token is not Token.NONE and (token == workspace.app_token) != (method.token is Token.APP):
            raise SlackError("not_allowed_token_type")
        if method.token is Token.BOT:
            call.need(*method.scopes)
        channel = call.args.text("channel")
        if seconds := self._limits.wait(name, method.per_minute, channel, self._slack.now()):
            raise SlackError("ratelimited", retry_after=seconds)

    def _respond(self, body: Json) -> web.Response:
        headers = {"x-oauth-scopes": ",".join(sorted(self._slack.bot_scopes))}
        if body.get("error") == "ratelimited":
            headers["Retry-After"] = str(body.pop("retry_after"))
            return web.json_response(body, status=429, headers=headers)
        return web.json_response(body, headers=headers)

    def _note(self, name: str, raw: Json, outcome: str) -> None:
        args = {key: value for key, value in raw.items() if key != "token"}
        self.calls.append(CallRecord(name, args, self._slack.clock(), outcome))
        self._slack.nudge()


async def _read(request: web.Request) -> Json:
    """Query, form or JSON arguments, as the client chose to send them."""
    raw: dict[str, Any] = dict(request.query)
    if request.method != "POST":
        return raw
    if request.content_type == "application/json":
        try:
            sent = json.loads(await request.text() or "{}")
        except ValueError:
            sent = {}
        return raw | sent if isinstance(sent, dict) else raw
    return raw | {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


def _token(request: web.Request, raw: Json) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else str(raw.get("token", ""))


def _broken(request: web.Request, fault: Fault) -> web.Response:
    match fault.kind:
        case "ratelimited":
            headers = {"Retry-After": str(fault.retry_after)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        case "server_error":
            return web.Response(status=500, text="Internal Server Error")
        case "dropped" | "posted_but_dropped":
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=502)
