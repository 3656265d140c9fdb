"""What the tasks of a checkpoint have written: more of what they ask than a look at the state says."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import StateSnapshot

from bot.engine.handlers import Handled, handled, pending
from bot.engine.stepping import steps_into


class Written:
    """The writes of tasks, each read where a question about them comes up."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self._saver = saver

    async def handled(self, state: StateSnapshot) -> Handled:
        """Find what error handlers ask; only where something has raised is there anything to look up."""
        if all(task.error is None for task in state.tasks):
            return Handled()
        return handled(state, await self._writes(state.config))

    async def asks(self, config: Any) -> frozenset[str]:
        """Find the interrupts that a checkpoint holds of tasks that have not finished."""
        asking = pending(await self._writes(config))
        return frozenset(interrupt.id for _, value in asking for interrupt in value)

    async def stranded_within(self, graph: Any, state: StateSnapshot) -> frozenset[str]:
        """Find interrupts of subgraphs that no node of theirs asks any more; a graph still lists them."""
        found: frozenset[str] = frozenset()
        for task in state.tasks:
            inner = task.state
            if not isinstance(inner, StateSnapshot) or not steps_into(graph, task.name):
                continue
            still = (await self.handled(inner)).interrupts(inner)
            gone = {one.id for one in task.interrupts} - {one.id for one in still}
            if gone:
                # What was answered before a crash is gone, too, but the newest checkpoint does not hold it.
                found |= gone & await self.asks(inner.config)
            found |= await self.stranded_within(graph.nodes[task.name].bound, inner)
        return found

    async def _writes(self, config: Any) -> list[Any]:
        held = await self._saver.aget_tuple(config)
        return held.pending_writes if held and held.pending_writes else []
