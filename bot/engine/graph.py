"""One thread's graph on one connection: read it, run it, resume it by proof."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import structlog
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import is_invalid_resume
from langgraph.pregel import Pregel
from langgraph.types import Interrupt, StateSnapshot
from psycopg import OperationalError

from bot.approvals.basis import MOST_REFUSALS, is_moved
from bot.approvals.errors import BadRequest
from bot.approvals.state import Older
from bot.engine import kept
from bot.engine.handlers import INTERRUPT
from bot.engine.plan import Snapshot, StoppedSilently
from bot.engine.raised import NodeRaised, is_cancelled
from bot.engine.refused import Refused
from bot.engine.stepping import steps_into
from bot.engine.stops import Write
from bot.engine.written import Written
from bot.facts.pauses import Pause
from bot.facts.supersede import KeepsChanging

log = structlog.get_logger("signoff.engine")

STRICT_RESUME = "__pregel_strict_resume"
"""LangGraph's private switch that makes it refuse an id that is not pending (contract-tested)."""

_INTERRUPT_ID = re.compile(r"[0-9a-f]{32}")


class GraphRun:
    """A thread's graph with a saver of its own, over what holds the thread's lock.

    `lost` says whether that lock is gone, with all that could still be written. `settled` awaits a run until
    nothing of it is being stored. `at_rest` says whether it knows that nothing is next, which saves a look.
    `context` makes what its nodes find as their runtime's context.
    """

    nameless = False
    """Whether a NodeInterrupt, which has no id, is asked about all the same."""
    stops: Mapping[str, Any] = MappingProxyType({})
    """Where a run stops beside the breakpoints that its graph was compiled with."""

    def __init__(
        self,
        graph: Pregel[Any, Any, Any, Any],
        saver: BaseCheckpointSaver[Any],
        thread_id: str,
        *,
        lost: Callable[[], bool],
        settled: Callable[[Awaitable[Any]], Awaitable[Any]] = lambda run: run,
        at_rest: Callable[[], bool] = lambda: False,
        state_version: int = 1,
        corrects: bool = False,
        context: Callable[[], Any] = lambda: None,
    ) -> None:
        self._saver = saver
        self._written = Written(saver)
        self._lost = lost
        self._settled = settled
        self._at_rest = at_rest
        # Not the graph's own copy(): that forgets which types its state may hold, and returns them as dicts.
        self._graph = copy.copy(graph)
        self._graph.checkpointer = self._saver
        self._nests = any(steps_into(graph, name) for name in graph.nodes)
        self._handles = any(node.error_handler_node for node in graph.nodes.values())
        self._moved = 0
        self._refused = Refused()
        self._known: frozenset[str] = frozenset()
        self._corrects = corrects
        self._context = context
        self._version = self._read_version = state_version
        self._config: Any = {
            "configurable": {"thread_id": thread_id, STRICT_RESUME: True},
            "metadata": kept.labelled(state_version),
        }

    async def read(self) -> Snapshot:
        """Read where the graph stands; one that cannot be asked about is run again, as after an error.

        Raises `Misfit` where what was kept cannot be read.
        """
        return await self._snapshot(await kept.read(self._graph, self._config, subgraphs=self._nests))

    async def _snapshot(self, state: StateSnapshot) -> Snapshot:
        stranded = await self._written.stranded_within(self._graph, state)
        taken = await self._written.handled(state)
        try:
            asked = (one for one in taken.interrupts(state) if one.id not in stranded)
            found, readable = self._pauses(asked), True
        except BadRequest:
            found, readable = (), False
        self._known = _ids(found)
        # A worker may die when the last task of a step has written, but before the step's checkpoint: nothing
        # is next then, but the tasks are there, and the step after them is still to come.
        ended = not state.next and not state.tasks
        self._read_version = kept.version(state)
        is_older = self._read_version < self._version
        found_there = await self._looked_into() if (is_older or self._corrects) and not ended else None
        values = kept.by_field(state.values) if ended else kept.so_far(state)
        return Snapshot(
            started=state.created_at is not None,
            unfinished=not ended,
            failed=not readable or taken.failed(state),
            pauses=found,
            late=frozenset(one.id for one in taken.asked),
            values=values,
            result=self._given_out(values),
            version=self._read_version,
            older=found_there if is_older else None,
            updated=found_there is not None and found_there.updated,
            stranded=await self._written.asks(self._config) if ended and state.created_at else stranded,
        )

    async def _looked_into(self) -> Older:
        return await kept.older(self._saver, self._config)

    async def begin(self, given: Any) -> Snapshot:
        return await self._run(given)

    async def drive(self, update: Mapping[str, Any] = MappingProxyType({})) -> Snapshot:
        """Run on from the checkpoint; `update` are fields of the state that a migration mends."""
        return await self._run(kept.updating(self._graph, update))

    async def resume(self, answers: Mapping[str, Any], update: Mapping[str, Any]) -> Snapshot:
        """Send each answer to its interrupt id. Never a bare value: that would answer whatever is pending.

        `update` goes with them: as an `aupdate_state` of its own it would discard what is pending.
        Where a node refuses its answer, since its basis has moved or its model does not take it, nothing of
        that is stored, and the others' are. As after any error the graph has to be driven on, and the node
        asks about the world as it is. Raises `KeepsChanging` where that moves again and again in one run.
        """
        try:
            return await self._run(kept.updating(self._graph, update, resume=dict(answers)))
        except NodeRaised as raised:
            if not is_invalid_resume(raised.error):
                raise
            self._note(answers, raised.error)
        return await self.read()

    def _note(self, answers: Mapping[str, Any], error: BaseException) -> None:
        moved = is_moved(error)
        log.info("answer_refused", why="its basis has moved" if moved else "its model does not take it")
        if not moved:
            self._refused.note(answers, error)
            return
        self._moved += 1
        if self._moved >= MOST_REFUSALS:
            raise KeepsChanging

    async def step(self, writes: Iterable[Write]) -> Snapshot:
        """Write what was decided at breakpoints to the state, or run on past them where nothing is to write.

        What was written may lead to a guarded node that nobody has approved, so that is looked at first.
        """
        changes = [write for write in writes if write.updates]
        for change in changes:
            await self._unless_lost(self._write(change))
        return replace(await self.read(), returned=True) if changes else await self._run(None)

    async def _write(self, write: Write) -> None:
        """Write an answer to the state, with the proof that it is this answer's."""
        place = {"thread_id": write.thread_id, "checkpoint_ns": write.namespace}
        about = {**write.proof, **kept.labelled(self._read_version)}
        config: Any = {"configurable": place, "metadata": about}
        await self._graph.abulk_update_state(config, [write.updates])

    async def _run(self, given: Any) -> Snapshot:
        """Run until the graph asks or ends; raises `StoppedSilently` where it did neither.

        That looks just like a crash afterwards, so it would be stepped over: a node has called a graph that
        stands at a breakpoint, and LangGraph cannot see into it.
        """
        snapshot = await self._ran(await self._unless_lost(self._invoked(given)))
        if not snapshot.pauses and (snapshot.unfinished or await self._stands_still()):
            raise StoppedSilently
        return self._refused.shown(snapshot)

    async def _invoked(self, given: Any) -> Any:
        return await self._graph.ainvoke(
            given,
            self._config,
            context=self._context(),  # the workflow's code, too: what it raises is no failure of ours
            durability="sync",
            output_keys=self._whole_state(),
            **self.stops,
        )

    async def _stands_still(self) -> bool:
        return not self._at_rest() and (await self.read()).unfinished

    async def _unless_lost(self, work: Awaitable[Any]) -> Any:
        try:
            return await self._settled(work)
        except asyncio.CancelledError as error:
            if is_cancelled() or self._lost():
                raise
            raise NodeRaised(error) from error
        except Exception as error:
            if self._lost():
                raise OperationalError("The thread's connection, and its lock, are gone.") from error
            raise NodeRaised(kept.refused(error)) from error

    async def _ran(self, result: Any) -> Snapshot:
        """Read what a run that returned says of itself, which saves asking the checkpointer.

        Its pauses are all that are pending. Without any it has ended, unless it can stand at a breakpoint,
        of which it says nothing (see `GuardedRun`). Raises `BadRequest` for a pause that cannot be asked
        about.
        """
        values = dict(kept.by_field(result))
        found = self._pauses(await self._in_order(values.pop(INTERRUPT, ())))
        self._known = _ids(found)
        return Snapshot(
            started=True,
            unfinished=bool(found),
            failed=False,
            pauses=found,
            late=await self._asked_by_handlers() if found and self._handles else frozenset(),
            values=values,
            result=self._given_out(values),
            version=self._version,
            updated=bool(found) and self._corrects and (await self._looked_into()).updated,
            returned=True,
        )

    async def _in_order(self, interrupts: Sequence[Interrupt]) -> Sequence[Interrupt]:
        """Return them as the graph has its tasks, which people read the cards in.

        A run gives them as its nodes came to ask. Where it asks one thing anew, that needs no look.
        """
        if len({each.id for each in interrupts} - self._known) < 2:
            return interrupts
        state = await kept.read(self._graph, self._config)
        place = {each.id: n for n, each in enumerate(state.interrupts)}
        return sorted(interrupts, key=lambda each: place.get(each.id, len(place)))

    def _pauses(self, interrupts: Iterable[Interrupt]) -> tuple[Pause, ...]:
        """Read interrupts; raises `BadRequest` where one has no id (NodeInterrupt) or cannot be asked."""
        return tuple(self._pause(each) for each in interrupts if has_id(each) or not self.nameless)

    def _pause(self, interrupt: Interrupt) -> Pause:
        if not has_id(interrupt):
            raise BadRequest(
                "The graph raised NodeInterrupt, which has no id to answer; call ask() instead, or declare "
                "what an answer writes to the state (Workflow(node_interrupt=…))."
            )
        schema = interrupt.response_schema
        value = kept.as_kept(self._saver, interrupt.value)
        return Pause.of(interrupt.id, value, schema if isinstance(schema, dict) else None)

    def _whole_state(self) -> list[str] | None:
        """Return the names of all fields of the state; None for a graph that has no fields."""
        whole, out = self._graph.stream_channels, self._graph.output_channels
        return None if isinstance(whole, str) or isinstance(out, str) or not whole else list(whole)

    def _given_out(self, values: Any) -> Any:
        """Return what of a state the graph declares as its output."""
        if self._whole_state() is None or not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if key in self._graph.output_channels}

    async def _asked_by_handlers(self) -> frozenset[str]:
        taken = await self._written.handled(await kept.read(self._graph, self._config))
        return frozenset(one.id for one in taken.asked)


def has_id(interrupt: Interrupt) -> bool:
    return bool(_INTERRUPT_ID.fullmatch(interrupt.id))


def _ids(pauses: Iterable[Pause]) -> frozenset[str]:
    return frozenset(pause.interrupt_id for pause in pauses)
