"""The checkpoints of one thread, for whoever holds its lock: written in fewer statements, read once."""

from __future__ import annotations

import asyncio
import copy
import math
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_serializable_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.constants import START
from psycopg import AsyncConnection, AsyncCursor
from psycopg.types.json import Jsonb

from bot.engine.kept import is_field
from bot.engine.plain import as_text
from bot.engine.raised import is_cancelled
from bot.engine.unsaved import Unsaved

_Result = TypeVar("_Result")

_READABLE = 4
"""The oldest format of a checkpoint that needs no migration when it is read."""

_FEW_BYTES = 16 * 1024
"""Of a step's writes, that the loop reads: a millisecond or so. More go to a thread."""

_SIMPLE = (int, bool, type(None))

_NEWEST = "where thread_id = %s and checkpoint_ns = %s order by checkpoint_id desc limit 1"


def _fits_json(value: Any) -> bool:
    """Say whether a value stays in its checkpoint's own row: the library's rule, but for what fails there.

    Postgres's JSON takes no NUL, lone surrogate, NaN or infinity; the library reads them from a blob as well.
    """
    match value:
        case float():
            return math.isfinite(value)
        case str():
            return as_text(value) == value
        case _:
            return isinstance(value, _SIMPLE)


def _is_state_alone(checkpoint: Checkpoint) -> bool:
    """Say whether nothing comes next: no node of a graph with a start is run by a field of its state."""
    return START in checkpoint["versions_seen"] and all(map(is_field, checkpoint["channel_values"]))


def _in_order(write: Sequence[bytes]) -> tuple[str, str, int]:
    task, _, _, _, path, idx = write
    return writes_sort_key(path.decode(), task.decode(), int(idx))


class ThreadSaver(AsyncPostgresSaver):
    """LangGraph's own saver, on a connection that holds the lock of the one thread it saves.

    Nobody else writes these checkpoints, so what was read last is still true, and a thread that is
    `untouched` has none. A checkpoint that a node may follow is stored before its `aput` returns. All else
    waits for the next one, `HELD_SECONDS` at most, and goes in the same statement: what a task wrote, and the
    checkpoint of an input, of which nothing has run; but not where the whole graph `begins_with_code`, since
    that checkpoint alone would say that a worker died in it. What is left at the end of a run, such as its
    last checkpoint, is for whoever ran it to `store` with what follows from it. Until then a crash runs a
    task again, as it would have a moment earlier. The tables are langgraph-checkpoint-postgres's
    (contract-tested against its saver).
    LangGraph runs a graph on a shallow copy of its saver; both share one `Unsaved`.
    """

    def __init__(
        self,
        conn: AsyncConnection[Any],
        thread_id: str,
        *,
        untouched: bool = False,
        begins_with_code: bool = False,
    ) -> None:
        super().__init__(conn)
        self._begins_with_code = begins_with_code
        self._unsaved = Unsaved(conn, thread_id, self.lock, empty=untouched)

    async def settled(self, run: Awaitable[_Result]) -> _Result:
        """Await a run, and leave nothing that is still being stored: the connection is somebody else's now.

        What one that returned has left waits for `store`, or for whoever reads.
        """
        try:
            try:
                result = await run
            except asyncio.CancelledError:
                if not is_cancelled():  # the node's own error: the connection stays
                    await self._unsaved.settle()
                raise
            except Exception:
                await self._unsaved.settle()
                raise
            await self._unsaved.rest()
        except BaseException:
            self._unsaved.forget()
            raise
        return result

    async def store(self) -> None:
        """Store what the last run has left in the transaction that is open; once committed, `forget` it."""
        await self._unsaved.store()

    async def left(self) -> Exception | None:
        """Store what the last run has left by itself, since nothing that follows from it could be recorded.

        Returns what refuses it on a connection that is good, and would again; then it is not kept.
        """
        try:
            await self._unsaved.settle()
        except Exception as error:  # noqa: BLE001  whatever it is counts as the run's own error
            return None if self._unsaved.lost() else error
        return None

    def forget(self) -> None:
        """Leave what waits: it is stored, or the connection is no longer ours to store it on."""
        self._unsaved.forget()

    def at_rest(self) -> bool:
        """Whether nothing is next by the last checkpoint that was given here: it holds a state alone."""
        return self._unsaved.at_rest

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        place = config["configurable"]
        if place.get("checkpoint_id"):
            return await super().aget_tuple(config)
        if self._unsaved.empty:
            return None
        row = await self._newest(place["thread_id"], place.get("checkpoint_ns", ""))
        if row is not None and row["checkpoint"]["v"] < _READABLE:
            return await super().aget_tuple(config)
        return None if row is None else await self._tuple(row)

    async def _tuple(self, row: dict[str, Any]) -> CheckpointTuple:
        """Read a row as the library does, which leaves what tasks wrote to another thread, however little."""
        checkpoint, parent = row["checkpoint"], row["parent_checkpoint_id"]
        writes = row["pending_writes"] or ()
        place = {key: row[key] for key in ("thread_id", "checkpoint_ns")}
        values = {**(checkpoint.get("channel_values") or {}), **self._blobs(row)}
        whole: Any = {**checkpoint, "channel_values": values}
        few = sum(len(blob) for _, _, _, blob, _, _ in writes) <= _FEW_BYTES
        return CheckpointTuple(
            {"configurable": {**place, "checkpoint_id": row["checkpoint_id"]}},
            whole,
            row["metadata"],
            {"configurable": {**place, "checkpoint_id": parent}} if parent else None,
            self._writes(writes) if few else await asyncio.to_thread(self._writes, writes),
        )

    def _blobs(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the channels that are kept as blobs."""
        return {
            channel.decode(): self.serde.loads_typed((kind.decode(), blob))
            for channel, kind, blob in row["channel_values"] or ()
            if kind != b"empty"
        }

    def _writes(self, writes: Iterable[Sequence[bytes]]) -> list[PendingWrite]:
        """Return what tasks wrote after the checkpoint, in the order in which LangGraph applies it."""
        return [
            (task.decode(), channel.decode(), self.serde.loads_typed((kind.decode(), blob)))
            for task, channel, kind, blob, _, _ in sorted(writes, key=_in_order)
        ]

    async def _newest(self, thread_id: str, namespace: str) -> dict[str, Any] | None:
        if namespace in self._unsaved.read:
            return self._unsaved.read.pop(namespace)
        async with self._cursor() as cursor:
            await cursor.execute(self.SELECT_SQL + _NEWEST, (thread_id, namespace), binary=True)
            row = await cursor.fetchone()
        if row is not None:
            # Kept apart: a run changes the checkpoint that it was given.
            self._unsaved.read[namespace] = {**row, "checkpoint": copy.deepcopy(row["checkpoint"])}
        return row

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        values = checkpoint["channel_values"]
        if not config["configurable"]["checkpoint_ns"]:
            self._unsaved.at_rest = _is_state_alone(checkpoint)
        if any(isinstance(value, _DeltaSnapshot) for value in values.values()):
            self._unsaved.changed()
            return await super().aput(config, checkpoint, metadata, new_versions)
        blobs = {key: value for key, value in values.items() if not _fits_json(value)}
        rest = {key: value for key, value in values.items() if key not in blobs}
        place = config["configurable"]
        namespace = place["checkpoint_ns"]
        stored_blobs = [
            (namespace, channel, version, *self.serde.dumps_typed(blobs[channel]))
            for channel, version in new_versions.items()
            if channel in blobs
        ]
        row = (
            namespace,
            checkpoint["id"],
            place.get("checkpoint_id"),
            Jsonb({**checkpoint, "channel_values": rest}),
            Jsonb(get_serializable_checkpoint_metadata(config, metadata)),
        )
        if self._waits(metadata, namespace):
            self._unsaved.hold_checkpoint(row, stored_blobs)
        else:
            await self._unsaved.put(row, stored_blobs)
        stored = {key: place[key] for key in ("thread_id", "checkpoint_ns")}
        return {"configurable": {**stored, "checkpoint_id": checkpoint["id"]}}

    def _waits(self, metadata: CheckpointMetadata, namespace: str) -> bool:
        runs_on_input = self._begins_with_code and not namespace
        return self._unsaved.at_rest or (metadata["source"] == "input" and not runs_on_input)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        place = config["configurable"]
        replaces = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        for n, (channel, value) in enumerate(writes):
            at = (place["checkpoint_ns"], place["checkpoint_id"], task_id, WRITES_IDX_MAP.get(channel, n))
            kept = (task_path, channel, *self.serde.dumps_typed(value))
            self._unsaved.hold(at, kept, replaces=replaces)

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[Any]]:
        """Open a cursor as the library does, once what waits is stored: whoever asks would miss it."""
        await self._unsaved.settle()
        async with super()._cursor(pipeline=pipeline) as cursor:
            yield cursor
