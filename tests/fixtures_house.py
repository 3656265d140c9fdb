"""A whole house on a cloned database and a local Slack of its own, as most tests of behaviour want it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.api.app import http_app
from bot.approvals import Workflow
from bot.emulator import Emulator
from bot.emulator.delivery import Ack
from bot.engine import catalog
from bot.facts.threads import Start, load, start
from bot.house import House, opened
from bot.patience import USUAL, Patience
from bot.postgres import time_machine
from bot.postgres.rows import Approval, Thread
from bot.roles.slack import socket_handler
from bot.settings import Settings
from bot.slack.delivery.showing import Showing
from workflows import effects

MAYA, FINN, DANA, OKEY = "U01MAYA", "U02FINN", "U03DANA", "U04OKEY"
ROSA, CLEO, OTTO, GWEN = "U05ROSA", "U06CLEO", "U07OTTO", "U08GWEN"
BUILDER, LENA, XENO = "U09BOTT", "U10LEFT", "U11XENO"
FINANCE, ONCALL, SUPPORT, OPS = "C01FINANCE", "C02ONCALL", "C03SUPPORT", "C04OPS"

PATIENCE = 30.0
"""Seconds that Slack waits here for an ack, so that a busy machine fails no test that is not about that."""

UNHURRIED = Patience(
    connection=20, lock=20, statement=20, database=20, look_up=20, redraw=20, answer=PATIENCE - 5
)
"""And how long a click waits for what it needs, as a rule."""

Row = dict[str, Any]


class ShownWhenAsked(Showing):
    """Holds what clicks recorded until a test waits for it: till then a card is as it was clicked on."""

    def __init__(self, draw: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(draw, patience=0.0)
        self._held: list[str] = []

    def soon(self, message_ids: Sequence[str]) -> None:
        self._held.extend(message_ids)

    async def idle(self) -> None:
        held, self._held = self._held, []
        super().soon(held)
        await super().idle()


@dataclass(frozen=True)
class Running:
    """A house that runs, the Slack it talks to, and what a test does to both."""

    house: House
    slack: Emulator
    dsn: str

    async def start(
        self, workflow: str, given: Row, requester: str | None = None, starter: str = "cli:test"
    ) -> str:
        """Record a thread; `drain` runs it."""
        async with self.house.work.connection() as conn:
            return await start(conn, self.house.queue, Start(workflow, given, starter, requester))

    async def run(
        self, workflow: str, given: Row, requester: str | None = None, starter: str = "cli:test"
    ) -> str:
        """Start a thread and run it to where it waits or ends."""
        thread_id = await self.start(workflow, given, requester, starter)
        await self.drain()
        return thread_id

    async def drain(self) -> None:
        """Let what was clicked be shown, and work off the queue until nothing is left in it."""
        await self.house.desk.showing.idle()
        await self.house.worker.drain()

    async def thread(self, thread_id: str) -> Thread:
        async with self.house.work.connection() as conn:
            return await load(conn, thread_id)

    async def approvals(self, thread_id: str) -> list[Approval]:
        """The thread's approvals, oldest first."""
        rows = await self.rows(
            "select * from approvals where thread_id = %s order by created_at, approval_id", thread_id
        )
        return [Approval.of(row) for row in rows]

    async def approval(self, thread_id: str) -> Approval:
        """The thread's only approval."""
        (only,) = await self.approvals(thread_id)
        return only

    async def audit(self, chain: str) -> list[Row]:
        """The bodies of an audit chain, oldest first: `event`, `actor`, `data`, `at`."""
        rows = await self.rows("select body from audit where chain = %s order by n", chain)
        return [json.loads(row["body"]) for row in rows]

    async def rows(self, query: str, *values: Any) -> list[Row]:
        async with self.house.work.connection() as conn:
            return await (await conn.execute(query, values)).fetchall()

    async def execute(self, statement: str, *values: Any) -> None:
        async with self.house.work.connection() as conn:
            await conn.execute(statement, values)

    def cards(self, channel: str) -> list[Row]:
        """The messages at the top of a channel, oldest first; replies left out."""
        return [m for m in self.slack.messages(channel) if m.get("thread_ts") in (None, m["ts"])]

    def card(self, channel: str) -> Row:
        """The newest message at the top of a channel."""
        return self.cards(channel)[-1]

    async def click(self, user: str, channel: str, action_id: str) -> Ack:
        """Click on the newest card of a channel."""
        return await self.slack.click(user, self.card(channel), action_id)

    async def now(self) -> datetime:
        (row,) = await self.rows("select signoff_now() as now")
        return row["now"]

    async def pass_time(self, by: timedelta) -> None:
        """Move the database's clock; nothing is swept by that."""
        async with self.house.work.connection() as conn:
            await time_machine.shift(conn, by)

    async def travel(self, when: datetime) -> None:
        """Set the database's clock to an aware moment, from which it runs on."""
        async with self.house.work.connection() as conn:
            await time_machine.set_to(conn, when)
            await conn.execute(_REACHABLE)

    async def slack_was_reachable(self) -> None:
        """Let Slack have been reachable for long, so that what is due may expire."""
        await self.execute(_REACHABLE)


@asynccontextmanager
async def running_house(
    database: str,
    *,
    socket: bool = True,
    slack: Emulator | None = None,
    extra: tuple[str, ...] = (),
    patience: Patience = UNHURRIED,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Open a house on a migrated database. `settings` by their environment names.

    Without `socket` nothing is connected: payloads then go to the emulator's `delivery.request_url`. A given
    `slack` is already started, and stays its owner's to stop. What is about a click's deadlines gives `USUAL`
    as its `patience`.
    """
    if slack is None:
        async with (
            Emulator(rate_limits=False, ack_seconds=PATIENCE) as own,
            running_house(
                database, socket=socket, slack=own, extra=extra, patience=patience, **settings
            ) as running,
        ):
            yield running
        return
    quiet = {"SIGNOFF_OPS_CHANNEL": "#signoff-ops", "SIGNOFF_DIGEST_TIMES": ""}  # no test goes by the hour
    environment = slack.environment() | quiet | settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(effects.VARIABLE, database)
        patch.setattr(catalog, "compiled", _compiled_once)
        patch.setattr("bot.house.Showing", ShownWhenAsked)
        try:
            async with opened(Settings(**environment), database, extra, patience=patience) as house:
                if patience is not USUAL:
                    let_bolt_wait(house)
                running = Running(house, slack, database)
                async with house.work.connection() as conn:
                    await time_machine.install(conn)
                    await conn.execute(_REACHABLE)
                async with _connected(house, slack) if socket else _unconnected():
                    yield running
        finally:
            effects.close()


def let_bolt_wait(house: House) -> None:
    """Let Bolt wait for an ack as long as Slack does here: after three seconds it would give none."""
    for listener in house.bolt._async_listeners:
        listener.ack_timeout = int(PATIENCE)


_COMPILED: dict[int, tuple[Workflow, Any]] = {}


def _compiled_once(workflow: Workflow, compiled: Any = catalog.compiled) -> Any:
    """Compile a workflow in the first house that loads it: it is the slow part of opening one."""
    if id(workflow) not in _COMPILED:
        _COMPILED[id(workflow)] = (workflow, compiled(workflow))
    return _COMPILED[id(workflow)][1]


@asynccontextmanager
async def _connected(house: House, slack: Emulator) -> AsyncIterator[None]:
    handler = socket_handler(house.bolt, slack.state.workspace.app_token)
    await handler.connect_async()
    try:
        yield
    finally:
        await handler.close_async()


@asynccontextmanager
async def _unconnected() -> AsyncIterator[None]:
    yield


_REACHABLE = """
update slack_workspace set ok_since = signoff_now() - interval '365 days', checked_at = signoff_now()
"""


TOKEN = "a-token-of-the-tests"


@asynccontextmanager
async def api_client(running: Running, token: str | None = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
    """A program that calls the house's HTTP, without a network."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    # A fault of ours is an answer here, as it is over a network.
    transport = httpx.ASGITransport(app=http_app(running.house), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://signoff", headers=headers) as client:
        yield client
