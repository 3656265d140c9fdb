"""What a run did to its thread's state, as the audit keeps it and the log says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.approvals.difference import Told, difference, worded
from bot.approvals.workflow import Workflow
from bot.engine.plan import Drive, Move, Send, Snapshot, Step
from bot.engine.result import as_plain
from bot.facts.threads import RESUMED
from bot.postgres.rows import Approval

log = structlog.get_logger("signoff.engine")


@dataclass(frozen=True)
class Departure:
    """Where a run set out from: the state then, and the approvals whose answers it was sent."""

    values: Any
    answered: tuple[str, ...] = ()

    def until(self, snapshot: Snapshot, workflow: Workflow) -> list[Told]:
        """Return what has changed since, with the workflow's secrets masked."""
        before, after = _fields(self.values), _fields(snapshot.values)
        keys = dict.fromkeys((*before, *after))
        plain = {key: (_plain(before, key), _plain(after, key)) for key in keys}
        differ = {key: sides for key, sides in plain.items() if sides[0] != sides[1]}
        if not differ:
            return []
        then = {key: sides[0][0] for key, sides in differ.items() if sides[0]}
        now = {key: sides[1][0] for key, sides in differ.items() if sides[1]}
        return difference(then, now, workflow.hides)


def departure(move: Move, snapshot: Snapshot, approvals: tuple[Approval, ...]) -> Departure | None:
    """Return where a run sets out from that this move makes; None where it makes none, or the first one.

    What runs on after an error or a crash may be what makes of an answer something that was sent before.
    """
    match move:
        case Send() | Step():
            return Departure(snapshot.values, tuple(approval.approval_id for approval, _ in move.decided))
        case Drive():
            sent = tuple(a.approval_id for a in approvals if a.applying_at is not None)
            return Departure(snapshot.values, sent)
        case _:
            return None


def logged(thread_id: str, changes: Iterable[Told]) -> None:
    """Say it in the log, too."""
    log.info(RESUMED, thread_id=thread_id, changes=[worded(told) for told in changes])


def _fields(values: Any) -> Mapping[str, Any]:
    if values is None:
        return {}
    return values if isinstance(values, dict) else {"value": values}


def _plain(values: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    """Return the plain JSON of a field, or nothing where there is no such field."""
    return (as_plain(values[key]),) if key in values else ()
