"""What a run did to its thread's state, as the audit keeps it and the log says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from bot.approvals.difference import Told, difference, worded
from bot.approvals.large import beside
from bot.approvals.workflow import Workflow
from bot.engine.pieces import in_pieces
from bot.engine.plan import Drive, Move, Send, Snapshot, Step
from bot.facts.threads import RESUMED
from bot.postgres.fact import Fact
from bot.postgres.rows import Approval

log = structlog.get_logger("signoff.engine")


@dataclass(frozen=True)
class Departure:
    """Where a run set out from: the state then, and the approvals whose answers it was sent."""

    values: Any
    answered: tuple[Approval, ...] = ()

    async def until(self, values: Any, workflow: Workflow) -> list[Told]:
        """Return what has changed in `values` since, with the workflow's secrets masked, and the answers'."""
        return await beside(partial(self._until, values, workflow), self.values, values)

    def _until(self, values: Any, workflow: Workflow) -> list[Told]:
        before, after = _fields(self.values), _fields(values)
        keys = dict.fromkeys((*before, *after))
        plain = {key: (_plain(before, key), _plain(after, key)) for key in keys}
        differ = {key: sides for key, sides in plain.items() if sides[0] != sides[1]}
        if not differ:
            return []
        then = {key: sides[0][0] for key, sides in differ.items() if sides[0]}
        now = {key: sides[1][0] for key, sides in differ.items() if sides[1]}
        confidential = (name for approval in self.answered for name in approval.confidential)
        return difference(then, now, workflow.hides.with_names(confidential))


class Journey:
    """What is kept of each run of a thread: how it changed the state from where it set out."""

    def __init__(self, thread_id: str) -> None:
        self._thread_id = thread_id
        self._departed: Departure | None = None
        self._changes: list[Told] = []
        self._answered: set[str] = set()

    def departs(self, move: Move, snapshot: Snapshot, approvals: tuple[Approval, ...]) -> None:
        """Note where a run sets out from that this move makes, unless it is the thread's first.

        What runs on after an error or a crash may be what makes of an answer something, that was sent before.
        """
        match move:
            case Send() | Step():
                answered = tuple(approval for approval, _ in move.decided)
                self._departed = Departure(snapshot.values, answered)
            case Drive():
                sent = tuple(a for a in approvals if a.applying_at is not None)
                self._departed = Departure(snapshot.values, sent)
            case _:
                self._departed = None

    async def compare(self, snapshot: Snapshot, workflow: Workflow) -> None:
        """See what the run since the last move has changed; that may take too long for a transaction."""
        departed, self._changes = self._departed, []
        if departed is not None:
            self._changes = await departed.until(snapshot.values, workflow)

    def arrives(self, recorded: Fact, snapshot: Snapshot) -> None:
        """Keep what the run since the last move has changed; one that took an answer always says so."""
        departed = self._departed  # kept until the next one: what is recorded here may be rolled back
        if departed is None:
            return
        asking = {pause.interrupt_id for pause in snapshot.pauses}
        taken = [a.approval_id for a in departed.answered if a.interrupt_id not in asking]
        self._answered.update(taken)
        changes = self._changes
        if changes or taken:
            said = {"approvals": taken, "changes": changes}
            recorded.audit(self._thread_id, RESUMED, "signoff", said)
            told = [worded(change) for change in changes]
            log.info(RESUMED, thread_id=self._thread_id, changes=told)

    def missed(self, recorded: Fact, snapshot: Snapshot, applied: tuple[Approval, ...]) -> None:
        """Keep that answers have arrived whose run died before it could say what that changed."""
        gone = [a.approval_id for a in applied if a.approval_id not in self._answered]
        if gone and not snapshot.returned:
            said = {"approvals": gone, "changes": [], "unseen": True}
            recorded.audit(self._thread_id, RESUMED, "signoff", said)


def _fields(values: Any) -> Mapping[str, Any]:
    if values is None:
        return {}
    return values if isinstance(values, dict) else {"value": values}


def _plain(values: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """Return the plain JSON of a field, or nothing where there is no such field."""
    return (in_pieces(values[key]),) if key in values else ()
