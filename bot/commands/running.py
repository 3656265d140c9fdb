"""`run`, `web`, `worker`, `clock`: a process until it is told to stop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from functools import partial

from psycopg import OperationalError

from bot import logs
from bot.commands.database import Database, database, ready
from bot.commands.told import WrongUsage
from bot.postgres.away import away
from bot.postgres.jobs import QUEUES
from bot.postgres.migrate import is_pooled, refuse_pooler
from bot.roles import loop, roles
from bot.roles.roles import Reached
from bot.roles.server import kept
from bot.roles.stopping import on_signals, with_parent
from bot.roles.waiting import until
from bot.settings import Settings

Body = Callable[[Settings, Database, asyncio.Event], Awaitable[None]]


SLACK_CLI = {"SLACK_BOT_TOKEN": "SLACK_CLI_XOXB", "SLACK_APP_TOKEN": "SLACK_CLI_XAPP"}
"""Where `slack run` puts the tokens of the app that it installed (slackapi/slack-cli, localserver.go)."""


def run(*, slack_cli: bool = False) -> None:
    """Run everything; under `slack run` with that command's tokens."""
    if slack_cli:
        take_tokens(os.environ)
    _process(_everything, migrates=True)


def take_tokens(environ: MutableMapping[str, str]) -> None:
    """Take the Slack CLI's tokens where none of ours are set."""
    for ours, theirs in SLACK_CLI.items():
        if theirs in environ:
            environ.setdefault(ours, environ[theirs])


def web() -> None:
    _process(_anywhere(roles.web, draws=True))


def clock() -> None:
    _process(_anywhere(roles.clock))


def worker(queues: str, concurrency: int | None, *, attached: bool) -> None:
    """`queues` is comma-separated, empty for all; `attached` ends it with the process that started it."""
    names = [name.strip() for name in queues.split(",") if name.strip()]
    if unknown := [name for name in names if name not in QUEUES]:
        raise WrongUsage(f"--queues: {unknown[0]!r} is not one of {', '.join(QUEUES)}")

    async def body(settings: Settings, found: Database, stop: asyncio.Event) -> None:
        await refuse_pooler(found.dsn)
        await roles.worker(settings, Reached(found.dsn), stop, concurrency or settings.concurrency, names)

    _process(body, direct=True, attached=attached)


async def _everything(settings: Settings, found: Database, stop: asyncio.Event) -> None:
    await refuse_pooler(found.direct)
    await roles.run(settings, await reached(found), stop, workers=found.direct)


def _anywhere(
    role: Callable[[Settings, Reached, asyncio.Event], Awaitable[None]], *, draws: bool = False
) -> Body:
    """Run a role through a transaction pooler, too; one that `draws` for workers looks for a way past it."""

    async def body(settings: Settings, found: Database, stop: asyncio.Event) -> None:
        await role(settings, await reached(found, draws=draws), stop)

    return body


async def reached(found: Database, *, draws: bool = False) -> Reached:
    """Look where a database's addresses lead to; `direct` may be one that only workers can reach."""
    if not await is_pooled(found.dsn):
        return Reached(found.dsn, direct=found.dsn)
    return Reached(found.dsn, pooled=True, direct=await _past_the_pooler(found) if draws else None)


async def _past_the_pooler(found: Database) -> str | None:
    try:
        return None if found.direct == found.dsn or await is_pooled(found.direct) else found.direct
    except OperationalError:
        return None


def _process(body: Body, *, direct: bool = False, migrates: bool = False, attached: bool = False) -> None:
    settings = Settings()
    logs.set_up(settings.log_format)
    with database(settings) as found:
        used = replace(found, dsn=found.direct) if direct else found
        loop.run(_until_stopped(body, settings, used, migrates=migrates, attached=attached))


async def _until_stopped(
    body: Body, settings: Settings, found: Database, *, migrates: bool, attached: bool
) -> None:
    stop = on_signals()
    if attached:
        with_parent(stop)
    for dsn in (found.dsn, found.direct) if migrates else (found.dsn,):
        if not await until(partial(away, dsn), "postgres_unreachable", stop):
            return
    await ready(found, migrates=migrates or found.embedded)
    async with kept(found.server, stop):
        await body(settings, found, stop)
