"""`run`, `web`, `worker`, `clock`: a process until it is told to stop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping

from bot import logs
from bot.commands.database import database, ready
from bot.postgres.migrate import refuse_pooler
from bot.roles import loop, roles
from bot.roles.stopping import on_signals, with_parent
from bot.settings import Settings

Body = Callable[[Settings, str, asyncio.Event], Awaitable[None]]


SLACK_CLI = {"SLACK_BOT_TOKEN": "SLACK_CLI_XOXB", "SLACK_APP_TOKEN": "SLACK_CLI_XAPP"}
"""Where `slack run` puts the tokens of the app that it installed (slackapi/slack-cli, localserver.go)."""


def run(*, slack_cli: bool = False) -> None:
    """Run everything; under `slack run` with that command's tokens."""
    if slack_cli:
        take_tokens(os.environ)
    _process(roles.run, migrates=True)


def take_tokens(environ: MutableMapping[str, str]) -> None:
    """Take the Slack CLI's tokens where none of ours are set."""
    for ours, theirs in SLACK_CLI.items():
        if theirs in environ:
            environ.setdefault(ours, environ[theirs])


def web() -> None:
    _process(roles.web)


def clock() -> None:
    _process(roles.clock)


def worker(queues: str, concurrency: int | None, *, attached: bool) -> None:
    """`queues` is comma-separated, empty for all; `attached` ends it with the process that started it."""
    names = [name.strip() for name in queues.split(",") if name.strip()]

    async def body(settings: Settings, dsn: str, stop: asyncio.Event) -> None:
        await roles.worker(settings, dsn, stop, concurrency or settings.concurrency, names)

    _process(body, attached=attached)


def _process(body: Body, *, migrates: bool = False, attached: bool = False) -> None:
    settings = Settings()
    logs.set_up(settings.log_format)
    with database(settings) as found:
        loop.run(
            _until_stopped(body, settings, found.dsn, migrates=migrates or found.embedded, attached=attached)
        )


async def _until_stopped(body: Body, settings: Settings, dsn: str, *, migrates: bool, attached: bool) -> None:
    stop = on_signals()
    if attached:
        with_parent(stop)
    await refuse_pooler(dsn)
    await ready(dsn, migrates=migrates)
    await body(settings, dsn, stop)
