"""A run that stops after every node: its subgraphs stop by themselves, the root where it is told to."""

from __future__ import annotations

import copy
from typing import Any

from langgraph.pregel import Pregel

Graph = Pregel[Any, Any, Any, Any]

EVERY = "*"


def stepping(graph: Graph) -> Graph:
    """Return a copy whose subgraphs stop after each of their nodes, at any depth; the original stays."""
    made = copy.copy(graph)
    made.nodes = {name: _stepping(node) for name, node in graph.nodes.items()}
    return made


def steps_into(graph: Graph, node: str) -> bool:
    """Whether a node is a subgraph; one that a function calls cannot be told to stop from outside."""
    return isinstance(graph.nodes[node].bound, Pregel)


def _stepping(node: Any) -> Any:
    if not isinstance(node.bound, Pregel):
        return node
    inner = stepping(node.bound)
    inner.interrupt_after_nodes = EVERY
    return node.copy({"bound": inner, "subgraphs": [inner]})
