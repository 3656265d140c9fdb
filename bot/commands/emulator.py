"""`emulator`: the local Slack alone."""

from __future__ import annotations

import asyncio
import errno

from bot import logs
from bot.commands.printing import say
from bot.emulator import serve
from bot.postgres import embedded


def emulator(port: int, request_url: str | None, *, forget: bool, rate_limits: bool) -> None:
    """Run it until it is stopped; its messages survive in a file unless `forget`."""
    logs.set_up()
    path = None if forget else embedded.home() / "emulator" / "slack.sqlite"
    serving = serve(port=port, path=path, request_url=request_url, rate_limits=rate_limits, announce=say)
    try:
        asyncio.run(serving)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        from bot.roles.http import no_page

        raise no_page(error, port, "emulator") from error
