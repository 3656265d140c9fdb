"""One run of a workflow: where it stands, what it asks, and the answers to that."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.pregel import Pregel

from bot.approvals.changes import changes
from bot.approvals.decision import Decision
from bot.approvals.policy import Verdict, Vote
from bot.approvals.request import ApprovalRequest
from bot.approvals.states import THREAD_ENDED, ThreadStatus
from bot.engine.advance import graph_run, run_to_rest
from bot.engine.catalog import Entry
from bot.engine.graph import NodeRaised
from bot.engine.plan import Snapshot
from bot.postgres.rows import Approval, Thread
from bot.slack.card import CardView, card
from bot.slack.content import other_fields, proposal_now
from bot.slack.token import Token
from bot.testing.answering import cast
from bot.testing.card import Card, shown
from bot.testing.pause import Pause
from bot.testing.rows import Rows
from bot.testing.ticking import Told, tick

if TYPE_CHECKING:
    from bot.testing.signoff import Signoff


class Run:
    """One thread of a workflow, run to its next pause or its end after everything that happens to it."""

    def __init__(self, signoff: Signoff, entry: Entry, thread: Thread) -> None:
        self.workflow = entry.workflow
        self._signoff = signoff
        self._saver = InMemorySaver()
        self._compiled = entry.graph
        self._graph = graph_run(entry, self._saver, thread, lost=lambda: False)
        self._rows = Rows(thread, lambda: signoff.now, lambda: signoff.delivers)
        self._told: list[Told] = []
        self._error: BaseException | None = None
        signoff.wait(self._converge(untouched=True))

    @property
    def thread_id(self) -> str:
        return self._rows.thread.thread_id

    @property
    def status(self) -> ThreadStatus:
        """`waiting`, `done`, `failed`, `cancelled` or `orphaned`."""
        return self._rows.thread.status

    @property
    def result(self) -> Any:
        """The final state as JSON once it is `done`, and None before."""
        return self._rows.thread.result

    @property
    def error(self) -> str | None:
        """Why it failed or was cancelled, in a line."""
        return self._rows.thread.error

    @property
    def state(self) -> dict[str, Any]:
        """The graph's state at its latest checkpoint."""
        state = self._signoff.wait(self._with_saver().aget_state(self._config))
        return dict(state.values)

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """What waits for people, oldest first."""
        return tuple(Pause(self, approval) for approval in self._rows.open)

    @property
    def pause(self) -> Pause:
        """The one pause that waits; an AssertionError says what is so where there is none, or several."""
        if len(self.pauses) == 1:
            return self.pauses[0]
        if not self.pauses:
            why = f": {self.error}" if self.error else ""
            raise AssertionError(
                f"{self.workflow.name} asks nothing; it is {self.status}{why}"
            ) from self._error
        titles = ", ".join(repr(pause.request.title) for pause in self.pauses)
        raise AssertionError(f"{len(self.pauses)} pauses wait ({titles}); take one of run.pauses")

    @property
    def history(self) -> tuple[Pause, ...]:
        """Every pause so far, oldest first, those that policy decided included."""
        return tuple(Pause(self, approval) for approval in self._rows.approvals.values())

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided, in the order in which it was asked."""
        return tuple(a.decision for a in self._rows.approvals.values() if a.decision)

    @property
    def card(self) -> Card:
        """The card of the one pause that waits; where none does, that of the last one, settled."""
        if self.pauses or not self.history:
            return self.pause.card
        return self.history[-1].card

    @property
    def request(self) -> ApprovalRequest:
        return self.pause.request

    @property
    def reminders(self) -> tuple[Card, ...]:
        return self._messages("reminder")

    @property
    def escalations(self) -> tuple[Card, ...]:
        return self._messages("escalation")

    def approve(self, *, by: str | None = None, note: str | None = None) -> Run:
        """See `Pause.approve`; this and the next answer the one pause that waits."""
        return self.pause.approve(by=by, note=note)

    def edit(self, changes: Mapping[str, Any], *, by: str | None = None) -> Run:
        return self.pause.edit(changes, by=by)

    def reject(self, reason: str = "No.", *, by: str | None = None) -> Run:
        return self.pause.reject(reason, by=by)

    def respond(self, text: str, *, by: str | None = None) -> Run:
        return self.pause.respond(text, by=by)

    def choose(self, option: str, *, by: str | None = None) -> Run:
        return self.pause.choose(option, by=by)

    def move_clock(self, by: timedelta) -> Run:
        """Let time pass; see `Signoff.move_clock`."""
        self._signoff.move_clock(by)
        return self

    def until(self, moment: datetime) -> Run:
        """Let time pass until an aware moment."""
        self._signoff.until(moment)
        return self

    def time_out(self) -> Run:
        """Let the deadline of the one pause that waits pass, and do all that comes before it."""
        due_at = self.pause.due_at
        if due_at is None:
            raise AssertionError(
                f"{self.pause.request.title!r} has no deadline: its SLA sets no respond_within"
            )
        return self.until(due_at)

    def ask_again(self) -> Run:
        """Run the nodes that wait once more, as LangGraph does when a sibling is answered or a worker dies.

        Raises AssertionError where they ask something else then: take what a request says from the state.
        """
        if any(approval.dialect in ("breakpoint", "node_interrupt") for approval in self._rows.open):
            raise AssertionError("stands at a breakpoint, which asks from the state: nothing runs again")
        snapshot = self._signoff.wait(self._graph.drive())
        asked = {pause.interrupt_id: pause.payload for pause in snapshot.pauses}
        for approval in self._rows.open:
            now = asked.get(approval.interrupt_id)
            if now is None:
                raise AssertionError(f"no longer asks when it runs again: {approval.request.title!r}")
            if different := changes(approval.asked, now):
                told = "; ".join(f"{one.path} was {one.before!r}, is {one.after!r}" for one in different)
                raise AssertionError(f"asks something else when it runs again: {told}")
        return self

    def again(self, node: str) -> Run:
        """Run from `node` on once more, as after a crash between its effect and its checkpoint.

        Only once it has ended: look then at what it did twice, and at `state`.
        """
        if self.status not in THREAD_ENDED:
            raise AssertionError(
                f"{self.workflow.name} is {self.status}: let it end before {node} runs again"
            )
        self._signoff.wait(self._again(node))
        return self

    def cast(self, approval: Approval, revision: int, by: str | None, verdict: Verdict, **said: Any) -> Run:
        """Count an answer that a `Pause` was given, and go on."""
        token = Token(approval.approval_id, revision)
        cast(self._rows, self._signoff.people, token, by, self._signoff.now, verdict, **said)
        self._signoff.wait(self._converge())
        return self

    def approval(self, approval_id: str) -> Approval:
        return self._rows.approvals[approval_id]

    def votes_on(self, approval: Approval) -> tuple[Vote, ...]:
        return self._rows.votes.get(approval.approval_id, ())

    def drawn(self, approval: Approval) -> Card:
        """Draw a card as it is drawn for Slack."""
        people = self._signoff.people
        view = CardView(
            approval=approval,
            thread=self._rows.thread,
            now=self._signoff.now,
            message_id=f"card:{approval.approval_id}",
            version=1,
            votes=self.votes_on(approval),
            groups=people.ids,
        )
        return shown(card(view), people.handles, other_fields(approval), proposal_now(approval))

    @property
    def next_at(self) -> datetime | None:
        """When the clock has something to do here."""
        return min((a.next_at for a in self._rows.open if a.next_at is not None), default=None)

    def tick(self) -> None:
        """Do what is due, and go on with what that decided."""
        self._told += tick(self._rows, self._signoff.people, self._signoff.now)
        self._signoff.wait(self._converge())

    async def _converge(self, *, untouched: bool = False) -> None:
        """Bring the graph to where the rows say; what raised is tried again at once, as often as declared."""
        while self.status not in THREAD_ENDED:
            try:
                await run_to_rest(self._graph, self._rows, self.workflow, untouched=untouched)
            except NodeRaised as raised:
                self._error = raised.error
                self._rows.raised(raised.error, self.workflow, await self._readable())
                untouched = False
            except Exception as error:  # noqa: BLE001  a stored state, or a declared reply, may raise anything
                self._error = error
                self._rows.raised(error, self.workflow, None)
                untouched = False
            else:
                return

    async def _readable(self) -> Snapshot | None:
        try:
            return await self._graph.read()
        except Exception:  # noqa: BLE001  as in the engine: what cannot be read still counts as an attempt
            return None

    async def _again(self, node: str) -> None:
        graph = self._with_saver()
        async for snapshot in graph.aget_state_history(self._config):
            if snapshot.next == (node,):
                await graph.ainvoke(None, snapshot.config)
                return
        raise AssertionError(f"{node} was never about to run by itself")

    def _with_saver(self) -> Pregel[Any, Any, Any, Any]:
        graph = copy.copy(self._compiled)
        graph.checkpointer = self._saver
        return graph

    @property
    def _config(self) -> Any:
        return {"configurable": {"thread_id": self.thread_id}}

    def _messages(self, kind: str) -> tuple[Card, ...]:
        return tuple(
            shown(drawn, self._signoff.people.handles, {}) for what, drawn in self._told if what == kind
        )

    def __repr__(self) -> str:
        return f"<Run of {self.workflow.name}: {self.status}{f', {self.error}' if self.error else ''}>"
