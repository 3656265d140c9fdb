"""Drives a workflow as the engine does: plain JSON in, an answer for exactly one interrupt at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from bot.approvals import ApprovalRequest, By, Decision, Vote, Workflow
from bot.approvals.changes import changes
from bot.approvals.request import parse_request
from bot.approvals.timeout import timed_out
from workflows.effects import Effect

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Ledger:
    """The effects of the samples, in memory."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.attempts = 0

    def record(self, key: str, kind: str, data: Mapping[str, Any]) -> bool:
        self.attempts += 1
        if any(effect.key == key for effect in self.effects):
            return False
        self.effects.append(Effect(key, kind, dict(data), AT))
        return True

    def recorded(self, *, kind=None, thread=None, holding=None) -> list[Effect]:
        return [
            effect
            for effect in self.effects
            if kind in (None, effect.kind)
            and (thread is None or effect.key.startswith(f"{thread}:"))
            and all(_holds(effect.data.get(name), value) for name, value in (holding or {}).items())
        ]


def _holds(actual: Any, wanted: Any) -> bool:
    return set(wanted) <= set(actual) if isinstance(wanted, list) else actual == wanted


class Run:
    """One thread of a workflow."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.graph = workflow.graph.compile(checkpointer=InMemorySaver())
        self.thread = str(uuid4())
        self.config: dict[str, Any] = {"configurable": {"thread_id": self.thread}}
        self.state: dict[str, Any] = {}

    async def start(self, given: dict[str, Any]) -> Run:
        read = self.workflow.input.model_validate(given)
        self.state = await self.graph.ainvoke(read.model_dump(mode="json"), self.config)
        return self

    @property
    def paused(self) -> bool:
        return bool(self.state.get("__interrupt__"))

    @property
    def request(self) -> ApprovalRequest:
        (interrupt,) = self.state["__interrupt__"]
        return parse_request(interrupt.value)

    async def approve(self, *users: str, **edits: Any) -> Run:
        before = self.request.proposal
        after = {**before, **edits} if edits else before
        votes = tuple(Vote(user=user, verdict="approve", at=AT, standing="named") for user in users)
        edited = tuple(change.path for change in changes(before, after))
        return await self._answer(
            Decision(
                verdict="approve",
                by=By(kind="human", user=users[-1]),
                votes=votes,
                proposal=after,
                edited=edited,
                decided_at=AT,
            )
        )

    async def by_policy(self) -> Run:
        assert self.request.auto
        by = By(kind="policy")
        return await self._answer(
            Decision(verdict="approve", by=by, proposal=self.request.proposal, decided_at=AT)
        )

    async def reject(self, user: str, comment: str | None = None) -> Run:
        by = By(kind="human", user=user)
        return await self._answer(Decision(verdict="reject", by=by, comment=comment, decided_at=AT))

    async def respond(self, user: str, text: str) -> Run:
        by = By(kind="human", user=user)
        return await self._answer(Decision(verdict="respond", by=by, text=text, decided_at=AT))

    async def time_out(self, *, delivered: bool = True) -> Run:
        fallback = self.workflow.sla.fallback
        return await self._answer(timed_out(self.request, fallback, delivered=delivered, at=AT))

    async def again(self, node: str) -> Run:
        """Run from `node` on once more, as after a crash between its effect and its checkpoint."""
        async for snapshot in self.graph.aget_state_history(self.config):
            if snapshot.next == (node,):
                self.state = await self.graph.ainvoke(None, snapshot.config)
                return self
        raise AssertionError(f"{node} was never about to run")

    async def _answer(self, decision: Decision) -> Run:
        (interrupt,) = self.state["__interrupt__"]
        resume = Command(resume={interrupt.id: decision.answer()})
        self.state = await self.graph.ainvoke(resume, self.config)
        return self
