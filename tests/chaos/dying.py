"""A worker in a process of its own that kills itself, for real, at one exact point of a thread's life."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any, TypedDict

import psycopg
from langgraph.graph import START, StateGraph

from bot.approvals import ApprovalRequest, Policy, Workflow, ask, effect_key
from bot.engine.advance import Engine
from bot.engine.catalog import Catalog
from bot.engine.graph import GraphRun
from bot.engine.ledger import Ledger
from bot.engine.thread_row import ThreadRow
from bot.engine.worker import Worker
from bot.postgres.jobs import Queue
from bot.postgres.pools import queue_pool, runs_pool

POINTS = (
    "before the first run",
    "in the first node",
    "after the pause is stored, before its row",
    "after its row, before the thread waits",
    "after the decision, before the mark",
    "after the mark, before the answer is sent",
    "after the answer, before the effect",
    "after the effect, before its checkpoint",
    "after the last checkpoint, before the thread is done",
    "after the thread is done, before the lock is given back",
)

_at: str | None = None


def reach(point: str) -> None:
    """Die here, if this is where to die."""
    if _at == point:
        os.kill(os.getpid(), signal.SIGKILL)


class State(TypedDict, total=False):
    drafted: bool
    decided: str
    paid: bool


def draft(state: State) -> State:
    reach("in the first node")
    return {"drafted": True}


def pay(state: State) -> State:
    decided = ask(ApprovalRequest(title="pay?")).verdict
    reach("after the answer, before the effect")
    with psycopg.connect(os.environ["DYING_EFFECTS"], autocommit=True) as world:
        world.execute("insert into effects values (%s) on conflict do nothing", (effect_key("payment"),))
        world.execute("insert into attempts values (%s)", (effect_key("payment"),))
    reach("after the effect, before its checkpoint")
    return {"decided": decided, "paid": True}


def workflow() -> Workflow:
    builder = StateGraph(State)
    builder.add_node("draft", draft)
    builder.add_node("pay", pay)
    builder.add_edge(START, "draft")
    builder.add_edge("draft", "pay")
    return Workflow(name="dying", graph=builder, policy=Policy(approvers=("U01MAYA",)))


def work(dsn: str, point: str | None) -> None:
    """Work off the queue; die at `point`, where one is given and it is reached."""
    global _at  # noqa: PLW0603  a process that dies has no better place for where
    _at = point
    os.environ["DYING_EFFECTS"] = dsn
    before(Engine, "_converge", lambda: reach("before the first run"))
    before(ThreadRow, "waits", lambda: reach("after its row, before the thread waits"))
    before(Ledger, "_send", lambda: reach("after the decision, before the mark"))
    before(GraphRun, "resume", lambda: reach("after the mark, before the answer is sent"))
    before(ThreadRow, "ends", lambda: reach("after the last checkpoint, before the thread is done"))
    after(Engine, "_converge", lambda: reach("after the thread is done, before the lock is given back"))
    after(GraphRun, "begin", lambda: reach("after the pause is stored, before its row"))
    asyncio.run(_drain(dsn))


def before(owner: Any, name: str, act: Callable[[], None]) -> None:
    method = getattr(owner, name)

    async def patched(*args: Any, **kwargs: Any) -> Any:
        act()
        return await method(*args, **kwargs)

    setattr(owner, name, patched)


def after(owner: Any, name: str, act: Callable[[], None]) -> None:
    method = getattr(owner, name)

    async def patched(*args: Any, **kwargs: Any) -> Any:
        done = await method(*args, **kwargs)
        act()
        return done

    setattr(owner, name, patched)


async def _drain(dsn: str) -> None:
    catalog = Catalog()
    catalog.add(workflow(), "dying")
    async with queue_pool(dsn) as pool, runs_pool(dsn, max_size=2) as runs:
        queue = Queue(pool)
        await queue.open()
        await Worker(queue, Engine(catalog, runs, queue).advance, _draw_nothing).drain()


async def _draw_nothing(message_id: str) -> None:
    return
