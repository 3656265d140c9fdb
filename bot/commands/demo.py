"""`demo`: everything on this machine, with nothing to set up."""

from __future__ import annotations

import asyncio
import os
import shlex
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from bot import logs
from bot.commands.printing import say
from bot.demo.show import home, show
from bot.postgres import embedded
from bot.roles.server import kept
from bot.roles.stopping import on_signals

_FIRST = """
  {page}/

  Approve, edit, reject or answer what waits: in #finance-approvals as Maya, in #on-call as Okey, in
  #support-review as Cleo, in #general as Rosa. Where nothing does, the panel starts any workflow.
  Switch to Rosa (top left) and see what she may not do; move the clock, and see who is reminded.
"""
_SECOND = """
  In another terminal: {there}, then `signoff threads`, `signoff show THREAD`.
  The HTTP API: curl -H 'Authorization: Bearer {token}' {api}/v1/approvals
  Ctrl-C stops it; threads and messages stay for the next time (`--fresh` forgets them).
"""
_STOPPING = "\nStopping, once what is under way has ended; Ctrl-C again ends it at once."


def demo(port: int, *, open_page: bool, fresh: bool) -> None:
    """Run the demo until Ctrl-C."""
    os.environ.setdefault("SIGNOFF_LOG_FORMAT", "console")
    os.environ.setdefault("SIGNOFF_LOG_LEVEL", "warning")
    logs.set_up(os.environ["SIGNOFF_LOG_FORMAT"])
    with home(fresh=fresh) as folder:
        there = beside(folder, os.environ)
        say("Starting Postgres and a local Slack…")
        with embedded.start(folder) as server:

            def announce(page: str, api: str, token: str) -> None:
                say((_FIRST + _SECOND).format(page=page, api=api, token=token, there=there))
                if open_page:
                    webbrowser.open(page)

            async def main() -> None:
                stop = on_signals(lambda: say(_STOPPING))
                async with kept(server, stop):
                    await show(folder, server.dsn, port, stop, announce)

            asyncio.run(main())
    say("Stopped; `signoff demo` continues from here.")


def beside(folder: Path, environ: Mapping[str, str]) -> str:
    """Say what to type in another terminal, as set up as this one, so that commands are the demo's."""
    own = [name for name in ("DATABASE_URL", "SIGNOFF_DIRECT_DATABASE_URL") if environ.get(name)]
    leaves = f"unset {' '.join(own)}; " if own else ""
    return f"{leaves}export SIGNOFF_HOME={shlex.quote(str(folder))}"
