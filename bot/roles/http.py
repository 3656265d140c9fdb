"""The HTTP server: uvicorn on a port that is known to be free before anything else starts."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from bot.approvals.errors import SignoffError
from bot.roles.slack import drained

GRACE_SECONDS = 5

KEEP_ALIVE_SECONDS = 100
"""Longer than a proxy keeps an idle connection (60 s in nginx and AWS', 90 s in Heroku's).

Whoever closes it first may do so just as the other sends: a click would meet a closed connection.
"""


class PortTaken(SignoffError):
    """Somebody else listens there, or it is not ours to listen on."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process, which ends all its parts in order."""
        yield


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises `PortTaken`. Port 0 finds a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise PortTaken(f"{host}:{port} {_why(error)}: set PORT, or HOST, to another.") from error


def no_page(error: OSError, port: int, command: str) -> PortTaken:
    """Say why the local Slack's page cannot be on a port, and how to put it on another."""
    return PortTaken(f"Port {port} {_why(error)}: `signoff {command} --port` takes another.")


def _why(error: OSError) -> str:
    taken = error.errno == errno.EADDRINUSE
    return "is taken" if taken else f"cannot be listened on ({error.strerror or error})"


async def serve(app: ASGIApp, listening: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; requests under way are answered, and their listeners finish."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",  # nothing here speaks it: whoever asked for it at the API met a fault, without a token
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving
    await drained()
