"""Answers that a graph's own model refused: which of those that were sent it was, once that is proven."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.engine.plan import Snapshot
from bot.engine.raised import why_refused


class Refused:
    """What was refused in one worker's run of a thread.

    LangGraph marks its refusal, which comes before it stores anything. But the one that it marks may be a
    stored answer's, whose node runs again, and anybody can raise a marked error. So it says nothing until the
    graph has been run on without an answer: what was stored is gone then, or is raised again.
    """

    def __init__(self) -> None:
        self._sent: frozenset[str] = frozenset()
        self._why = ""
        self._singly = False

    def note(self, sent: Iterable[str], error: BaseException) -> None:
        """Keep that a run which brought these answers was refused one of them."""
        self._sent, self._why = frozenset(sent), why_refused(error)

    def shown(self, snapshot: Snapshot) -> Snapshot:
        """Return what a later run came back with, with what of the answers it still asks for.

        Where that is several, each is sent again by itself: of their errors LangGraph raises only the first.
        """
        back = self._sent & {pause.interrupt_id for pause in snapshot.pauses}
        self._sent = frozenset()
        self._singly |= len(back) > 1
        refused = dict.fromkeys(back, self._why) if len(back) == 1 else {}
        return replace(snapshot, refused=refused, singly=self._singly) if back or self._singly else snapshot
