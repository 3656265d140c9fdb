"""Socket Mode: up to ten WebSockets, each payload to any one of them."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Literal

from aiohttp import WSMsgType, web

from bot.emulator.state import Slack
from bot.emulator.workspace import Json

MOST_CONNECTIONS = 10
LONGEST_ACK = 16_000
"""Bytes of an acknowledgement. Slack drops a large one without a word (slack-go/slack#1196), and does not
document from where on."""

DisconnectReason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]


class SocketClosed(Exception):
    """The connection that had the payload went away before it was acknowledged."""


class TooLong(Exception):
    """The acknowledgement is larger than Slack takes over a socket."""


class Sockets:
    """The app's open connections and the envelopes that wait for their acknowledgement."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        self._open: list[web.WebSocketResponse] = []
        self._turn = 0
        self._waiting: dict[str, tuple[web.WebSocketResponse, asyncio.Future[Json | None]]] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection, opened with a ticket from apps.connections.open, until it closes."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._slack.socket_tickets:
            return web.Response(status=403)
        self._slack.socket_tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self._open) >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        await self._serve(socket)
        return socket

    async def send(
        self, kind: str, payload: Json, envelope_id: str, retry: int = 0, reason: str = ""
    ) -> Json | None:
        """Hand the payload to one connection in turn and wait for its ack.

        `SocketClosed` when it drops, `TooLong` for an ack that Slack would not take.
        """
        if not self._open:
            raise SocketClosed
        socket = self._open[self._turn % len(self._open)]
        self._turn += 1
        acked: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        key = f"{envelope_id}/{secrets.token_hex(4)}"
        self._waiting[key] = (socket, acked)
        envelope = {
            "envelope_id": envelope_id,
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": retry, "retry_reason": reason}
        try:
            await socket.send_json(envelope)
            return await acked
        except ConnectionResetError as gone:
            raise SocketClosed from gone
        finally:
            del self._waiting[key]

    async def disconnect(self, reason: DisconnectReason | None = "refresh_requested") -> None:
        """Tell every connection to go and let the app hang up; None hangs up without a word."""
        for socket in tuple(self._open):
            if reason is None:
                await socket.close()
            else:
                await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        self._open.append(socket)
        try:
            await socket.send_json(self._hello())
            self._slack.changed()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(socket, message.data)
        finally:
            self._open.remove(socket)
            for holder, acked in list(self._waiting.values()):
                if holder is socket and not acked.done():
                    acked.set_exception(SocketClosed())
            self._slack.changed()

    def _acknowledge(self, socket: web.WebSocketResponse, text: str) -> None:
        """Settle the oldest delivery of that envelope that this connection still owes an ack."""
        try:
            body = json.loads(text)
        except ValueError:
            return
        envelope_id = body.get("envelope_id") if isinstance(body, dict) else None
        for key, (holder, acked) in self._waiting.items():
            if holder is socket and key.partition("/")[0] == envelope_id and not acked.done():
                if len(text.encode()) > LONGEST_ACK:
                    acked.set_exception(TooLong(f"{len(text.encode()):,} bytes"))
                else:
                    acked.set_result(body.get("payload"))
                return

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "connection_info": {"app_id": self._slack.workspace.app_id},
            "debug_info": {"host": "emulator", "build_number": 1, "approximate_connection_time": 18060},
        }
