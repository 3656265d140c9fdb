"""Where a graph stands at a static breakpoint: what is asked there, and what an answer writes. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from langgraph.graph import END
from langgraph.types import Command, StateUpdate

from bot.approvals.breakpoints import Breakpoints
from bot.approvals.decision import Decision
from bot.approvals.dialects import (
    Asked,
    End,
    Original,
    StepOn,
    Update,
    When,
    breakpoint_move,
    breakpoint_request,
    read,
)
from bot.approvals.difference import Told, done
from bot.approvals.errors import BadAnswer, BadRequest
from bot.approvals.workflow import Workflow
from bot.engine.result import as_json

PASSED, ACTED = "signoff_passed", "signoff_acted"
"""What is kept with a checkpoint that an answer wrote: whom it lets run, and the nodes that it acted as."""

Passes = Literal["next", "none"]
"""Which guarded nodes a written answer lets run: those that were next when it was asked, or none of them."""


@dataclass(frozen=True)
class Raised:
    """A legacy NodeInterrupt: the node, which runs again once it is answered, and what it asked."""

    node: str
    value: Any


@dataclass(frozen=True)
class Stop:
    """One level of a graph (the root, or a subgraph) that may stand at a breakpoint, at one checkpoint.

    `before` are the guarded nodes that are next, or else `after` those that have just run; all that ran then
    are in `ran`, and where that cannot be told any more it is empty, and the state cannot be edited.
    `routed` says that a conditional edge chose what is next, `sends` that a `Send` did. `stepped` says that
    the run stops there and not the graph, so that nothing but what to show is declared for it; `done` is what
    the step has changed in the state.
    """

    interrupt_id: str
    thread_id: str
    namespace: str
    values: Any
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()
    upcoming: tuple[str, ...] = ()
    routed: bool = False
    sends: bool = False
    ended: bool = False
    stepped: bool = False
    done: tuple[Told, ...] = ()
    raised: Raised | None = None

    @property
    def node(self) -> str:
        """The node that the card names."""
        return (self.before or self.after)[0]

    @property
    def editable(self) -> bool:
        """Whether a change of the state keeps what is next: a `Send` by a node itself would be lost."""
        return bool(self.ran) and (self.routed or not self.sends)


@dataclass(frozen=True)
class Write:
    """What an answer writes to the state of one level, as one superstep, before the graph is run on."""

    thread_id: str
    namespace: str
    updates: tuple[StateUpdate, ...] = ()
    passes: Passes = "next"

    @property
    def proof(self) -> dict[str, str]:
        """What is kept with the checkpoint that it makes: that it was written, once, and for whom."""
        return {PASSED: self.passes, ACTED: json.dumps([update.as_node for update in self.updates])}


def interrupt_id(thread_id: str, *place: str) -> str:
    """Make the id that a breakpoint has not got itself from where it is: 32 hex digits, as LangGraph's."""
    return sha256("|".join((thread_id, *place)).encode()).hexdigest()[:32]


def asked(stop: Stop, workflow: Workflow) -> Asked:
    """Make the request of a stop; raises `BadRequest` where it could not be answered."""
    if stop.raised is not None:
        return Asked(read(stop.raised.value).request, "node_interrupt")
    declared = _declared(stop, stop.node, workflow)
    if declared.request is not None:
        request = declared.request(stop.values)
        if declared.answered is None and (request.options or "respond" in request.allow):
            raise BadRequest(
                f"The breakpoint at {stop.node} asks for more than yes or no; declare what becomes of the "
                "answer (Breakpoints(answered=…))."
            )
    else:
        part = _part(stop.values, declared.fields)
        names, upcoming = _named(stop.after or stop.before), _named(stop.upcoming) if stop.after else ""
        when: When = "after" if stop.after else "before"
        request = breakpoint_request(names, when, part, declared.schema, upcoming)
        if stop.stepped:
            request = request.model_copy(update={"fields": done(stop.done)})
    if declared.answered is None and not stop.editable:
        request = request.model_copy(update={"allow": tuple(a for a in request.allow if a != "edit")})
    return Asked(request, "breakpoint", Original(as_json(request.proposal)))


def written(stop: Stop, decision: Decision, question: Asked, workflow: Workflow) -> Write | End:
    """Turn a decision into what it writes; raises `BadAnswer` for one that cannot be given here."""
    if stop.raised is not None:
        if workflow.node_interrupt is None:
            raise BadAnswer("The workflow no longer declares node_interrupt, so the answer has no place.")
        return _edit(stop, workflow.node_interrupt(decision, stop.raised.value))
    guarded = dict.fromkeys(stop.before or stop.after)
    returned = {node: _returned(_declared(stop, node, workflow), decision) for node in guarded}
    values = {node: value for node, value in returned.items() if value is not None}
    # A refusal that one of them has no way of its own for ends the thread, whatever the others have.
    if values and (decision.approved or len(values) == len(guarded)):
        return _as_returned(stop, values, "next" if len(values) < len(guarded) else "none")
    match _usual(decision, question):
        case StepOn():
            updates = (StateUpdate(None, END),) if stop.ended else ()
            return Write(stop.thread_id, stop.namespace, updates)
        case Update(values):
            return _edit(stop, values)
        case End() as end:
            return end


def _named(nodes: tuple[str, ...]) -> str:
    """Name nodes, each once: `send (3 times) and log`."""
    counted = [f"{node} ({n} times)" if n > 1 else node for node, n in Counter(nodes).items()]
    return " and ".join(filter(None, (", ".join(counted[:-1]), counted[-1]))) if counted else ""


def _declared(stop: Stop, node: str, workflow: Workflow) -> Breakpoints:
    declared = workflow.breakpoint_of(node)
    return Breakpoints(show=declared.fields) if stop.stepped else declared


def _returned(declared: Breakpoints, decision: Decision) -> Any:
    return declared.answered(decision) if declared.answered else None


def _usual(decision: Decision, question: Asked) -> StepOn | Update | End:
    shown = question.original.value if question.original else None
    if isinstance(shown, dict):
        return breakpoint_move(decision, shown)
    return breakpoint_move(decision.model_copy(update={"proposal": None, "edited": ()}), {})


def _part(values: Any, fields: Iterable[str]) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        return {}
    part = as_json({name: values[name] for name in fields if name in values})
    # What is too large, or cannot be read, is told instead of shown; nobody may edit what that says.
    return part if isinstance(part, dict) and part.keys() <= set(fields) else {}


def _edit(stop: Stop, values: Any) -> Write:
    """Update the state as the nodes that have just run, as `aupdate_state` does where there is but one.

    An update lets the edges of its node choose anew what is next. What no edge chose, but the node itself
    (`Command(goto=…)`), is chosen again here: an update alone would lose it, and end the graph unnoticed.
    """
    if not stop.editable:
        raise BadAnswer(
            "It is no longer known which nodes have just run, so the state cannot be changed here."
        )
    first, *others = stop.ran
    goto = () if stop.routed else stop.upcoming
    updates = (_update(_going(values, goto), first), *(_update(Command(), node) for node in others))
    return Write(stop.thread_id, stop.namespace, updates)


def _as_returned(stop: Stop, values: Mapping[str, Any], passes: Passes) -> Write:
    """Update the state as if these guarded nodes had returned `values`; their neighbours keep their turn."""
    if not stop.before:
        others = tuple(_update(Command(), node) for node in stop.ran if node not in values)
        updates = (*(_update(value, node) for node, value in values.items()), *others)
        return Write(stop.thread_id, stop.namespace, updates, passes)
    beside = tuple(node for node in stop.upcoming if node not in values)
    if beside and stop.sends:
        raise BadAnswer("The guarded node cannot be answered for, with what was sent to run beside it.")
    first, *rest = [node for node in stop.before if node in values]
    updates = (
        _update(_going(values[first], beside), first),
        *(_update(values[node], node) for node in rest),
    )
    return Write(stop.thread_id, stop.namespace, updates, passes)


def _update(value: Any, node: str) -> StateUpdate:
    """Update as a node; what it may return, a `Command` too, does."""
    return StateUpdate(value, node)


def _going(value: Any, goto: tuple[str, ...]) -> Any:
    """Return an update that also lets `goto` run next."""
    if not goto:
        return value
    if not isinstance(value, Command):
        return Command(update=value, goto=list(goto))
    own = value.goto if isinstance(value.goto, list | tuple) else [value.goto]
    return replace(value, goto=[*own, *goto])
