"""The engine alone on a cloned database: threads, pauses and decisions without a Slack."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from langgraph.graph import START, StateGraph

from bot.approvals import By, Decision, Policy, Vote, Workflow
from bot.approvals.states import Autonomy
from bot.approvals.timeout import timed_out
from bot.engine.advance import Engine
from bot.engine.catalog import Catalog
from bot.facts import sweeps, threads
from bot.facts.settle import settle
from bot.postgres import time_machine
from bot.postgres.fact import fact
from bot.postgres.jobs import Queue
from bot.postgres.pools import Pool, queue_pool, runs_pool
from bot.postgres.rows import Approval, Thread

MAYA, FINN = "U01MAYA", "U02FINN"


@dataclass
class Bench:
    """Engines over one database, and what a test does to their threads."""

    catalog: Catalog
    work: Pool
    runs: Pool
    queue: Queue
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = self.another()

    def another(self, catalog: Catalog | None = None) -> Engine:
        """Another worker's engine on the same database, with its own catalog after a deploy."""
        return Engine(catalog or self.catalog, self.runs, self.queue)

    def deploy(self, *workflows: Workflow) -> None:
        """All workers run other code from now on."""
        self.catalog = catalog_of(*workflows)
        self.engine = self.another()

    async def start(
        self, workflow: str = "demo", given: dict[str, Any] | None = None, autonomy: Autonomy = "on_action"
    ) -> str:
        """Record a thread; nothing runs yet."""
        async with self.work.connection() as conn:
            begin = threads.Start(workflow, given or {}, "cli:test", FINN, autonomy=autonomy)
            return await threads.start(conn, self.queue, begin)

    async def run(
        self, workflow: str = "demo", given: dict[str, Any] | None = None, autonomy: Autonomy = "on_action"
    ) -> str:
        """Start a thread and run it to where it waits or ends."""
        thread_id = await self.start(workflow, given, autonomy)
        await self.drain()
        return thread_id

    async def drain(self) -> int:
        """Run the threads that the queue wants run, until it wants none; returns how often one was run."""
        count = 0
        while jobs := await self.rows(_TAKE):
            for job in jobs:
                await self.engine.advance(job["thread_id"])
                count += 1
        return count

    async def sweep(self, after: timedelta = timedelta(seconds=6)) -> int:
        """Let time pass, sweep once, and run what that woke; returns how many runs it took."""
        async with self.work.connection() as conn:
            await time_machine.shift(conn, after)
            await sweeps.threads_behind(conn, self.queue)
        return await self.drain()

    async def decide(
        self,
        approval: Approval,
        verdict: str = "approve",
        *,
        by: str = MAYA,
        words: str | None = None,
        comment: str | None = None,
        proposal: Any = None,
    ) -> None:
        """Record a person's decision; the graph is not resumed yet."""
        async with self.work.connection() as conn, fact(conn, self.queue) as recorded:
            now = await threads.moment(conn)
            vote = Vote(user=by, verdict=verdict, at=now, text=words, comment=comment, standing="named")
            decision = Decision(
                verdict=verdict,
                by=By(kind="human", user=by),
                proposal=approval.proposal if proposal is None else proposal,
                text=words,
                comment=comment,
                decided_at=now,
                votes=(vote,),
            )
            thread = await threads.load(conn, approval.thread_id)
            await settle(recorded, approval, thread, decision, status="decided")

    async def expire(self, approval: Approval) -> None:
        """Record that nobody answered in time."""
        async with self.work.connection() as conn, fact(conn, self.queue) as recorded:
            decision = timed_out(
                approval.request, approval.sla.fallback, delivered=True, at=await threads.moment(conn)
            )
            thread = await threads.load(conn, approval.thread_id)
            await settle(recorded, approval, thread, decision, status="expired")

    async def answer(self, approval: Approval, verdict: str = "approve", **said: Any) -> None:
        """Decide, and let the graph follow."""
        await self.decide(approval, verdict, **said)
        await self.drain()

    async def cancel(self, thread_id: str, reason: str = "not needed") -> None:
        async with self.work.connection() as conn:
            await threads.cancel(conn, self.queue, thread_id, reason, "cli:test")

    async def retry(self, thread_id: str) -> None:
        async with self.work.connection() as conn:
            await threads.retry(conn, self.queue, thread_id, "cli:test")

    async def thread(self, thread_id: str) -> Thread:
        async with self.work.connection() as conn:
            return await threads.load(conn, thread_id)

    async def approvals(self, thread_id: str, status: str | None = None) -> list[Approval]:
        """The thread's approvals, oldest first; of one status, where given."""
        rows = await self.rows(
            "select * from approvals where thread_id = %s order by created_at, approval_id", thread_id
        )
        found = [Approval.of(row) for row in rows]
        return [approval for approval in found if status in (None, approval.status)]

    async def pending(self, thread_id: str) -> dict[str, Approval]:
        """What waits for people, by title."""
        return {a.request.title: a for a in await self.approvals(thread_id, "pending")}

    async def events(self, thread_id: str) -> list[str]:
        """The thread's audit, oldest first: what happened."""
        rows = await self.rows("select body from audit where chain = %s order by n", thread_id)
        return [json.loads(row["body"])["event"] for row in rows]

    async def told_ops(self, thread_id: str) -> list[str]:
        rows = await self.rows(
            "select body from messages where thread_id = %s and kind = 'ops' order by created_at", thread_id
        )
        return [row["body"]["problem"] for row in rows]

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.work.connection() as conn:
            return await (await conn.execute(query, values)).fetchall()

    async def execute(self, statement: str, *values: Any) -> None:
        async with self.work.connection() as conn:
            await conn.execute(statement, values)

    async def now(self) -> datetime:
        (row,) = await self.rows("select signoff_now() as now")
        return row["now"]


@asynccontextmanager
async def bench(database: str, *workflows: Workflow) -> AsyncIterator[Bench]:
    """Open an engine that knows these workflows on a migrated database."""
    async with queue_pool(database) as work, runs_pool(database, max_size=6) as runs:
        queue = Queue(work)
        await queue.open()
        async with work.connection() as conn:
            await time_machine.install(conn)
        yield Bench(catalog_of(*workflows), work, runs, queue)


def catalog_of(*workflows: Workflow) -> Catalog:
    catalog = Catalog()
    for workflow in workflows:
        catalog.add(workflow, workflow.name)
    assert catalog.problems == {}
    return catalog


def flow(graph: Any, **declared: Any) -> Workflow:
    """A workflow called demo, unless declared otherwise."""
    return Workflow(**{"name": "demo", "graph": graph, "policy": Policy(approvers=(MAYA,))} | declared)


def chain(state: Any, *nodes: Any, names: tuple[str, ...] = ()) -> StateGraph:
    """A graph of nodes one after another."""
    builder = StateGraph(state)
    before = START
    for node, name in zip(nodes, names or (n.__name__ for n in nodes), strict=True):
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    return builder


def side_by_side(state: Any, *nodes: Any) -> StateGraph:
    """A graph of nodes in one step."""
    builder = StateGraph(state)
    for node in nodes:
        builder.add_node(node.__name__, node)
        builder.add_edge(START, node.__name__)
    return builder


_TAKE = """
delete from procrastinate_jobs where status = 'todo' and task_name = 'signoff.advance'
returning args ->> 'thread_id' as thread_id
"""
