"""What each process does, on a database that is ready, until `stop` is set."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from bot.api.app import http_app
from bot.approvals.errors import SignoffError
from bot.clock import run_clock
from bot.house import House, opened
from bot.roles.child import keep_worker
from bot.roles.drawing import draw_for_workers
from bot.roles.http import bound, serve
from bot.roles.loop import make_room, spare_what_stays
from bot.roles.outgrown import outgrown
from bot.roles.slack import listen, proven
from bot.settings import Settings
from workflows import effects

log = structlog.get_logger("signoff.process")


class NothingToListenTo(SignoffError):
    """Neither a socket nor signed requests: no click could ever be heard."""


@dataclass(frozen=True)
class Reached:
    """The database of a role; `pooled` says that its DSN leads to a transaction pooler.

    `direct` leads past that to Postgres itself; None where no such way is known.
    """

    dsn: str
    pooled: bool = False
    direct: str | None = None


async def web(settings: Settings, database: Reached, stop: asyncio.Event) -> None:
    """Hear Slack and serve HTTP; returns after what was under way has finished."""
    _hears(settings)
    with bound(settings.host, settings.port) as listening:
        async with _at_work(settings, database, stop) as (house, parts):
            hear(parts, house, listening, stop, database.direct)


async def clock(settings: Settings, database: Reached, stop: asyncio.Event) -> None:
    """Tick; any number of clocks may."""
    async with _at_work(settings, database, stop) as (house, parts):
        log.info("clock_runs", every_seconds=settings.sweep_seconds)
        parts.create_task(run_clock(house, stop))


async def worker(
    settings: Settings, database: Reached, stop: asyncio.Event, concurrency: int, queues: Collection[str]
) -> None:
    """Run graphs and draw messages."""
    make_room(concurrency)
    os.environ.setdefault(effects.VARIABLE, database.dsn)
    sized = settings.model_copy(update={"concurrency": concurrency})
    async with _at_work(sized, database, stop) as (house, parts):
        for source, why in house.catalog.problems.items():
            log.warning("workflow_left_out", source=source, why=why)
        log.info("worker_runs", concurrency=concurrency, workflows=sorted(house.catalog.entries))
        parts.create_task(house.worker.run(stop, concurrency=concurrency, queues=queues or None))


async def run(settings: Settings, database: Reached, stop: asyncio.Event, workers: str) -> None:
    """Do everything on one machine: listeners and clock here, workers in a child process.

    `workers` is the DSN of the child's, Postgres itself.
    """
    _hears(settings)
    with bound(settings.host, settings.port) as listening:
        async with _at_work(settings, database, stop) as (house, parts):
            parts.create_task(keep_worker(stop, {"DATABASE_URL": workers}))
            hear(parts, house, listening, stop, workers)
            parts.create_task(run_clock(house, stop))


@asynccontextmanager
async def _at_work(
    settings: Settings, database: Reached, stop: asyncio.Event
) -> AsyncIterator[tuple[House, asyncio.TaskGroup]]:
    """Open the house, and leave it when its parts have ended.

    Slack may be away meanwhile. Raises what `proven` returns where Slack, once it answers, will not have us,
    and what `outgrown` does where a newer Signoff has migrated the database past this one.
    """
    async with opened(settings, database.dsn, pooled=database.pooled) as house:
        spare_what_stays()
        async with asyncio.TaskGroup() as parts:
            proving = parts.create_task(proven(house.badge, stop))
            watching = parts.create_task(outgrown(house.work, stop))
            yield house, parts
        if (refusal := proving.result() or watching.result()) is not None:
            raise refusal


def hear(
    parts: asyncio.TaskGroup,
    house: House,
    listening: socket.socket,
    stop: asyncio.Event,
    direct: str | None,
) -> None:
    """Start what the settings open: Socket Mode, signed requests, the HTTP API; health in any case.

    Where there is a `direct` way to Postgres, what workers record is drawn here.
    """
    settings = house.settings
    if direct is not None:
        parts.create_task(draw_for_workers(house, direct, stop))
    if settings.slack_app_token:
        parts.create_task(listen(house, settings.slack_app_token.get_secret_value(), stop))
    parts.create_task(serve(http_app(house), listening, stop))
    host, port = listening.getsockname()[:2]
    log.info(
        "listening",
        team=house.badge.team,
        socket_mode=settings.slack_app_token is not None,
        slack_requests=settings.slack_signing_secret is not None,
        api=bool(settings.api_tokens),
        address=f"http://{host}:{port}",
    )


def _hears(settings: Settings) -> None:
    if settings.slack_bot_token and not (settings.slack_app_token or settings.slack_signing_secret):
        raise NothingToListenTo(
            "Neither SLACK_APP_TOKEN (Socket Mode) nor SLACK_SIGNING_SECRET (HTTP) is set, "
            "so no click could arrive; `signoff doctor` says what is missing."
        )
