"""Approvals as rows alone, without a graph or a Slack: for what only Postgres can prove."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from bot.approvals import ApprovalRequest, Policy, Workflow
from bot.facts import threads
from bot.facts.pauses import Pause
from bot.facts.registering import register
from bot.facts.threads import Start
from bot.facts.votes import Click, NotRecorded, Recorded, cast
from bot.postgres.fact import fact
from bot.postgres.jobs import Queue
from bot.postgres.pools import Pool, queue_pool
from bot.postgres.rows import Approval

MAYA, FINN, DANA, OTTO, ROSA = "U01MAYA", "U02FINN", "U03DANA", "U07OTTO", "U05ROSA"
GRACE = timedelta(minutes=10)
REQUEST = ApprovalRequest(
    title="Pay Acme", proposal={"amount": "5.00", "seats": 40}, allow=("approve", "reject", "respond", "edit")
)


@dataclass(frozen=True)
class Book:
    """A database with people in it, whose approvals are asked for and answered by calls."""

    pool: Pool
    queue: Queue

    async def ask(self, policy: Policy, request: ApprovalRequest = REQUEST) -> Approval:
        async with self.pool.connection() as conn:
            thread_id = await threads.start(conn, self.queue, Start("asked", {}, "cli:test", ROSA))
            thread = await threads.load(conn, thread_id)
            workflow = Workflow(name="asked", graph=None, channel="#finance", policy=policy)
            async with fact(conn, self.queue) as recorded:
                now = await threads.moment(conn)
                await register(recorded, thread, workflow, Pause.of("i1", request.payload()), now)
        return await self.approval(thread_id)

    async def approval(self, thread_id: str) -> Approval:
        (row,) = await self.rows("select * from approvals where thread_id = %s", thread_id)
        return Approval.of(row)

    async def cast(self, approval: Approval, user: str, **said: Any) -> Recorded | NotRecorded:
        """Click as `user`; an approval of the revision at hand unless told otherwise."""
        told = {"verdict": "approve", "revision": approval.revision, "team": "T1"} | said
        click = Click(user=user, approval_id=approval.approval_id, **told)
        async with self.pool.connection() as conn:
            return await cast(conn, self.queue, click, GRACE)

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn:
            return await (await conn.execute(query, values)).fetchall()

    async def execute(self, statement: str, *values: Any) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(statement, values)

    async def events(self, chain: str) -> list[dict[str, Any]]:
        rows = await self.rows("select body from audit where chain = %s order by n", chain)
        return [json.loads(row["body"]) for row in rows]


@asynccontextmanager
async def opened_book(database: str) -> AsyncIterator[Book]:
    async with queue_pool(database, max_size=12) as pool:
        queue = Queue(pool)
        await queue.open()
        async with pool.connection() as conn:
            await conn.execute(
                "update slack_workspace "
                "set team_id = 'T1', ok_since = now() - interval '1 day', checked_at = now()"
            )
            profile = {"team_id": "T1", "is_bot": False, "is_guest": False, "is_deactivated": False}
            for user in (MAYA, FINN, DANA, OTTO, ROSA):
                await conn.execute("insert into people values (%s, %s, now())", (user, Jsonb(profile)))
        yield Book(pool, queue)


async def blocked(at: Any) -> None:
    """Return when somebody waits for a lock in this database."""
    query = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while not await at.rows(query):
        pass
