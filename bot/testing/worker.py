"""One thread's graph, its checkpoints in memory, brought to where the rows say it should be."""

from __future__ import annotations

import copy
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel

from bot.approvals.changes import changes
from bot.approvals.state import Misfit
from bot.approvals.states import THREAD_ENDED
from bot.engine.advance import graph_run, run_to_rest
from bot.engine.catalog import Entry
from bot.engine.graph import GraphRun
from bot.engine.kept import by_field
from bot.engine.plan import Snapshot
from bot.engine.raised import NodeRaised
from bot.testing.rows import Rows


class Worker:
    """Runs one thread as a worker does; `entry` is what is deployed, `error` what was raised last."""

    def __init__(self, entry: Entry, rows: Rows) -> None:
        self.entry = entry
        self.error: BaseException | None = None
        self._rows = rows
        self._saver = InMemorySaver()

    async def converge(self, *, untouched: bool = False) -> None:
        """Go on to where people or code are waited for; what raised is tried again at once, as declared."""
        while self._rows.thread.status not in THREAD_ENDED:
            try:
                if await self._rests(untouched=untouched):
                    return
            except Misfit as misfit:
                self.error = misfit
                self._rows.hold(str(misfit))
                return
            except Exception as error:  # noqa: BLE001  a stored state, or a declared reply, may raise anything
                self.error = error
                self._rows.raised(error, self.entry.workflow, await _readable(self._graph()), asks=False)
            untouched = False

    async def _rests(self, *, untouched: bool) -> bool:
        graph, workflow = self._graph(), self.entry.workflow
        try:
            await run_to_rest(graph, self._rows, workflow, untouched=untouched)
        except NodeRaised as raised:
            self.error = raised.error
            self._rows.raised(raised.error, workflow, await _readable(graph))
            return False
        return True

    async def ask_again(self) -> None:
        """Run the nodes that wait once more; raises AssertionError where they ask something else then."""
        snapshot = await self._graph().drive()
        asked = {pause.interrupt_id: pause.payload for pause in snapshot.pauses}
        for approval in self._rows.open:
            now = asked.get(approval.interrupt_id)
            if now is None:
                raise AssertionError(f"no longer asks when it runs again: {approval.request.title!r}")
            if different := changes(approval.asked, now):
                told = "; ".join(f"{one.path} was {one.before!r}, is {one.after!r}" for one in different)
                raise AssertionError(f"asks something else when it runs again: {told}")

    async def again(self, node: str) -> None:
        """Run from `node` on once more; raises AssertionError where it was never next by itself."""
        graph = self._with_saver()
        async for snapshot in graph.aget_state_history(self._config):
            if snapshot.next == (node,):
                context = self.entry.workflow.context_of(self._rows.thread.input)
                await graph.ainvoke(None, snapshot.config, context=context)
                return
        raise AssertionError(f"{node} was never about to run by itself")

    async def state(self) -> dict[str, Any]:
        """Read the state at the latest checkpoint."""
        state = await self._with_saver().aget_state(self._config)
        return {} if state.values is None else dict(by_field(state.values))

    def _graph(self) -> GraphRun:
        """Return the graph for one run of the worker: it counts what is refused within that."""
        return graph_run(self.entry, self._saver, self._rows.thread, lost=lambda: False)

    def _with_saver(self) -> Pregel[Any, Any, Any, Any]:
        graph = copy.copy(self.entry.graph)
        graph.checkpointer = self._saver
        return graph

    @property
    def _config(self) -> Any:
        return {"configurable": {"thread_id": self._rows.thread.thread_id}}


async def _readable(graph: GraphRun) -> Snapshot | None:
    try:
        return await graph.read()
    except Exception:  # noqa: BLE001  as in the engine: what cannot be read still counts as an attempt
        return None
