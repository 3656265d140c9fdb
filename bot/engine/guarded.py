"""A graph with static breakpoints: where it may stand at one is read, and never run on without an answer.

LangGraph keeps nothing that tells a breakpoint from a crash, and running on passes every breakpoint that any
level of the graph stands at. So whatever may be one is taken for one: a level whose next step is guarded, or
whose last one was, and that has not begun the next.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.constants import TAG_HIDDEN
from langgraph.pregel import Pregel
from langgraph.types import PregelTask, StateSnapshot

from bot.approvals.difference import Told
from bot.approvals.workflow import Workflow
from bot.engine import kept
from bot.engine.graph import GraphRun, has_id
from bot.engine.journey import Departure
from bot.engine.plan import Snapshot, StoppedSilently
from bot.engine.raised import declared
from bot.engine.spoken import spoken
from bot.engine.stepping import EVERY, stepping, steps_into
from bot.engine.stops import ACTED, PASSED, Raised, Stop, asked, interrupt_id
from bot.facts.pauses import Pause

Names = Sequence[str]


@dataclass(frozen=True)
class Level:
    """A graph or subgraph as its latest checkpoint says, and the nodes that it stops before and after."""

    graph: Pregel[Any, Any, Any, Any]
    state: StateSnapshot
    before: Names
    after: Names


class GuardedRun(GraphRun):
    """A thread's graph that may stand at breakpoints; `every_step` makes it stop after each node."""

    def __init__(
        self,
        graph: Pregel[Any, Any, Any, Any],
        saver: BaseCheckpointSaver[Any],
        thread_id: str,
        *,
        workflow: Workflow,
        every_step: bool = False,
        **how: Any,
    ) -> None:
        super().__init__(stepping(graph) if every_step else graph, saver, thread_id, **how)
        self._own = graph
        self._thread_id = thread_id
        self._workflow = workflow
        self._every_step = every_step
        self._stood: frozenset[str] = frozenset()
        self.nameless = workflow.node_interrupt is not None
        if every_step:
            self.stops = {"interrupt_after": EVERY}

    async def read(self) -> Snapshot:
        state = await kept.read(self._graph, self._config, subgraphs=True)
        snapshot = await self._snapshot(state)
        stops = [stop async for stop in self._stops(state)]
        with declared():
            found = [Pause.asking(stop.interrupt_id, asked(stop, self._workflow)) for stop in stops]
        self._stood = frozenset(stop.interrupt_id for stop in stops if stop.raised is None)
        return replace(
            snapshot,
            pauses=(*snapshot.pauses, *found),
            stops={stop.interrupt_id: stop for stop in stops},
        )

    async def _ran(self, result: Any) -> Snapshot:
        said, stood = await super()._ran(result), self._stood
        here = await self.read()
        # A run passes all that it stands at, so whatever stands there again was stopped by what is not seen.
        if stood & self._stood:
            raise StoppedSilently
        # What returned did not fail: a task that waits shows for ever what it raised before it came to ask.
        return replace(here, failed=False, returned=True, values=said.values, result=said.result)

    async def _stops(self, state: StateSnapshot) -> AsyncIterator[Stop]:
        for level in _levels(self._own, state, every_step=self._every_step):
            if self.nameless:
                for stop in await self._raised(level):
                    yield stop
            if (here := await self._stop(level)) is not None:
                yield here

    async def _stop(self, level: Level) -> Stop | None:
        state = level.state
        if state.created_at is None or _begun(state) or not (level.before or level.after):
            return None
        before = _guarded(level.graph, level.before, [task.name for task in state.tasks])
        passed = _kept(state, PASSED)
        if passed is not None:
            came_from = await self._parent(state) if passed == "next" else None
            allowed = {task.name for task in came_from.tasks} if came_from else set()
            before = tuple(node for node in before if node not in allowed)
            return self._stop_at(level, state, _acted(state), before=before) if before else None
        if not before and not level.after:
            return None
        origin = await self._origin(state)
        since = await self._step_before(origin)
        ran, after = _just_ran(level, origin, since)
        if before:
            return self._stop_at(level, origin, ran, before=before)
        if not after:
            return None
        own = _guarded(level.graph, level.graph.interrupt_after_nodes, list(after))
        stop = self._stop_at(level, origin, ran, after=own or after)
        if own or not self._every_step:
            return stop
        done = await self._done(since, origin) if since else ()
        return replace(stop, stepped=True, done=done)

    async def _done(self, since: StateSnapshot, origin: StateSnapshot) -> tuple[Told, ...]:
        departed = Departure(spoken(since.values))
        return tuple(await departed.until(spoken(origin.values), self._workflow))

    async def _raised(self, level: Level) -> list[Stop]:
        """Find legacy NodeInterrupts, which have no id, where they were raised."""
        found = [
            Raised(task.name, interrupt.value)
            for task in level.state.tasks
            if not _nested(task)
            for interrupt in task.interrupts
            if not has_id(interrupt)
        ]
        if not found:
            return []
        origin = await self._origin(level.state)
        ran, _ = _just_ran(level, origin, await self._step_before(origin))
        at = self._stop_at(level, level.state, ran)
        return [
            replace(at, interrupt_id=interrupt_id(at.interrupt_id, str(n)), raised=raised)
            for n, raised in enumerate(found)
        ]

    def _stop_at(
        self,
        level: Level,
        origin: StateSnapshot,
        ran: tuple[str, ...],
        *,
        before: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
    ) -> Stop:
        state = level.state
        builder = getattr(level.graph, "builder", None)
        ran = tuple(dict.fromkeys(ran)) if builder is not None else ()
        place = origin.config["configurable"]
        namespace = place.get("checkpoint_ns", "")
        return Stop(
            interrupt_id(self._thread_id, namespace, place["checkpoint_id"]),
            self._thread_id,
            namespace,
            state.values,
            before,
            after,
            ran,
            upcoming=tuple(dict.fromkeys(task.name for task in state.tasks)),
            routed=any(builder.branches.get(node) for node in ran) if builder is not None else False,
            sends=any(task.path[0] == "__pregel_push" for task in state.tasks),
            ended=not namespace and not state.tasks,
        )

    async def _step_before(self, origin: StateSnapshot) -> StateSnapshot | None:
        """Return the state before the step that led here; None before the first, and where it is not kept."""
        return None if _is_input(origin) else await self._parent(origin)

    async def _origin(self, state: StateSnapshot) -> StateSnapshot:
        """Find the step that others' updates of the state came on top of: it is the same breakpoint still."""
        while (state.metadata or {}).get("source") == "update" and _kept(state, PASSED) is None:
            parent = await self._parent(state)
            if parent is None:
                return state
            state = parent
        return state

    async def _parent(self, state: StateSnapshot) -> StateSnapshot | None:
        if state.parent_config is None:
            return None
        parent = await self._graph.aget_state(state.parent_config)
        return parent if parent.created_at is not None else None


def _just_ran(
    level: Level, origin: StateSnapshot, since: StateSnapshot | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the nodes of the step that led here, and which of them are guarded after.

    Where that step is not kept any more, any guarded node may have run in it.
    """
    if _is_input(origin):
        return (), ()
    if since is None:
        return (), ("a step",) if level.after == EVERY else tuple(level.after)
    ran = [task.name for task in since.tasks]
    return tuple(ran), tuple(dict.fromkeys(_guarded(level.graph, level.after, ran)))


def _is_input(state: StateSnapshot) -> bool:
    return (state.metadata or {}).get("source") == "input"


def _levels(graph: Any, state: StateSnapshot, *, every_step: bool = False) -> Iterator[Level]:
    after = EVERY if every_step else graph.interrupt_after_nodes
    yield Level(graph, state, graph.interrupt_before_nodes, after)
    within = {task.name: task.state for task in state.tasks if _nested(task)}
    inner = dict(graph.get_subgraphs()) if within else {}
    for task in state.tasks:
        if _nested(task):
            every = every_step and steps_into(graph, task.name)
            yield from _levels(inner[task.name], task.state, every_step=every)  # type: ignore[arg-type]


def _nested(task: PregelTask) -> bool:
    """Whether a subgraph is under way in a task."""
    under_way = isinstance(task.state, StateSnapshot) and task.state.created_at is not None
    return under_way and task.result is None


def _begun(state: StateSnapshot) -> bool:
    """Whether anything of the next step has run; a breakpoint is passed then."""
    return any(
        task.result is not None or task.error is not None or task.interrupts or _nested(task)
        for task in state.tasks
    )


def _guarded(graph: Any, guards: Names, names: list[str]) -> tuple[str, ...]:
    if guards != EVERY:
        return tuple(name for name in names if name in guards)
    return tuple(n for n in names if n not in graph.nodes or TAG_HIDDEN not in (graph.nodes[n].tags or ()))


def _kept(state: StateSnapshot, name: str) -> Any:
    kept: dict[str, Any] = dict(state.metadata or {})
    return kept.get(name)


def _acted(state: StateSnapshot) -> tuple[str, ...]:
    return tuple(json.loads(_kept(state, ACTED) or "[]"))
