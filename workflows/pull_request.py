"""Pull requests: defects in the changed lines are found, and what mends them is committed once approved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from bot.approvals import Decision, Fallback, Policy, Sla, Workflow, ask, effect_key
from workflows import effects
from workflows.pull_requests.analysis import MOST_CHANGES, analysed
from workflows.pull_requests.branch import Standing, Unfit, committed, found, standing
from workflows.pull_requests.diff import parsed
from workflows.pull_requests.edits import Finding, Stale
from workflows.pull_requests.input import PullRequest, chosen
from workflows.pull_requests.repository import GitFailed, Moved
from workflows.pull_requests.request import review_request
from workflows.pull_requests.samples import samples
from workflows.wording import deciders, refusal, sentence

__all__ = ["builder", "samples", "workflow"]


class State(TypedDict, total=False):
    """The pull request as it was started, then what the nodes made of it; all plain JSON."""

    title: str
    diff: str | None
    repository: str | None
    branch: str | None
    base: str | None
    head: str | None
    changes: list[dict[str, Any]]
    remarks: list[dict[str, Any]]
    found_by: str
    declined: list[str]
    accepted: list[dict[str, Any]]
    message: str
    asked_again: str | None
    decision: dict[str, Any]
    commit: str
    result: Literal["committed", "recommended", "nothing to change", "rejected", "expired", "not reviewed"]
    outcome: str


def analyse(state: State) -> Command[Literal["reviewer", "__end__"]]:
    """Find what is wrong in the branch as it is now; without anything to decide, nobody is asked."""
    given = _given(state)
    try:
        now = _standing(given)
    except (Unfit, GitFailed) as error:
        return Command(
            goto="__end__", update={"result": "not reviewed", "outcome": f"Not reviewed: {error}."}
        )
    findings, found_by = analysed(now.files, now.texts, now.diff)
    mendable = [one for one in findings if one.shown]
    changes, remarks = mendable[:MOST_CHANGES], [one for one in findings if not one.shown]
    remarks += mendable[MOST_CHANGES:]
    update = {
        "head": now.head or None,
        "changes": [one.model_dump() for one in changes],
        "remarks": [one.model_dump() for one in remarks],
        "found_by": found_by,
        "declined": state.get("declined", []),
        "message": state.get("message") or _message(given, changes),
        "asked_again": state.get("asked_again"),
    }
    if changes:
        return Command(goto="reviewer", update=update)
    told = f"Nothing to change in {given.title}: {_remarked(remarks)} ({found_by})."
    return Command(goto="__end__", update=update | {"result": "nothing to change", "outcome": told})


def reviewer(state: State) -> dict[str, Any]:
    """Ask; everything that the request says was worked out before."""
    request = review_request(
        _given(state),
        _findings(state["changes"]),
        _findings(state["remarks"]),
        head=state["head"],
        found_by=state["found_by"],
        declined=state["declined"],
        message=state["message"],
        asked_again=state["asked_again"],
    )
    return {"decision": ask(request).answer()}


def review(state: State) -> Command[Literal["analyse", "apply", "decline"]]:
    """Look at what was approved, and at the branch again: hours have passed."""
    decision, changes = Decision.model_validate(state["decision"]), _findings(state["changes"])
    if not decision.approved:
        return Command(goto="decline")
    try:
        accepted, message = chosen(decision.proposal, changes)
    except ValueError as error:
        return Command(goto="analyse", update={"asked_again": f"Please look again: {error}."})
    kept = {one.identity for one in accepted}
    update: dict[str, Any] = {
        "accepted": [one.model_dump() for one in accepted],
        "declined": [one.identity for one in changes if one.identity not in kept],
        "message": message,
    }
    if not accepted:
        return Command(goto="decline", update=update)
    if moved := _moved(state):
        return Command(goto="analyse", update=update | {"asked_again": moved})
    return Command(goto="apply", update=update)


def apply(state: State) -> Command[Literal["analyse", "__end__"]]:
    """Commit what was approved, once: a second run finds the commit by its trailer.

    Without a repository the review itself is the effect.
    """
    given, accepted = _given(state), _findings(state["accepted"])
    approved_by = deciders(Decision.model_validate(state["decision"]))
    data = {"title": given.title, "changes": [one.where for one in accepted], "approved_by": approved_by}
    if given.repository is None:
        effects.record(effect_key("review"), "review", data | {"message": state["message"]})
        told = f"Recommended {_counted(accepted)} to the author of {given.title}, approved by {approved_by}."
        return Command(goto="__end__", update={"result": "recommended", "outcome": told})
    key = effect_key("commit")
    try:
        commit = _committed(state, accepted, key)
    except Moved:
        return Command(goto="analyse", update={"asked_again": _moved(state) or "The branch moved just now."})
    except (Unfit, Stale) as error:
        return Command(goto="analyse", update={"asked_again": f"Not committed: {error}. Strike some out."})
    effects.record(
        key, "commit", data | {"commit": commit, "branch": given.branch, "repository": given.repository}
    )
    told = f"Committed {_counted(accepted)} to {given.branch} of {given.repository} as {commit[:10]}"
    update = {"commit": commit, "result": "committed", "outcome": f"{told}, approved by {approved_by}."}
    return Command(goto="__end__", update=update)


def decline(state: State) -> dict[str, Any]:
    decision = Decision.model_validate(state["decision"])
    why = f"{deciders(decision)} struck out every change" if decision.approved else refusal(decision)
    expired = decision.by.kind == "timeout"
    return {
        "result": "expired" if expired else "rejected",
        "outcome": sentence(f"Nothing was changed: {why}"),
    }


def _standing(given: PullRequest) -> Standing:
    if given.repository is not None:
        return standing(found(given), given)
    diff = given.diff or ""
    return Standing("", diff, parsed(diff), {})


def _committed(state: State, accepted: list[Finding], key: str) -> str:
    given, parent = _given(state), state["head"] or ""
    repository = found(given)
    made = repository.made_by(key, given.branch or "", parent)
    return made or committed(repository, given, parent, accepted, state["message"], key)


def _moved(state: State) -> str | None:
    """Say whether the branch is no longer where it was when the reviewer was asked."""
    given = _given(state)
    if given.repository is None:
        return None
    try:
        head = found(given).head(given.branch or "")
    except (Unfit, GitFailed) as error:
        return f"The branch can no longer be read: {error}."
    if head == state["head"]:
        return None
    was = (state["head"] or "")[:10]
    return f"{given.branch} has moved from {was} to {head[:10]} since you were asked; this is what holds now."


def _message(given: PullRequest, changes: list[Finding]) -> str:
    rules = ", ".join(dict.fromkeys(one.rule for one in changes))
    return f"Fix what the review of {given.title} found: {rules}"[:500]


def _remarked(remarks: list[Finding]) -> str:
    lines = [f"{one.where} {one.problem}" for one in remarks[:5]]
    more = [f"and {len(remarks) - 5} more"] if len(remarks) > 5 else []
    return "; ".join(["nothing that a rule could fix", *lines, *more])


def _counted(changes: list[Finding]) -> str:
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"


def _findings(dumped: list[dict[str, Any]]) -> list[Finding]:
    return [Finding.model_validate(one) for one in dumped]


def _given(state: State) -> PullRequest:
    return PullRequest.model_validate({k: v for k, v in state.items() if k in PullRequest.model_fields})


builder = StateGraph(State)
for node in (analyse, reviewer, review, apply, decline):
    builder.add_node(node.__name__, node)
builder.add_edge(START, "analyse")
builder.add_edge("reviewer", "review")
builder.add_edge("decline", END)

workflow = Workflow(
    name="pull_request",
    description="Finds defects in a pull request, and commits the fixes once a reviewer agrees.",
    graph=builder,
    input=PullRequest,
    channel="#on-call",
    policy=Policy(approvers=("@on-call", "U01MAYA")),
    sla=Sla(
        respond_within=timedelta(days=1),
        remind_after=(timedelta(hours=4),),
        calendar="business",
        timezone="Europe/Berlin",
        holidays="DE",
        fallback=Fallback.reject(),
    ),
)
