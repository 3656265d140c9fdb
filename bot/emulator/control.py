"""`/_emulator/`: the page, and programs outside, as the people at the emulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from bot.emulator import clicks, commands, inputs, modals, presence
from bot.emulator.clicks import Touch
from bot.emulator.delivery import Ack
from bot.emulator.errors import CannotDo, SlackError
from bot.emulator.events import Events
from bot.emulator.faults import Faults
from bot.emulator.limits import Limits
from bot.emulator.line import Line
from bot.emulator.panel import Panel
from bot.emulator.picture import MESSAGES_SHOWN, first_person, picture
from bot.emulator.sockets import Sockets
from bot.emulator.webapi import WebApi
from bot.emulator.workspace import Json

HEARTBEAT_SECONDS = 15.0
CALLS_SHOWN = 500
CHOSEN: Final = (*sorted(set(inputs.FIELD.values()) - {"value"}), "value")
"""Where a click's body says what was chosen; a button sends its own value, which is not a choice."""


@dataclass
class Control:
    """Serves the page's requests; every answer is JSON with `ok`."""

    line: Line
    events: Events
    faults: Faults
    limits: Limits
    sockets: Sockets
    api: WebApi
    panel: Panel | None = None
    _streams: set[asyncio.Task[Any]] = field(default_factory=set)

    def routes(self) -> list[web.RouteDef]:
        acts: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "command": self._command,
            "shortcut": self._shortcut,
            "home": self._home,
            "message": self._message,
            "delete": self._delete,
            "join": self._join,
            "read": self._read,
            "faults": self._faults,
            "panel": self._panel,
        }
        posts = [web.post(f"/_emulator/{name}", _act(act)) for name, act in acts.items()]
        gets = {"state": self._state, "events": self._events, "calls": self._calls, "health": self._health}
        return posts + [web.get(f"/_emulator/{name}", handler) for name, handler in gets.items()]

    async def close(self, _: web.Application) -> None:
        """End the event streams, so that the server can stop."""
        for stream in tuple(self._streams):
            stream.cancel()

    async def _state(self, request: web.Request) -> web.Response:
        user = request.query.get("user") or first_person(self.line.slack)
        if user not in self.line.slack.users:
            return web.json_response({"ok": False, "error": "user_not_found"}, status=404)
        shown = picture(self.line.slack, user, _number(request, "most", MESSAGES_SHOWN))
        shown["panel"] = await self.panel.state() if self.panel else None
        shown["connected"] = self._connected()
        shown["faults"] = {"down": self.faults.down, "lost_acks": self.faults.lost_acks}
        return web.json_response({"ok": True, **shown})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `change` with the state's version, at once and then on every change."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        stream = web.StreamResponse(headers=headers)
        await stream.prepare(request)
        if task := asyncio.current_task():
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
        with suppress(ConnectionResetError):  # the reader closed the page
            await self._tell(stream)
        return stream

    async def _tell(self, stream: web.StreamResponse) -> None:
        slack = self.line.slack
        told = -1
        while True:
            if slack.version != told:
                told = slack.version
                await stream.write(f"event: change\ndata: {told}\n\n".encode())
            else:
                await stream.write(b": still here\n\n")
            await self._change_after(told)

    async def _change_after(self, told: int) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                while self.line.slack.version == told:
                    await self.line.slack.next_change()
        except TimeoutError:
            return

    async def _calls(self, request: web.Request) -> web.Response:
        limit = _number(request, "limit", CALLS_SHOWN)
        calls = [
            {"method": one.method, "args": one.args, "at": one.at.isoformat(), "outcome": one.outcome}
            for one in list(self.api.calls)[-limit:]
        ]
        return web.json_response({"ok": True, "calls": calls})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True, "connected": self._connected()})

    def _connected(self) -> Json:
        return {"sockets": len(self.sockets), "request_url": self.line.delivery.request_url}

    async def _click(self, body: Json) -> Json:
        chosen = next((body[key] for key in CHOSEN if body.get(key) is not None), None)
        touch = Touch(body["action_id"], body.get("block_id"), chosen, body.get("values") or {})
        where = body.get("view_id") or body["ts"]
        return _told(await clicks.click(self.line, body["user"], where, touch, times=body.get("times", 1)))

    async def _submit(self, body: Json) -> Json:
        return _told(await modals.submit(self.line, body["user"], body["view_id"], body.get("values") or {}))

    async def _close(self, body: Json) -> Json:
        cleared = bool(body.get("cleared"))
        return _told(await modals.close(self.line, body["user"], body["view_id"], cleared=cleared))

    async def _command(self, body: Json) -> Json:
        text = body.get("text", "")
        return _told(await commands.command(self.line, body["user"], body["channel"], body["command"], text))

    async def _shortcut(self, body: Json) -> Json:
        return _told(await commands.shortcut(self.line, body["user"], body["callback_id"]))

    async def _home(self, body: Json) -> Json:
        return _told(await presence.open_home(self.line, self.events, body["user"]) or Ack(acked=True))

    async def _message(self, body: Json) -> Json:
        thread_ts = body.get("thread_ts") or ""
        posted = await presence.say(
            self.line, self.events, body["user"], body["channel"], body["text"], thread_ts=thread_ts
        )
        return {"ok": True, "ts": posted["ts"]}

    async def _delete(self, body: Json) -> Json:
        self.line.channel(body["user"], body["channel"])
        self.line.slack.remove(self.line.slack.conversation(body["channel"]), body["ts"])
        return {"ok": True}

    async def _join(self, body: Json) -> Json:
        await presence.join(self.line, self.events, body["user"], body["channel"])
        return {"ok": True}

    async def _read(self, body: Json) -> Json:
        self.line.slack.mark_read(body["user"], body["channel"])
        return {"ok": True}

    async def _faults(self, body: Json) -> Json:
        """`method` with `kind`, `times`, `retry_after`; `down`, `drop_acks`, `disconnect`, `clear`."""
        if body.get("clear"):
            self.faults.clear()
        if "method" in body:
            times, retry_after = body.get("times", 1), body.get("retry_after", 1)
            self.faults.add(body["method"], body["kind"], times=times, retry_after=retry_after)
        if "down" in body:
            self.faults.down = bool(body["down"])
        if "rate_limits" in body:
            self.limits.enabled = bool(body["rate_limits"])
        self.faults.lost_acks += int(body.get("drop_acks", 0))
        if reason := body.get("disconnect"):
            await self.sockets.disconnect(reason)
        self.line.slack.changed()
        return {"ok": True}

    async def _panel(self, body: Json) -> Json:
        if self.panel is None:
            raise CannotDo("there is no panel")
        answer = await self.panel.act(body["action"])
        self.line.slack.changed()
        return {"ok": True, **answer}


def _act(act: Callable[[Json], Awaitable[Json]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that turns a JSON body into an act, and what cannot be done into an answer."""

    async def handle(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return web.json_response({"ok": False, "error": "JSON is wanted"}, status=415)
        try:
            body = json.loads(await request.text())
            return web.json_response(await act(body))
        except CannotDo as refusal:
            answer = {"ok": False, "acked": False, "status": None, "error": str(refusal)}
            return web.json_response(answer | ({"errors": refusal.fields} if refusal.fields else {}))
        except SlackError as refusal:
            return web.json_response(refusal.body())
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as malformed:
            return web.json_response({"ok": False, "error": f"malformed: {malformed!r}"}, status=400)

    return handle


def _number(request: web.Request, name: str, default: int) -> int:
    asked = request.query.get(name, "")
    return int(asked) if asked.isdecimal() else default


def _told(ack: Ack) -> Json:
    answer: Json = {"ok": ack.acked and not ack.field_errors, "acked": ack.acked, "status": ack.status}
    if ack.error:
        answer |= {"error": ack.error, "detail": ack.detail}
    return answer | {"errors": ack.field_errors} if ack.field_errors else answer
