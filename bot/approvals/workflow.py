"""A workflow's declaration: the graph, its input, and the policy and SLA that its approvals live under."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from pydantic import BaseModel

from bot.approvals.breakpoints import Breakpoints
from bot.approvals.decision import Decision
from bot.approvals.declaring import are_names, by, is_model, is_whole, maybe, misdeclared, one_of
from bot.approvals.errors import SignoffError
from bot.approvals.policy import Policy
from bot.approvals.secrets import Secrets
from bot.approvals.sla import Sla
from bot.approvals.state import Migration, StateContract
from bot.approvals.states import Autonomy

Reply = Literal["dict", "bool", "text"] | Callable[[Decision], Any]

STATE_VERSION = "signoff_state_version"
"""Under this name a checkpoint's metadata say which version of the state wrote it."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class BadWorkflow(SignoffError):
    """A workflow cannot be offered; the others run, and `signoff doctor` says which and why."""


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """What `workflows/*.py` export as `workflow`.

    `graph` is a StateGraph or a compiled graph (its own checkpointer is replaced). `input` is the pydantic
    model of what starts it; None takes any JSON object. `channel` is where cards go (`#name` or an id).
    `retries` counts how often a node that raised is tried again. `reply` says what a graph that does not
    speak Signoff's request expects back; undeclared, a refusal never resumes it. `secrets` are names of
    fields of the input and the state, at any depth, that the audit and the log show masked, beside those
    that are plainly secret.
    `breakpoints` says how its static breakpoints are asked about, all alike or by node. `node_interrupt`
    turns a decision, and the value of a legacy `NodeInterrupt`, into the state update after which its node
    runs again. `autonomy` lists what a run may be started with: `full` (policy decides whatever is asked)
    only where it is named here.
    `state` is the pydantic model that what a waiting thread kept must still fit when it goes on; left out,
    the graph's own where that is one. `migrate[n]` turns a state of version n into one of version n + 1.
    `corrections` is a model of the state fields that whoever may decide may also put right, from the card.
    `context` is what nodes find as `runtime.context`, of the graph's `context_schema`: a value, or a function
    of the thread's input that returns one at each run.
    """

    name: str
    graph: Any
    input: type[BaseModel] | None = None
    channel: str = ""
    policy: Policy = field(default_factory=Policy)
    sla: Sla = field(default_factory=Sla)
    retries: int = 3
    reply: Reply | None = None
    secrets: tuple[str, ...] = ()
    state: type[BaseModel] | None = None
    state_version: int = 1
    migrate: Mapping[int, Migration] = field(default_factory=dict)
    corrections: type[BaseModel] | None = None
    description: str = ""
    breakpoints: Breakpoints | Mapping[str, Breakpoints] = field(default_factory=Breakpoints)
    node_interrupt: Callable[[Decision, Any], dict[str, Any]] | None = None
    autonomy: tuple[Autonomy, ...] = ("on_action", "step_by_step")
    context: Any = None
    declared: bool = True
    """False for a bare graph out of SIGNOFF_WORKFLOWS: its payloads may not decide themselves (`auto`)."""

    @cached_property
    def hides(self) -> Secrets:
        """What is masked in the audit and the log: declared, named like a secret, or typed as one."""
        return Secrets.of(self.secrets, self.input, self.state, self._schema)

    @cached_property
    def contract(self) -> StateContract | None:
        """What a kept state must fit; None where neither the declaration nor the graph has a model of it."""
        own = self._schema
        graphs = own if isinstance(own, type) and issubclass(own, BaseModel) else None
        model = self.state or graphs
        return StateContract(model, self.state_version, self.migrate) if model else None

    @property
    def _schema(self) -> Any:
        """The state as the graph declares it; a bare graph of another kind has none."""
        return getattr(getattr(self.graph, "builder", self.graph), "state_schema", None)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(str(self.name)):
            raise BadWorkflow(
                f"{self.name!r} is not a workflow name: use a-z, 0-9, _ and -, starting with a letter."
            )
        for wrong in self._misdeclared():
            raise BadWorkflow(f"Workflow {self.name}: {wrong}")
        if self.retries < 0:
            raise BadWorkflow(f"Workflow {self.name}: retries is {self.retries}; use 0 or more.")
        if "on_action" not in self.autonomy or not set(self.autonomy) <= set(get_args(Autonomy)):
            known = ", ".join(get_args(Autonomy))
            raise BadWorkflow(
                f"Workflow {self.name}: autonomy is {self.autonomy}; list on_action and others of {known}."
            )
        if self.state_version < 1:
            raise BadWorkflow(f"Workflow {self.name}: state_version is {self.state_version}; use 1 or more.")
        if self.migrate and self.contract is None:
            raise BadWorkflow(f"Workflow {self.name}: migrate needs state, the model that it leads to.")
        if unused := [n for n in self.migrate if not 1 <= n < self.state_version]:
            raise BadWorkflow(
                f"Workflow {self.name}: migrate has {unused[0]}, which leads past state_version "
                f"{self.state_version}; use 1 to {self.state_version - 1}."
            )

    def _misdeclared(self) -> Iterator[str]:
        yield from misdeclared(vars(self), _KINDS)
        told = self.breakpoints
        for each in (told,) if isinstance(told, Breakpoints) else told.values():
            yield from (f"Breakpoints: {wrong}" for wrong in misdeclared(vars(each), _BREAKPOINTS_KINDS))

    def context_of(self, given: Any) -> Any:
        """Return the context of a thread that was started with this input."""
        return self.context(given) if callable(self.context) else self.context

    def breakpoint_of(self, node: str) -> Breakpoints:
        """Return what is declared of a guarded node's breakpoint."""
        if isinstance(self.breakpoints, Breakpoints):
            return self.breakpoints
        return self.breakpoints.get(node, Breakpoints())


def _are_fields(value: Any) -> bool:
    return isinstance(value, tuple) and are_names(value)


_MODEL = (maybe(is_model), "a pydantic model, the class")
_TEXT = (one_of(str), "text")
_FUNCTION = (maybe(callable), "a function")

_KINDS = {
    "input": _MODEL,
    "state": _MODEL,
    "corrections": _MODEL,
    "channel": _TEXT,
    "description": _TEXT,
    "policy": (one_of(Policy), "a Policy(…)"),
    "sla": (one_of(Sla), "an Sla(…)"),
    "retries": (is_whole, "a whole number"),
    "state_version": (is_whole, "a whole number"),
    "secrets": (are_names, 'names, such as ("iban",)'),
    "autonomy": (are_names, 'names, such as ("on_action", "full")'),
    "migrate": (by(is_whole, callable), "a function for each version, such as {1: cents_from_euros}"),
    "reply": (
        lambda value: value is None or callable(value) or value in ("dict", "bool", "text"),
        '"dict", "bool", "text" or a function',
    ),
    "breakpoints": (
        lambda value: isinstance(value, Breakpoints) or by(one_of(str), one_of(Breakpoints))(value),
        "Breakpoints(…), or one for each node by its name",
    ),
    "node_interrupt": _FUNCTION,
    "context": (
        lambda value: not isinstance(value, type),
        "a value of the graph's context_schema, or a function of the input",
    ),
}

_BREAKPOINTS_KINDS = {
    "show": (
        lambda value: is_model(value) if isinstance(value, type) else callable(value) or _are_fields(value),
        'names of fields, such as ("draft",), a pydantic model or a function of the state',
    ),
    "answered": _FUNCTION,
}
