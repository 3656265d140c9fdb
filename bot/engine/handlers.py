"""What a node's error handler asks (`add_node(error_handler=…)`): a look at the state leaves it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.types import Interrupt, StateSnapshot

ERROR, HANDLED, INTERRUPT = "__error__", "__error_source_node__", "__interrupt__"
"""The writes of a task that raised, of one whose error went to a handler, and of one that asks (private)."""

_CONTROL = frozenset({INTERRUPT, "__resume__", ERROR, HANDLED})
"""The writes of a task that say what happened to it; any other one says that it has finished."""


@dataclass(frozen=True)
class Handled:
    """The tasks of a step whose errors went to their handlers, what those ask, and whether one raised."""

    tasks: frozenset[str] = frozenset()
    asked: tuple[Interrupt, ...] = ()
    raised: bool = False

    def interrupts(self, state: StateSnapshot) -> tuple[Interrupt, ...]:
        """Return all that a state waits for; what a task asked before it raised nobody answers any more."""
        left = (task.interrupts for task in state.tasks if task.id not in self.tasks)
        return (*(interrupt for each in left for interrupt in each), *self.asked)

    def failed(self, state: StateSnapshot) -> bool:
        """Whether something raised that no handler took, or a handler did."""
        errors = (task for task in state.tasks if task.error is not None and task.result is None)
        return self.raised or any(task.id not in self.tasks for task in errors)


def handled(state: StateSnapshot, writes: Sequence[tuple[str, str, Any]]) -> Handled:
    """Read from a checkpoint's writes what the handlers of its tasks came to.

    They are tasks that a state does not list. So are those of nodes that a deploy took away: where there are
    more of them than handlers, none is taken for one, and what they ask is found to be stranded.
    """
    known = {task.id for task in state.tasks}
    failed = frozenset(task for task, channel, _ in writes if channel == HANDLED and task in known)
    asking = [(task, value) for task, value in pending(writes) if task not in known]
    if len(asking) > len(failed):
        asking = []
    return Handled(
        failed,
        tuple(interrupt for _, value in asking for interrupt in value),
        bool(failed) and any(channel == ERROR and task not in known for task, channel, _ in writes),
    )


def pending(writes: Sequence[tuple[str, str, Any]]) -> list[tuple[str, Sequence[Interrupt]]]:
    """Return what tasks that have not finished ask, by their id."""
    finished = {task for task, channel, _ in writes if channel not in _CONTROL}
    return [(task, value) for task, channel, value in writes if channel == INTERRUPT and task not in finished]
