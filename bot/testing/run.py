"""One run of a workflow: where it stands, what it asks, and the answers to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bot.approvals.decision import Decision
from bot.approvals.policy import Verdict, Vote
from bot.approvals.request import ApprovalRequest
from bot.approvals.states import THREAD_ENDED, ThreadStatus
from bot.approvals.workflow import Workflow
from bot.engine.catalog import Entry, compiled
from bot.facts.messages import card_id
from bot.postgres.rows import Approval, Thread
from bot.slack.cards.card import CardView, card
from bot.slack.cards.content import other_fields, proposal_now
from bot.slack.token import Token
from bot.testing.answering import begin, cast, correct
from bot.testing.card import Card, shown
from bot.testing.house import House
from bot.testing.pause import Pause
from bot.testing.rows import Rows
from bot.testing.ticking import Told, recheck, tick
from bot.testing.worker import Worker


class Run:
    """One thread of a workflow, run to its next pause or its end after everything that happens to it."""

    def __init__(self, signoff: House, entry: Entry, thread: Thread) -> None:
        self._signoff = signoff
        self._rows = Rows(thread, lambda: signoff.now, lambda: signoff.delivers)
        self._worker = Worker(entry, self._rows)
        self._told: list[Told] = []
        signoff.wait(self._worker.converge(untouched=True))

    @property
    def workflow(self) -> Workflow:
        """The declaration that is deployed."""
        return self._worker.entry.workflow

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
        """Why it failed, was cancelled, or is held: its kept state does not fit what is deployed."""
        return self._rows.thread.error

    @property
    def state(self) -> dict[str, Any]:
        """The graph's state at its latest checkpoint."""
        return self._signoff.wait(self._worker.state())

    @property
    def pauses(self) -> tuple[Pause[Run], ...]:
        """What waits for people, oldest first."""
        return tuple(Pause(self, approval) for approval in self._rows.open)

    @property
    def pause(self) -> Pause[Run]:
        """The one pause that waits; an AssertionError says what is so where there is none, or several."""
        if len(self.pauses) == 1:
            return self.pauses[0]
        if not self.pauses:
            why = f": {self.error}" if self.error else ""
            raise AssertionError(
                f"{self.workflow.name} asks nothing; it is {self.status}{why}"
            ) from self._worker.error
        titles = ", ".join(repr(pause.request.title) for pause in self.pauses)
        raise AssertionError(f"{len(self.pauses)} pauses wait ({titles}); take one of run.pauses")

    @property
    def history(self) -> tuple[Pause[Run], ...]:
        """Every pause so far, oldest first, those that policy decided included."""
        return tuple(Pause(self, approval) for approval in self._rows.approvals.values())

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided, in the order in which it was asked."""
        return tuple(outcome for a in self._rows.approvals.values() if (outcome := a.outcome))

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

    def correct(self, changes: Mapping[str, Any], *, by: str | None = None) -> Run:
        return self.pause.correct(changes, by=by)

    def deploy(self, workflow: Any) -> Run:
        """Go on with another declaration of its workflow, or another graph under the one it has.

        A run that is held is looked at again at once; one that waits meets it with its next answer. Raises
        ValueError for the declaration of another workflow, and `BadWorkflow`.
        """
        if not isinstance(workflow, Workflow):
            workflow = replace(self.workflow, graph=workflow)
        if workflow.name != self.workflow.name:
            raise ValueError(f"this is a run of {self.workflow.name}; it never goes on as {workflow.name}")
        self._worker.entry = Entry(workflow, compiled(workflow))
        if self._rows.held:
            self._signoff.wait(self._worker.converge())
        return self

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
        self._signoff.wait(self._worker.ask_again())
        return self

    def again(self, node: str) -> Run:
        """Run from `node` on once more, as after a crash between its effect and its checkpoint.

        Only once it has ended: look then at what it did twice, and at `state`.
        """
        if self.status not in THREAD_ENDED:
            raise AssertionError(
                f"{self.workflow.name} is {self.status}: let it end before {node} runs again"
            )
        self._signoff.wait(self._worker.again(node))
        return self

    def cast(self, approval: Approval, revision: int, by: str | None, verdict: Verdict, **said: Any) -> Run:
        """Count an answer that a `Pause` was given, and go on."""
        token = Token(approval.approval_id, revision)
        cast(self._rows, self._signoff.people, token, by, self._signoff.now, verdict, **said)
        self._signoff.wait(self._worker.converge())
        return self

    def opens(self, approval: Approval, revision: int, by: str | None, verdict: Verdict, **said: Any) -> None:
        """Open the form that a `Pause` fills in; raises `Refused` for who could not submit it."""
        token = Token(approval.approval_id, revision)
        begin(self._rows, self._signoff.people, token, by, self._signoff.now, verdict, **said)

    def put_right(self, approval: Approval, revision: int, by: str | None, values: dict[str, Any]) -> Run:
        """Take a correction that a `Pause` was given."""
        token = Token(approval.approval_id, revision)
        correct(self._rows, self._signoff.people, token, by, self._signoff.now, values)
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
            message_id=card_id(approval.approval_id),
            version=1,
            votes=self.votes_on(approval),
            groups=people.ids,
        )
        return shown(card(view), people.handles, other_fields(approval), proposal_now(approval))

    @property
    def next_at(self) -> datetime | None:
        """When the clock has something to do here."""
        return min((a.next_at for a in self._rows.open if a.next_at is not None), default=None)

    def recheck(self) -> None:
        """Know who may decide by now; a vote counts only while its voter may."""
        recheck(self._rows, self._signoff.people, self._signoff.now)

    def tick(self) -> None:
        """Do what is due, and go on with what that decided."""
        self._told += tick(self._rows, self._signoff.people, self._signoff.now)
        self._signoff.wait(self._worker.converge())

    def _messages(self, kind: str) -> tuple[Card, ...]:
        return tuple(
            shown(drawn, self._signoff.people.handles, {}) for what, drawn in self._told if what == kind
        )

    def __repr__(self) -> str:
        return f"<Run of {self.workflow.name}: {self.status}{f', {self.error}' if self.error else ''}>"
