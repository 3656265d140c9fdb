"""Incidents: an alert becomes a runbook; its safe steps run, scaling down a database waits for on-call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import ValidationError

from bot.approvals import Decision, Fallback, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.incidents.alertmanager import Webhook
from workflows.incidents.request import scale_down_request
from workflows.incidents.runbook import ScaleDown, Step, runbook
from workflows.incidents.samples import samples
from workflows.incidents.topology import SCALED, TOPOLOGY, replicas, spare
from workflows.wording import counted, deciders, refusal, sentence

__all__ = ["builder", "samples", "workflow"]


class State(TypedDict, total=False):
    """The webhook as it came, then what the nodes made of it; all plain JSON."""

    version: str
    groupKey: str
    status: str
    receiver: str
    groupLabels: dict[str, str]
    commonLabels: dict[str, str]
    commonAnnotations: dict[str, str]
    externalURL: str
    truncatedAlerts: int
    alerts: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    spare: dict[str, int]
    change: dict[str, Any] | None
    asked_again: str | None
    decision: dict[str, Any]
    result: Literal["resolved", "scaled down", "nothing scaled down", "safe steps only"]
    outcome: str
    runbook: list[str]


def triage(state: State) -> dict[str, Any]:
    """Write the runbook; what has resolved needs none."""
    steps = [_within_bounds(step) for step in runbook(_webhook(state).firing)]
    return {"steps": [step.model_dump() for step in steps]}


def run_safe_steps(state: State) -> dict[str, Any]:
    """Run what needs nobody's leave, each step once under its own key."""
    steps = [_run(step) if step.safe and step.open else step for step in _steps(state)]
    return {"steps": [step.model_dump() for step in steps]}


def propose(state: State) -> Command[Literal["propose", "on_call", "close"]]:
    """Prepare the question about the next step that needs one, from the replicas as they are now."""
    step, now = _open_step(state), spare()
    if step is None:
        return Command(goto="close")
    left = now.get(step.target, 0)
    if left == 0:
        return Command(goto="propose", update=_closed(state, step, "not needed, no replica can be spared"))
    change = {"target": step.target, "count": min(step.count, left), "reason": step.why[:1000]}
    return Command(goto="on_call", update={"change": change, "spare": now})


def on_call(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    request = scale_down_request(
        _webhook(state),
        _steps(state),
        ScaleDown.model_validate(state["change"]),
        spare=state["spare"],
        asked_again=state.get("asked_again"),
    )
    return {"decision": ask(request).answer()}


def review(state: State) -> Command[Literal["propose", "scale_down"]]:
    """Look at what was approved: the replicas may have changed since, or the edit may take too many."""
    decision, step = Decision.model_validate(state["decision"]), _asked_step(state)
    if not decision.approved:
        return Command(goto="propose", update=_closed(state, step, f"not done, {refusal(decision)}"))
    try:
        change = ScaleDown.model_validate(decision.proposal)
    except ValidationError:
        return Command(goto="propose", update={"asked_again": "What was approved is not a valid change."})
    left = spare().get(change.target, 0)
    if change.count > left:
        why = f"{change.target} can lose {left} now, not the {change.count} that were approved."
        return Command(goto="propose", update={"asked_again": why})
    return Command(goto="scale_down", update={"change": change.model_dump()})


def scale_down(state: State) -> dict[str, Any]:
    """Remove the replicas, once; a second run of this node finds them removed."""
    step, change = _asked_step(state), ScaleDown.model_validate(state["change"])
    decision = Decision.model_validate(state["decision"])
    approved_by = deciders(decision)
    data = {"service": change.target, "change": -change.count, "reason": change.reason}
    effects.record(effect_key(step.key), SCALED, data | {"approved_by": approved_by})
    return _closed(state, step, f"done{_otherwise(step, change, decision)}, approved by {approved_by}")


def _otherwise(step: Step, change: ScaleDown, decision: Decision) -> str:
    """Say what was done where that is not what the runbook has."""
    if (change.target, change.count) == (step.target, step.count):
        return ""
    how = " as edited" if decision.edited else ""
    return f"{how}, {change.target} by {change.count}"


def close(state: State) -> dict[str, Any]:
    """Tell what came of it, step by step."""
    steps = _steps(state)
    if not steps:
        return {"result": "resolved", "outcome": "Nothing to do: every alert has resolved.", "runbook": []}
    risky = [step for step in steps if not step.safe]
    told = [f"{step.sentence}: {step.state}" for step in risky] or ["Nothing needed approval"]
    return {
        "result": _result(risky),
        "outcome": " ".join(map(sentence, [f"{counted(len(steps) - len(risky), 'safe step')} ran", *told])),
        "runbook": [f"{step.sentence} ({step.why}): {step.state}" for step in steps],
    }


def _result(risky: list[Step]) -> str:
    if not risky:
        return "safe steps only"
    return "scaled down" if any(step.state.startswith("done") for step in risky) else "nothing scaled down"


def _within_bounds(step: Step) -> Step:
    """Let a service grow no further than its most; settled here, so that a second run asks for the same."""
    if step.action != "scale_up":
        return step
    service = TOPOLOGY[step.target]
    room = service.most - replicas(service)
    if room <= 0:
        return step.model_copy(update={"state": f"not done, it already has its maximum ({service.most})"})
    return step.model_copy(update={"count": min(step.count, room)})


def _run(step: Step) -> Step:
    """Let the effect of one safe step happen."""
    if step.action == "scale_up":
        effects.record(effect_key(step.key), SCALED, {"service": step.target, "change": step.count})
    else:
        effects.record(effect_key(step.key), step.action, {"service": step.target, "why": step.why})
    return step.model_copy(update={"state": "done"})


def _webhook(state: State) -> Webhook:
    return Webhook.model_validate({k: v for k, v in state.items() if k in Webhook.model_fields})


def _steps(state: State) -> list[Step]:
    return [Step.model_validate(step) for step in state["steps"]]


def _open_step(state: State) -> Step | None:
    return next((step for step in _steps(state) if step.open and not step.safe), None)


def _asked_step(state: State) -> Step:
    step = _open_step(state)
    if step is None:
        raise ValueError("no step of the runbook waits for an answer")
    return step


def _closed(state: State, step: Step, how: str) -> dict[str, Any]:
    """Return the update that notes how a step ended."""
    steps = [one.model_copy(update={"state": how}) if one.key == step.key else one for one in _steps(state)]
    return {"steps": [one.model_dump() for one in steps], "asked_again": None}


builder = StateGraph(State)
for node in (triage, run_safe_steps, propose, on_call, review, scale_down, close):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "triage")
builder.add_edge("triage", "run_safe_steps")
builder.add_edge("run_safe_steps", "propose")
builder.add_edge("on_call", "review")
builder.add_edge("scale_down", "propose")
builder.add_edge("close", END)

workflow = Workflow(
    name="incident",
    description="Answers an alert: safe steps at once, fewer database replicas if on-call agrees.",
    graph=builder,
    input=Webhook,
    channel="#on-call",
    policy=Policy(approvers=("@on-call",)),
    sla=Sla(
        respond_within=timedelta(minutes=30),
        remind_after=(timedelta(minutes=10),),
        escalate=((timedelta(minutes=20), ("U03DANA",)),),
        fallback=Fallback.reject(),
    ),
)
