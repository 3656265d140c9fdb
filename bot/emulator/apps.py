"""apps.*: where a socket connects to."""

from __future__ import annotations

import secrets
from typing import Final

from bot.emulator.method import Call, Method, Token
from bot.emulator.workspace import Json


def open_connection(call: Call) -> Json:
    """A WebSocket address that works once."""
    ticket = secrets.token_urlsafe(16)
    call.slack.socket_tickets.add(ticket)
    return {"url": f"{call.origin.replace('http', 'ws', 1)}/link/?ticket={ticket}"}


METHODS: Final = {"apps.connections.open": Method(open_connection, ("connections:write",), 50, Token.APP)}
