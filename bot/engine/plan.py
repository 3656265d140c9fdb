"""What to do next with a thread: a pure function of the graph as it stands and of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.approvals.dialects import Dialect
from bot.approvals.errors import SignoffError
from bot.approvals.state import Older
from bot.engine.stops import Stop, Write
from bot.facts.pauses import Pause
from bot.postgres.rows import Approval


class StoppedSilently(SignoffError):
    """A graph came to a stop without asking, and without an end."""

    def __init__(self) -> None:
        super().__init__(
            "The graph stopped before a node without asking; it was not stepped over. Does a node call a "
            "graph with breakpoints by itself? Add that graph as a node; a retry would run past them."
        )


@dataclass(frozen=True)
class Snapshot:
    """A graph as its checkpoints say: `failed` tasks raised; `unfinished` ones are next.

    `returned` says that it is what a run came back with: nothing that was sent earlier is under way in it.
    `values` is the whole state, and `result` what of it the graph gives out.
    `version` is that of the state, and `older` all that was kept where that is not the deployed one.
    `updated` says that in the step at hand an update was sent, which `Workflow.corrections` needs to know.
    `stranded` are interrupts that the checkpoint holds and no node of the graph asks any more. `stops` are
    the places behind those of its `pauses` that LangGraph has no interrupt for, by id. `late` are those that
    are answered after the others of their step, since an error handler asks them: LangGraph runs a handler
    that has finished again for whoever is answered after it. `refused` are those whose answer was sent and
    came to nothing, since their model does not take it, with why; `singly` says that only by sending each
    alone that can be told.
    """

    started: bool
    unfinished: bool
    failed: bool
    pauses: tuple[Pause, ...]
    values: Any = None
    result: Any = None
    version: int = 1
    older: Older | None = None
    updated: bool = False
    returned: bool = False
    stranded: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    singly: bool = False
    stops: Mapping[str, Stop] = field(default_factory=dict)

    @property
    def died(self) -> bool:
        """Whether, where it has to be run on, that is since a worker died in it."""
        return self.started and not (self.failed or self.returned)

    @property
    def finished(self) -> bool:
        """Whether the graph has nothing left to do."""
        return self.started and not (self.unfinished or self.failed or self.pauses)


@dataclass(frozen=True)
class Begin:
    """It never ran: run it with its input."""


@dataclass(frozen=True)
class Drive:
    """It crashed, or a task raised: run on from the checkpoint. Answers are never sent again for it.

    `update` are fields of the state that a migration mends, and those that people corrected with them.
    """

    update: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Send:
    """Resume exactly these pauses: each is pending now, and is the one that was decided.

    `update` are fields of the state that are to change with it.
    """

    decided: tuple[tuple[Approval, Pause], ...]
    answers: Mapping[str, Any] = field(default_factory=dict)
    update: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """Run on past the breakpoints that the graph stands at: each was decided, and `writes` comes first."""

    decided: tuple[tuple[Approval, Pause], ...]
    writes: tuple[Write, ...] = ()


@dataclass(frozen=True)
class Wait:
    """Every pause waits for people."""


@dataclass(frozen=True)
class Finish:
    """Nothing is left to do."""


@dataclass(frozen=True)
class Orphan:
    """The graph looks done, but a pause that was not answered has vanished: a rename, or foreign hands."""


Move = Begin | Drive | Send | Step | Wait | Finish | Orphan


@dataclass(frozen=True)
class Changes:
    """How the rows must follow the graph before anything is sent to it."""

    new: tuple[Pause, ...] = ()
    revised: tuple[tuple[Approval, Pause], ...] = ()
    superseded: tuple[tuple[Approval, Pause], ...] = ()
    vanished: tuple[Approval, ...] = ()
    applied: tuple[Approval, ...] = ()


def follow(snapshot: Snapshot, approvals: tuple[Approval, ...]) -> Changes:
    """Compare the graph's pauses with the rows that are not settled with it yet.

    A pause that is gone was applied where its row carries the mark, and is an orphan where not, or where its
    checkpoint still holds it. The same pause with another payload is a new revision while it waits; where
    it was decided, the decision was on something else: it is superseded, and people are asked again. But
    what was rejected before its basis moved stays rejected. So is a decision that its model refused.
    """
    rows = {a.interrupt_id: a for a in approvals if a.status != "superseded" and a.applied_at is None}
    pauses = {pause.interrupt_id: pause for pause in snapshot.pauses}
    closed = {key: a for key, a in rows.items() if a.status in ("cancelled", "orphaned")}
    known = {key: a for key, a in rows.items() if key not in closed}
    gone = [a for key, a in known.items() if key not in pauses]
    differs = [(known[key], pause) for key, pause in pauses.items() if _differs(known.get(key), pause)]
    unused = [(known[key], pauses[key]) for key in snapshot.refused if key in known and key in pauses]
    refused = [pair for pair in unused if _is_due(pair[0]) and pair not in differs]
    return Changes(
        new=tuple(pause for key, pause in pauses.items() if key not in rows),
        revised=tuple((a, pause) for a, pause in differs if a.status == "pending"),
        superseded=(
            *((a, pause) for a, pause in differs if a.status != "pending" and not _stands(a, pause)),
            *refused,
            *((a, pauses[key]) for key, a in closed.items() if key in pauses),
        ),
        vanished=tuple(a for a in gone if not _was_sent(a, snapshot)),
        applied=tuple(a for a in gone if _was_sent(a, snapshot)),
    )


def next_move(snapshot: Snapshot, approvals: tuple[Approval, ...]) -> Move:
    """Decide what to do with a graph whose rows follow it.

    Whatever runs a graph on runs it past the breakpoints that it stands at, so these are decided before
    anything else is done with it, errors included. The state that a NodeInterrupt waits for is written last:
    that takes back what else the graph asks.
    """
    if not snapshot.started:
        return Begin()
    if stops := _of("breakpoint", snapshot):
        return _step(stops, approvals)
    if any(a.status == "orphaned" and _would_be_passed(a, snapshot) for a in approvals):
        return Orphan()
    if snapshot.failed:
        return Drive()
    nameless = _of("node_interrupt", snapshot)
    if len(snapshot.pauses) > len(nameless):
        return _answer(snapshot, approvals)
    if nameless:
        return _step(nameless, approvals)
    if snapshot.unfinished:
        return Drive()
    return Orphan() if any(a.status == "orphaned" for a in approvals) else Finish()


def _would_be_passed(approval: Approval, snapshot: Snapshot) -> bool:
    """Whether the graph, run on, goes past a vanished pause without asking; others it asks anew."""
    return approval.dialect == "breakpoint" or approval.interrupt_id in snapshot.stranded


def _of(dialect: Dialect, snapshot: Snapshot) -> dict[str, Pause]:
    return {pause.interrupt_id: pause for pause in snapshot.pauses if pause.asked.dialect == dialect}


def _step(stops: Mapping[str, Pause], approvals: tuple[Approval, ...]) -> Move:
    decided = tuple((a, stops[a.interrupt_id]) for a in approvals if a.interrupt_id in stops and _is_due(a))
    return Step(decided) if len(decided) == len(stops) else Wait()


def _is_due(approval: Approval) -> bool:
    return approval.status in ("decided", "expired") and approval.applied_at is None


def _answer(snapshot: Snapshot, approvals: tuple[Approval, ...]) -> Move:
    pauses = {p.interrupt_id: p for p in snapshot.pauses if p.interrupt_id not in snapshot.stops}
    if not pauses.keys() <= snapshot.late:
        pauses = {key: pause for key, pause in pauses.items() if key not in snapshot.late}
    decided = tuple((a, pauses[a.interrupt_id]) for a in approvals if a.interrupt_id in pauses and _is_due(a))
    if not decided:
        return Wait()
    if not snapshot.returned and any(a.applying_at is not None for a, _ in decided):
        # A run died after this mark. Where its answer arrived, sending it again could answer the node's next
        # question; running on first shows it.
        return Drive()
    # LangChain warns that one bad answer among several can run the other tools twice.
    alone = tuple(pair for pair in decided if pair[1].asked.dialect == "per_call")
    return Send((alone or decided)[:1] if alone or snapshot.singly else decided)


def _was_sent(approval: Approval, snapshot: Snapshot) -> bool:
    return approval.applying_at is not None and approval.interrupt_id not in snapshot.stranded


def _differs(approval: Approval | None, pause: Pause) -> bool:
    return approval is not None and approval.payload_hash != pause.payload_hash


def _stands(approval: Approval, pause: Pause) -> bool:
    """Whether a decision holds whatever its pause asks by now: its node takes a rejection on any basis."""
    if pause.asked.request.basis is None:
        return False
    return approval.decision is not None and approval.decision.rejected
