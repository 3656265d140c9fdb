"""The workflows that can run here, and those that cannot, with why."""

from __future__ import annotations

import copy
import importlib
import pkgutil
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel
from pydantic import BaseModel, ValidationError

from bot.approvals.breakpoints import Breakpoints
from bot.approvals.policy import Policy
from bot.approvals.workflow import BadWorkflow, Reply, Workflow
from bot.engine.raised import line
from bot.logs import masked


@dataclass(frozen=True)
class BareGraph:
    """What a graph that knows nothing of Signoff lives under (SIGNOFF_DEFAULT_…)."""

    channel: str = ""
    approvers: tuple[str, ...] = ()
    reply: Reply | None = None


@dataclass(frozen=True)
class Entry:
    """A workflow ready to run: its declaration, and its graph compiled without a checkpointer."""

    workflow: Workflow
    graph: Pregel[Any, Any, Any, Any]

    @cached_property
    def guarded(self) -> bool:
        """Whether its graph can stop without an interrupt of its own: at a breakpoint, or a NodeInterrupt."""
        levels: list[Any] = [self.graph, *(inner for _, inner in self.graph.get_subgraphs(recurse=True))]
        return self.workflow.node_interrupt is not None or any(
            level.interrupt_before_nodes or level.interrupt_after_nodes for level in levels
        )

    @cached_property
    def begins_with_code(self) -> bool:
        """Whether code of its own runs on its input: an `@entrypoint()`'s, or what chooses the first node."""
        builder = getattr(self.graph, "builder", None)
        return builder is None or bool(builder.branches.get(START))


@dataclass
class Catalog:
    """All workflows by name, and one line for each that could not be loaded."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def add(self, workflow: Workflow, source: str) -> None:
        """Offer a workflow; what is wrong with it is kept as a problem under `source`."""
        known = self.entries.get(workflow.name)
        if known is None:
            try:
                self.entries[workflow.name] = Entry(workflow, compiled(workflow))
            except Exception as error:  # noqa: BLE001  a stranger's graph may refuse in any way to be compiled
                self.problems[source] = _line(error)
        elif known.workflow is not workflow:
            self.problems[source] = f"the name {workflow.name} is taken; rename one of the two."


def load(extra: Iterable[str] = (), bare: BareGraph | None = None, package: str = "workflows") -> Catalog:
    """Load every module of `package` that has a `workflow`, and `extra` as `module:attribute`.

    One that does not import does not keep the others from running.
    """
    catalog = Catalog()
    for name in _modules(package, catalog):
        _try(catalog, name, lambda name=name: _declared(name))
    for source in extra:
        _try(catalog, source, lambda source=source: _named(source, bare or BareGraph()))
    return catalog


def compiled(workflow: Workflow) -> Pregel[Any, Any, Any, Any]:
    """Compile a workflow's graph; raises `BadWorkflow` where its pauses could not be guarded."""
    graph = workflow.graph
    if isinstance(graph, StateGraph):
        graph = graph.compile()
    if not isinstance(graph, Pregel):
        raise BadWorkflow(f"its graph is a {type(graph).__name__}; give a StateGraph or a compiled graph.")
    for path, inner in graph.get_subgraphs(recurse=True):
        if getattr(inner, "checkpointer", None):
            raise BadWorkflow(f"the subgraph {path} has a checkpointer of its own; compile it without one.")
    if workflow.corrections is not None:
        _refuse_uncorrectable(graph, workflow.corrections)
    _refuse_astray(graph, workflow.breakpoints)
    if graph.checkpointer:
        graph = copy.copy(graph)
        graph.checkpointer = None
    return graph


def _refuse_uncorrectable(graph: Pregel[Any, Any, Any, Any], corrections: type[BaseModel]) -> None:
    """Refuse fields that a correction would not reach: a subgraph writes its own back over it."""
    for name in corrections.model_fields:
        if name not in graph.channels:
            raise BadWorkflow(f"corrections names {name}, which is not a field of its graph's state.")
        for path, inner in graph.get_subgraphs(recurse=True):
            if name in getattr(inner, "channels", ()):
                raise BadWorkflow(
                    f"corrections names {name}, which the subgraph {path} keeps for itself and writes back; "
                    "name fields of the root graph alone."
                )


def _refuse_astray(
    graph: Pregel[Any, Any, Any, Any], breakpoints: Breakpoints | Mapping[str, Breakpoints]
) -> None:
    """Refuse what is declared of a node or field that is nowhere: the one that is meant would go without."""
    levels: list[Any] = [graph, *(inner for _, inner in graph.get_subgraphs(recurse=True))]
    if isinstance(breakpoints, Breakpoints):
        declared = [breakpoints]
    else:
        declared = list(breakpoints.values())
        nodes = {name for level in levels for name in level.nodes}
        if unknown := [name for name in breakpoints if name not in nodes]:
            raise BadWorkflow(
                f"breakpoints names {unknown[0]}, which is not a node of its graph or subgraphs."
            )
    fields = {name for level in levels for name in level.channels}
    shown = [name for each in declared for name in each.fields]
    if "__root__" not in fields and (unknown := [name for name in shown if name not in fields]):
        raise BadWorkflow(f"breakpoints shows {unknown[0]}, which is not a field of its graph's state.")


def _modules(package: str, catalog: Catalog) -> list[str]:
    try:
        found = importlib.import_module(package)
    except (Exception, SystemExit) as error:  # noqa: BLE001  as for its modules
        catalog.problems[package] = f"cannot be imported: {_line(error)}"
        return []
    return sorted(f"{package}.{module.name}" for module in pkgutil.iter_modules(found.__path__))


def _try(catalog: Catalog, source: str, find: Any) -> None:
    try:
        workflow = find()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a stranger's module may do anything when imported
        catalog.problems[source] = _line(error) + _place(error, source)
        return
    if workflow is not None:
        catalog.add(workflow, source)


def _line(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        return line(error)
    said: str = masked(" ".join(str(error).split()))  # /readyz tells it to whoever asks
    return said if isinstance(error, BadWorkflow) else f"{type(error).__name__}: {said}"


def _place(error: BaseException, source: str) -> str:
    """Say which line of the author's own package it was; what cannot be parsed says that by itself."""
    package = re.split("[.:]", source)[0]
    theirs = [
        f" ({Path(frame.f_code.co_filename).name}, line {at})"
        for frame, at in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    return theirs[-1] if theirs and not isinstance(error, SyntaxError) else ""


def _declared(name: str) -> Workflow | None:
    workflow = getattr(importlib.import_module(name), "workflow", None)
    return workflow if isinstance(workflow, Workflow) else None


def _named(source: str, bare: BareGraph) -> Workflow:
    module, _, attribute = source.partition(":")
    if not module or not attribute:
        raise BadWorkflow(f"{source!r} is not of the form package.module:attribute.")
    found = getattr(_imported(module), attribute)
    if isinstance(found, Workflow):
        return found
    if isinstance(found, Pregel) and found.checkpointer:
        _warn_checkpointer(source)
    return undeclared(attribute.lower().strip("_"), found, bare)


def _imported(module: str) -> ModuleType:
    """Import a module; raises `BadWorkflow` where a folder of the author's is hidden behind one of ours."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        ours = module.partition(".")[0]
        if error.name == module and ours in ("workflows", "bot"):
            raise BadWorkflow(
                f"Signoff's own package is called {ours} and has no such module; if that is a folder "
                "of yours, rename it."
            ) from error
        raise


def undeclared(name: str, graph: Any, bare: BareGraph) -> Workflow:
    """Declare a bare graph, which knows nothing of Signoff."""
    return Workflow(
        name=name,
        graph=graph,
        channel=bare.channel,
        policy=Policy(approvers=bare.approvers),
        reply=bare.reply,
        declared=False,
    )


def _warn_checkpointer(source: str) -> None:
    import structlog

    structlog.get_logger("signoff").warning(
        "checkpointer_replaced", source=source, why="threads are kept in Signoff's Postgres"
    )
