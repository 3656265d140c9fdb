"""A busy office: what its workflows ask of whom, the world that they look at, and its time."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypedDict

from fixtures_house import CLEO, DANA, FINN, MAYA, OTTO, Row
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, Field

from bot.approvals import ApprovalRequest, Fallback, Policy, Sla, Workflow, ask, effect_key

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class World:
    """What the workflows look at, stumble over, and change; a new one for each run."""

    heads: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, int] = field(default_factory=dict)
    received: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    effects: dict[str, list[Any]] = field(default_factory=dict)

    def anew(self) -> None:
        """Forget it all."""
        for known in (self.heads, self.troubles, self.received, self.effects):
            known.clear()

    def stumble(self, where: str) -> None:
        """Raise, as often as somebody wanted it here; what runs beside it has come to ask by then."""
        if self.troubles.get(where, 0) > 0:
            self.troubles[where] -= 1
            time.sleep(0.05)
            raise RuntimeError(f"the world is in trouble at {where}")


world = World()


class Fixes(BaseModel):
    memo: str = Field(default="", max_length=20)


class State(TypedDict, total=False):
    memo: str
    asks: dict[str, list[Row]]
    log: Annotated[list[Any], operator.add]


def asking(name: str) -> Callable[[State], State]:
    """Make a node that asks what its state has for it."""

    def run(state: State) -> State:
        return {"log": [_asked(request) for request in state["asks"].get(name, ())]}

    run.__name__ = name
    return run


def _asked(given: Row) -> list[str]:
    title, kind = given["title"], given["moves"]
    world.stumble(f"before {title}")
    request = {key: value for key, value in given.items() if key not in ("moves", "plain")}
    head = world.heads.get(title, 0)
    if given.get("plain"):
        said = interrupt({"question": title, "head": head if kind == "drifts" else 0})
        key = effect_key(title)
        world.received.setdefault((key.partition(":")[0], title), []).append(said)
        world.stumble(f"after {title}")
        if said["approved"]:
            world.effects.setdefault(key, []).append(said)
        return [title, str(said["decision"])]
    if kind == "basis":
        request["basis"] = f"head {head}"
    if kind != "still":
        request["fields"] = {"Head": str(head)}
    decision = ask(ApprovalRequest.model_validate(request))
    key = effect_key(title)
    world.received.setdefault((key.partition(":")[0], title), []).append(decision.answer())
    world.stumble(f"after {title}")
    if not decision.rejected:
        world.effects.setdefault(key, []).append(decision.answer())
    return [title, decision.verdict]


builder = StateGraph(State)
for name in ("left", "right", "last"):
    builder.add_node(name, asking(name))
builder.add_edge(START, "left")
builder.add_edge(START, "right")
builder.add_edge(["left", "right"], "last")


def _workflow(name: str, policy: Policy, fallback: Fallback, escalate: tuple[str, ...]) -> Workflow:
    sla = Sla(
        respond_within=2 * HOUR,
        remind_after=(HOUR / 2,),
        escalate=((HOUR, escalate),) if escalate else (),
        fallback=fallback,
    )
    return Workflow(
        name=name,
        graph=builder,
        channel="#finance-approvals",
        policy=policy,
        sla=sla,
        retries=2,
        reply=None if name == "one_cancels" else "dict",
        corrections=Fixes if name.startswith("two") else None,
    )


anyone = Policy(approvers=(MAYA, OTTO, "@finance-directors"))
pair = Policy(approvers=(MAYA, OTTO, "@finance-managers", "@finance-directors"), approvals=2)
trio = Policy(approvers=(MAYA, FINN, DANA, CLEO, OTTO), approvals=2, rejections=2, self_approval=True)
WORKFLOWS = (
    _workflow("one_rejects", anyone, Fallback.reject(), (CLEO,)),
    _workflow("one_cancels", anyone, Fallback.cancel(), ()),
    _workflow("two_approves", pair, Fallback.approve(), (CLEO,)),
    _workflow("two_drafted", trio, Fallback.as_drafted(), ("@compliance",)),
    _workflow("two_chooses", pair, Fallback.choose("a"), ()),
)
one_rejects, one_cancels, two_approves, two_drafted, two_chooses = WORKFLOWS
MODULES = tuple(f"busy_office:{workflow.name}" for workflow in WORKFLOWS)

PAYMENT = {"vendor": "Acme", "seats": 40}
PAYMENT_SCHEMA = {
    "type": "object",
    "properties": {"vendor": {"type": "string"}, "seats": {"type": "integer", "minimum": 1, "maximum": 500}},
    "required": ["vendor", "seats"],
}
SHAPES: tuple[Row, ...] = (
    {"allow": ["approve", "reject"]},
    {"allow": ["approve", "reject", "edit"], "proposal": PAYMENT, "proposal_schema": PAYMENT_SCHEMA},
    {"allow": ["reject", "respond"], "options": [{"id": "a", "label": "A"}, {"id": "b", "label": "B"}]},
    {
        "allow": ["approve", "reject", "edit", "respond"],
        "proposal": PAYMENT,
        "proposal_schema": PAYMENT_SCHEMA,
    },
    {"allow": ["approve", "reject"], "risk": "high"},
    {"plain": True},
)


class SharedClock:
    """The time of Slack and of our machines: as far ahead as the database's."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def seconds(self) -> float:
        return self().timestamp()


@dataclass(frozen=True)
class Known:
    """Who was in which group, and who had left, from a moment on."""

    since: datetime
    groups: dict[str, tuple[str, ...]]
    gone: frozenset[str]
