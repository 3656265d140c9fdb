"""What a checkpoint keeps of a state: read by code that may be newer, and replaced by an update."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from traceback import walk_tb
from typing import Any

from langgraph.channels import BinaryOperatorAggregate
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.constants import START
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt, Overwrite, StateSnapshot
from psycopg import Error as PostgresError
from pydantic import ValidationError

from bot.approvals.canonical import canonical
from bot.approvals.errors import BadRequest
from bot.approvals.state import Misfit, Older
from bot.approvals.workflow import STATE_VERSION
from bot.engine.raised import line

Graph = Pregel[Any, Any, Any, Any]

_SERDE = "langgraph.checkpoint.serde"

UPDATES = "00000000-0000-0000-0000-000000000000"
"""The task under which LangGraph keeps what `Command(update=…)` wrote (private, contract-tested)."""


async def read(graph: Graph, config: Any, **how: Any) -> StateSnapshot:
    """Read where a graph stands; raises `Misfit` where what was kept cannot be read."""
    try:
        try:
            return await graph.aget_state(config, **how)
        except ValidationError:
            return await _unchecked(graph).aget_state(config, **how)
    except PostgresError:
        raise
    except Exception as error:
        why = f"What was stored cannot be read by the deployed code: {line(error)}."
        raise Misfit(f"{why} Deploy code that reads it.") from error


def so_far(state: StateSnapshot) -> Any:
    """Return the state of a graph under way: none yet where a worker died before its input was written."""
    return None if START in state.next else state.values


def by_field(values: Any) -> Mapping[str, Any]:
    """Return a state as it is, and what an `@entrypoint()` returned that has no fields as its `result`."""
    return values if isinstance(values, dict) else {"result": values}


def version(state: StateSnapshot) -> int:
    """Return which version of the state wrote it: 1 where none was declared."""
    about: Mapping[str, Any] = state.metadata or {}
    return int(about.get(STATE_VERSION, 1))


def labelled(state_version: int) -> dict[str, Any]:
    """Return the metadata that say so; none for the version that needs none."""
    return {STATE_VERSION: state_version} if state_version > 1 else {}


async def older(saver: BaseCheckpointSaver[Any], config: Any) -> Older:
    """Read all that the checkpoint holds, the fields that the deployed graph no longer has included."""
    kept = await saver.aget_tuple(config)
    if kept is None:
        return Older({}, updated=False)
    values = kept.checkpoint["channel_values"]
    return Older(
        {key: value for key, value in values.items() if is_field(key)},
        updated=any(task == UPDATES and is_field(name) for task, name, _ in kept.pending_writes or ()),
    )


def as_kept(saver: BaseCheckpointSaver[Any], value: Any) -> Any:
    """Return a value as its checkpoint gives it back: an error comes back as text, an enum as its value.

    What a node asks is read when it asks, and again from there; read differently, it would be asked twice.
    """
    try:
        canonical(value)
    except BadRequest:
        (value,) = saver.serde.loads_typed(saver.serde.dumps_typed([value]))
    return value


def updating(graph: Graph, update: Mapping[str, Any], **more: Any) -> Command[Any] | None:
    """Return the command that replaces these fields, those that the graph has; None where it does nothing.

    What a reducer would add to what is there takes its place instead.
    """
    fields = {
        key: Overwrite(value) if isinstance(graph.channels[key], BinaryOperatorAggregate) else value
        for key, value in update.items()
        if key in graph.channels
    }
    return Command(update=fields or None, **more) if fields or more else None


def refused(error: BaseException) -> BaseException:
    """Return an error in words that help where it is the checkpointer's, over what a node gave."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    if not isinstance(error, TypeError | ValueError) or not (frames and frames[-1].startswith(_SERDE)):
        return error
    made = BadRequest(_not_kept(error))
    made.__cause__ = error
    return made


def _not_kept(error: TypeError | ValueError) -> str:
    """Say what could not be kept; of an interrupt's value the checkpointer does not say what is wrong."""
    if str(error).endswith(f": {Interrupt.__name__}"):
        return (
            "A node asks with something that cannot be stored (an object of its own class, one that "
            "refers to itself, or a whole number of more than 64 bits); ask with plain JSON."
        )
    why = "it refers to itself, or is nested too deeply" if "ecursion" in str(error) else line(error)
    return (
        f"A node returned something that cannot be stored ({why}); "
        "a state holds plain JSON: model_dump(mode='json')."
    )


def _unchecked(graph: Graph) -> Graph:
    """Return a graph to read with whose nodes do not hold what they would be given against its schema.

    Reading makes the input of each node that is next: of a graph with a pydantic state, that checks it.
    """
    reader = copy.copy(graph)
    reader.nodes = {name: node.copy({"mapper": None}) for name, node in graph.nodes.items()}
    return reader


def is_field(channel: str) -> bool:
    """Whether it is a field of a state, and not one of LangGraph's own channels."""
    return not channel.startswith("__") and ":" not in channel
