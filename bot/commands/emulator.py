"""`emulator`: the local Slack alone."""

from __future__ import annotations

import asyncio
import errno
import re

from bot import logs
from bot.commands.printing import say
from bot.commands.told import WrongUsage
from bot.emulator import serve
from bot.postgres import embedded


def emulator(port: int, request_url: str | None, *, forget: bool, rate_limits: bool) -> None:
    """Run it until it is stopped; its messages survive in a file unless `forget`."""
    if request_url is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", request_url):
        raise WrongUsage("--request-url: write the whole address, e.g. http://127.0.0.1:3000/slack/events")
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
