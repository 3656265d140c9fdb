"""Bringing payloads to the app, over a socket or over signed HTTP, and what came back."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode

import aiohttp

from bot.emulator.faults import Faults
from bot.emulator.sockets import SocketClosed, Sockets, TooLong
from bot.emulator.workspace import Json

Kind = Literal["interactive", "slash_commands", "events_api"]
Route = Literal["socket", "http", "auto"]

_QUOTED = {chr(code): quote_plus(chr(code)) for code in range(128)}


@dataclass(frozen=True)
class Ack:
    """What the app answered to one delivery.

    `acked` says whether it did within the deadline; `status` is the HTTP status (200 for a socket's ack);
    `body` is the JSON it answered with; `error` is one of timeout, no_app, disconnected, unreachable,
    bad_status, ack_dropped, bad_response (Slack would not carry out that answer; `detail` says why);
    `seconds` is the time it took; `field_errors` are a modal's errors by block id; `repeats` are the acks of
    further deliveries of the same payload.
    """

    acked: bool
    status: int | None = None
    body: Json | None = None
    error: str | None = None
    detail: str = ""
    seconds: float = 0.0
    field_errors: dict[str, str] = field(default_factory=dict)
    repeats: tuple[Ack, ...] = ()


class Delivery:
    """Delivers to whoever runs the app. `route` "auto" prefers a connected socket over `request_url`."""

    def __init__(
        self,
        sockets: Sockets,
        faults: Faults,
        *,
        signing_secret: str,
        request_url: str | None = None,
        route: Route = "auto",
        ack_seconds: float = 3.0,
    ) -> None:
        self.request_url = request_url
        self.route: Route = route
        self.ack_seconds = ack_seconds
        self._sockets = sockets
        self._faults = faults
        self._secret = signing_secret
        self._http: aiohttp.ClientSession | None = None

    async def deliver(self, kind: Kind, payload: Json, *, times: int = 1) -> Ack:
        """Deliver once, or several times as a network that repeats itself does."""
        envelope_id = secrets.token_hex(16)
        deliveries = [self.attempt(kind, payload, envelope_id, retry) for retry in range(times)]
        first, *rest = await asyncio.gather(*deliveries)
        return replace(first, repeats=tuple(rest)) if rest else first

    async def attempt(self, kind: Kind, payload: Json, envelope_id: str, retry: int = 0) -> Ack:
        """One delivery of one envelope, within the deadline."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.ack_seconds):
                ack = await self._send(kind, payload, envelope_id, retry)
        except TimeoutError:
            ack = Ack(acked=False, error="timeout")
        if ack.acked and self._faults.lose_ack():
            ack = Ack(acked=False, error="ack_dropped")
        return replace(ack, seconds=time.monotonic() - started)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _send(self, kind: Kind, payload: Json, envelope_id: str, retry: int) -> Ack:
        if self.route != "http" and len(self._sockets):
            try:
                body = await self._sockets.send(kind, payload, envelope_id, retry, "timeout" if retry else "")
            except SocketClosed:
                return Ack(acked=False, error="disconnected")
            except TooLong as length:
                return Ack(acked=False, error="bad_response", detail=f"the acknowledgement has {length}")
            return Ack(acked=True, status=200, body=body)
        if self.route != "socket" and self.request_url:
            return await self._post(self.request_url, kind, payload, retry)
        return Ack(acked=False, error="no_app")

    async def _post(self, url: str, kind: Kind, payload: Json, retry: int) -> Ack:
        body, content_type = encoded(kind, payload)
        headers = signed(self._secret, body) | {"Content-Type": content_type}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        if self._http is None:
            self._http = aiohttp.ClientSession()
        try:
            async with self._http.post(url, data=body, headers=headers) as response:
                answer = _answer(await response.text())
                if response.status == 200:
                    return Ack(acked=True, status=200, body=answer)
                return Ack(acked=False, status=response.status, body=answer, error="bad_status")
        except aiohttp.ClientError:
            return Ack(acked=False, error="unreachable")


def encoded(kind: Kind, payload: Json) -> tuple[bytes, str]:
    """The HTTP body and content type that Slack uses for this kind of payload."""
    match kind:
        case "events_api":
            return _compact(payload).encode(), "application/json"
        case "interactive":
            # As urlencode would, which takes five times as long over some kilobytes of JSON.
            quoted = "".join(map(_QUOTED.__getitem__, _compact(payload)))
            return f"payload={quoted}".encode(), "application/x-www-form-urlencoded"
        case "slash_commands":
            return urlencode(payload).encode(), "application/x-www-form-urlencoded"


def _compact(payload: Json) -> str:
    """Return JSON as Slack writes it: without spaces, and (here, for any text) in ASCII."""
    return json.dumps(payload, separators=(",", ":"))


def signed(secret: str, body: bytes, now: float | None = None) -> dict[str, str]:
    """Slack's v0 signature headers, stamped with real time, since the app that checks them uses real time."""
    stamp = str(int(time.time() if now is None else now))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def _answer(text: str) -> Json | None:
    if not text:
        return None
    try:
        parsed: Any = json.loads(text)
    except ValueError:
        return {"text": text}
    return parsed if isinstance(parsed, dict) else None
