"""Releases: twenty steps from the sources to the announcement, of which those that cannot be undone ask."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypedDict

from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.approvals import ApprovalRequest, Decision, Fallback, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.releases.request import Announcement, World, gate_request
from workflows.releases.steps import (
    STEPS,
    VERIFY,
    NoProject,
    Places,
    Ran,
    Step,
    carried_out,
    digest,
    in_production,
    pending,
    places,
)
from workflows.wording import deciders, refusal, sentence

Goto = Command[Literal["advance", "prepare", "gatekeeper", "carry_out", "stop", "finish"]]


class Release(BaseModel):
    """What starts the workflow: a project at its present sources, under a version such as 1.4.0."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    project: Annotated[str, Field(pattern=re.compile(r"^[a-z][a-z0-9-]{0,63}$"))]
    version: Annotated[str, Field(pattern=re.compile(r"^\d{1,6}\.\d{1,6}\.\d{1,6}$"))]
    notes: str = Field(default="", max_length=2000)


class State(TypedDict, total=False):
    """The release as it was started, then how far it has come; all plain JSON."""

    project: str
    version: str
    notes: str
    at: int
    told: list[str]
    done: list[str]
    world: dict[str, Any]
    pending: dict[str, str]
    announcement: str
    asked_again: str | None
    decision: dict[str, Any]
    why: str
    result: Literal["released", "released unannounced", "failed", "rejected", "expired"]
    outcome: str


def begin(state: State) -> dict[str, Any]:
    given = _given(state)
    notes = f"\n\n{given.notes}" if given.notes else ""
    return {
        "at": 0,
        "told": [],
        "done": [],
        "announcement": f"{given.project} {given.version} is out.{notes}",
    }


def advance(state: State) -> Goto:
    """Run one step; what cannot be undone is prepared instead, since somebody must agree."""
    if state["at"] == len(STEPS):
        return Command(goto="finish")
    step = STEPS[state["at"]]
    if step.gate is not None:
        return Command(goto="prepare")
    try:
        ran = carried_out(step, _places(state), effect_key(step.id))
    except NoProject as error:
        ran = Ran(ok=False, told=str(error))
    return _after(state, step, ran)


def prepare(state: State) -> Goto:
    """Work out what the question is about: the build as it is, and the world it goes into."""
    step, where = STEPS[state["at"]], _places(state)
    world = _world(step, where)
    if world.digest is None and step.gate != "announce":
        return Command(goto="advance", update=_back(state, 0, "The build was gone, so it was made again."))
    waiting = pending(where) if step.gate == "migrate" else {}
    if step.gate == "migrate" and not waiting:
        return _after(state, step, Ran(ok=True, told="not needed, the database has every migration"))
    return Command(goto="gatekeeper", update={"world": world.model_dump(), "pending": waiting})


def gatekeeper(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    return {"decision": ask(_request(state)).answer()}


def review(state: State) -> Goto:
    """Look at the build and at production again: an approval is for what was shown, however late it comes."""
    decision, step = Decision.model_validate(state["decision"]), STEPS[state["at"]]
    if not decision.approved:
        return Command(goto="stop", update={"why": refusal(decision)})
    now, shown = _world(step, _places(state)), World.model_validate(state["world"])
    if now.production != shown.production or (step.gate == "announce" and now != shown):
        told = f"Production runs {now.production or 'nothing'} now, not what you were shown."
        return Command(goto="prepare", update={"asked_again": told})
    if now.digest is None:
        return Command(goto="advance", update=_back(state, 0, "The build was gone, so it was made again."))
    if now.digest != shown.digest:
        told = f"The build is {now.digest[:12]} now, not {(shown.digest or '')[:12]} that you were shown."
        return Command(goto="advance", update=_back(state, VERIFY, told))
    if step.gate == "announce":
        try:
            text = Announcement.model_validate(decision.proposal).text
        except ValidationError as error:
            told = f"What was approved is not an announcement: {error.errors()[0]['msg']}."
            return Command(goto="prepare", update={"asked_again": told})
        return Command(goto="carry_out", update={"announcement": text})
    return Command(goto="carry_out")


def carry_out(state: State) -> Goto:
    """Do what cannot be undone, once: each command knows by itself what it has done before."""
    step, key = STEPS[state["at"]], effect_key(STEPS[state["at"]].id)
    given = state["announcement"] if step.gate == "announce" else None
    ran = carried_out(step, _places(state), key, given)
    if not ran.ok:
        return _after(state, step, ran)
    approved_by = deciders(Decision.model_validate(state["decision"]))
    data = {"project": state["project"], "version": state["version"], "step": step.name}
    about = {"build": state["world"]["digest"], "told": ran.told, "approved_by": approved_by}
    effects.record(key, "release", data | about)
    update = {
        "at": state["at"] + 1,
        "told": [*state["told"], f"{step.name}: {ran.told}, as approved"],
        "done": [*state["done"], step.name],
        "asked_again": None,
    }
    return Command(goto="advance", update=update)


def stop(state: State) -> dict[str, Any]:
    """Say where it stopped and why, and what had been done by then."""
    step, at = STEPS[state["at"]], f"step {state['at'] + 1} of {len(STEPS)}"
    done = f"Done before: {', '.join(state['done'])}." if state["done"] else "Nothing irreversible was done."
    told = sentence(f"{state['project']} {state['version']} stopped at {at}, {step.name}: {state['why']}")
    return {"result": _result_of_stop(state, step), "outcome": f"{told} {done}"}


def finish(state: State) -> dict[str, Any]:
    told = f"{state['project']} {state['version']} is released and announced: {len(STEPS)} steps ran."
    return {"result": "released", "outcome": told}


def _after(state: State, step: Step, ran: Ran) -> Goto:
    """Go on, or stop at a step that failed."""
    if not ran.ok:
        return Command(goto="stop", update={"why": f"failed, {ran.told}"})
    told = [*state["told"], f"{step.name}: {ran.told}"]
    return Command(goto="advance", update={"at": state["at"] + 1, "told": told})


def _back(state: State, at: int, why: str) -> dict[str, Any]:
    return {"at": at, "told": state["told"][:at], "asked_again": f"{why} Everything after it was run again."}


def _result_of_stop(state: State, step: Step) -> str:
    if state["why"].startswith("failed, "):
        return "failed"
    if step.gate == "announce":
        return "released unannounced"
    return "expired" if Decision.model_validate(state["decision"]).by.kind == "timeout" else "rejected"


def _request(state: State) -> ApprovalRequest:
    gate = STEPS[state["at"]].gate
    if gate is None:
        raise ValueError(f"step {state['at'] + 1} asks nothing")
    return gate_request(
        gate,
        state["project"],
        state["version"],
        World.model_validate(state["world"]),
        at=state["at"],
        told=state["told"],
        pending=state["pending"],
        announcement=state["announcement"],
        asked_again=state.get("asked_again"),
    )


def _world(step: Step, where: Places) -> World:
    """Return what the step is about: the build, or for the announcement what production runs."""
    running = in_production(where)
    about = running.get("digest") if step.gate == "announce" else digest(where.artifact)
    return World(digest=about, production=running.get("version"))


def _places(state: State) -> Places:
    """Each thread works in a folder of its own."""
    return places(state["project"], state["version"], str(get_config()["configurable"]["thread_id"]))


def _given(state: State) -> Release:
    return Release.model_validate({k: v for k, v in state.items() if k in Release.model_fields})


builder = StateGraph(State)
for node in (begin, advance, prepare, gatekeeper, review, carry_out, stop, finish):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "begin")
builder.add_edge("begin", "advance")
builder.add_edge("gatekeeper", "review")
builder.add_edge("stop", END)
builder.add_edge("finish", END)

workflow = Workflow(
    name="release",
    description="Releases a project in twenty steps; those that cannot be undone wait for on-call.",
    graph=builder,
    input=Release,
    channel="#on-call",
    policy=Policy(approvers=("@on-call",)),
    sla=Sla(
        respond_within=timedelta(hours=4),
        remind_after=(timedelta(hours=1),),
        escalate=((timedelta(hours=2), ("U03DANA",)),),
        fallback=Fallback.reject(),
    ),
)

samples: dict[str, dict[str, Any]] = {
    "shop": {"project": "shop", "version": "1.0.0", "notes": "Discounts are rounded in your favour."},
    "broken": {"project": "shop-broken", "version": "1.0.0"},
}
