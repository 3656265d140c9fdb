"""One thread's graph on one connection: read it, run it, resume it by proof."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt
from psycopg import AsyncConnection

from bot.approvals.errors import BadRequest
from bot.engine.plan import Snapshot, StoppedSilently
from bot.facts.pauses import Pause

STRICT_RESUME = "__pregel_strict_resume"
"""LangGraph's private switch that makes it refuse an id that is not pending (contract-tested)."""

_INTERRUPT_ID = re.compile(r"[0-9a-f]{32}")


class GraphRun:
    """A thread's graph with a saver of its own over the connection that holds the thread's lock."""

    def __init__(self, graph: Pregel[Any, Any, Any, Any], conn: AsyncConnection[Any], thread_id: str) -> None:
        self._graph = graph.copy({"checkpointer": AsyncPostgresSaver(conn)})
        self._config: Any = {"configurable": {"thread_id": thread_id, STRICT_RESUME: True}}

    async def read(self) -> Snapshot:
        """Read where the graph stands; raises `BadRequest` for a pause that cannot be asked about."""
        state = await self._graph.aget_state(self._config)
        return Snapshot(
            started=state.created_at is not None,
            unfinished=bool(state.next),
            failed=any(task.error is not None for task in state.tasks),
            pauses=pauses(state.interrupts),
            values=state.values,
        )

    async def begin(self, given: Any) -> Snapshot:
        return await self._run(given)

    async def drive(self) -> Snapshot:
        """Run on from the checkpoint; raises `StoppedSilently` where that gets nowhere.

        A graph that returns without an end and without a pause stands at a breakpoint, which looks just like
        a crash: it is never stepped over.
        """
        await self._run(None)
        snapshot = await self.read()
        if snapshot.unfinished and not snapshot.pauses and not snapshot.failed:
            raise StoppedSilently("The graph stopped before a node without asking; it was not stepped over.")
        return snapshot

    async def resume(self, answers: Mapping[str, Any]) -> Snapshot:
        """Send each answer to its interrupt id. Never a bare value: that would answer whatever is pending."""
        return await self._run(Command(resume=dict(answers)))

    async def _run(self, given: Any) -> Snapshot:
        result = await self._graph.ainvoke(given, self._config, durability="sync")
        return _after_run(result)


def _after_run(result: Any) -> Snapshot:
    """Read what a run that returned says of itself, which saves asking the checkpointer.

    Its pauses are all that are pending. Without any it has ended: graphs that could stop otherwise (static
    breakpoints) are refused when they are loaded.
    """
    values = dict(result) if isinstance(result, dict) else {"result": result}
    found = pauses(values.pop("__interrupt__", ()))
    return Snapshot(started=True, unfinished=bool(found), failed=False, pauses=found, values=values)


def pauses(interrupts: Any) -> tuple[Pause, ...]:
    """Read interrupts; raises `BadRequest` where one has no id (NodeInterrupt) or cannot be asked."""
    return tuple(_pause(interrupt) for interrupt in interrupts)


def _pause(interrupt: Interrupt) -> Pause:
    if not _INTERRUPT_ID.fullmatch(interrupt.id):
        raise BadRequest("The graph raised NodeInterrupt, which has no id to answer; call ask() instead.")
    return Pause.of(interrupt.id, interrupt.value)
