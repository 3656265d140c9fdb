"""What of a thread's checkpoints is still to be stored, and how: one statement for all that waits."""

# ruff: noqa: S608  the statements are put together from constants of this module

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

HELD_SECONDS = 0.02
"""How long a task's writes wait for the checkpoint of their step, which mostly follows at once."""

Place = tuple[str, str, str, int]
"""Where a write is kept: its namespace, checkpoint, task and index."""

Write = tuple[str, str, str, bytes]
"""A write's task path, channel, type and value."""

_WRITE = ("ns", "id", "task", "idx", "path", "channel", "type", "blob")


@dataclass
class _Writes:
    """Writes of tasks that are not stored yet; a special one replaces what its place holds."""

    kept: dict[Place, Write] = field(default_factory=dict)
    replacing: dict[Place, Write] = field(default_factory=dict)

    def add(self, place: Place, write: Write, *, replaces: bool) -> None:
        if replaces:
            self.kept.pop(place, None)
            self.replacing[place] = write
        elif place not in self.replacing:
            self.kept.setdefault(place, write)

    def __bool__(self) -> bool:
        return bool(self.kept or self.replacing)

    def columns(self) -> dict[str, list[Any]]:
        """Return them as one array for each column."""
        kept = [(*place, *write) for place, write in self.kept.items()]
        replacing = [(*place, *write) for place, write in self.replacing.items()]
        return arrays("kept", _WRITE, kept) | arrays("replacing", _WRITE, replacing)


class Unsaved:
    """What is known of a thread's checkpoints, and what of them is still to be stored, on its connection."""

    def __init__(
        self, conn: AsyncConnection[Any], thread_id: str, lock: asyncio.Lock, *, empty: bool
    ) -> None:
        self._conn = conn
        self._thread_id = thread_id
        self._lock = lock
        self.empty = empty
        self.read: dict[str, dict[str, Any]] = {}
        self._writes = _Writes()
        self._timer: asyncio.TimerHandle | None = None
        self._storing: asyncio.Task[None] | None = None

    def hold(self, place: Place, write: Write, *, replaces: bool) -> None:
        """Keep a write until the next checkpoint, or for `HELD_SECONDS`."""
        self._changed()
        self._writes.add(place, write, replaces=replaces)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._store_soon)

    async def put(self, checkpoint: dict[str, Any]) -> None:
        """Store a checkpoint (the values of `_STORE_CHECKPOINT`) and what waits."""
        async with self._lock:
            await self._execute(_STORE_CHECKPOINT, checkpoint)

    async def settle(self) -> None:
        """Store what still waits. Raises what storing raises."""
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing
        await self._store_writes()

    def forget(self) -> None:
        """Leave what waits: the connection is about to be closed."""
        self._wait_no_longer()
        if self._storing is not None:
            self._storing.cancel()

    def _store_soon(self) -> None:
        """Store what waits, once nothing else is being stored; where storing failed, `settle` says so."""
        self._timer = None
        if self._storing is None or (self._storing.done() and self._storing.exception() is None):
            self._storing = asyncio.get_running_loop().create_task(self._store_writes())
        elif not self._storing.done():
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._store_soon)

    async def _store_writes(self) -> None:
        if self._writes:
            async with self._lock:
                await self._execute(_STORE_WRITES, {})

    async def _execute(self, statement: bytes, values: dict[str, Any]) -> None:
        """Run one statement, which stores the writes that wait, too."""
        self._changed()
        self._wait_no_longer()
        taken, self._writes = self._writes, _Writes()
        await self._conn.execute(statement, {"thread": self._thread_id, **values, **taken.columns()})

    def _wait_no_longer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _changed(self) -> None:
        self.empty = False
        self.read.clear()


def arrays(name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Turn rows into one array for each column, called `name_column`."""
    return {f"{name}_{column}": [row[n] for row in rows] for n, column in enumerate(columns)}


def _insert_writes(name: str, conflict: str) -> str:
    return f"""
insert into checkpoint_writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, blob)
select %(thread)s, * from unnest(
    %({name}_ns)s::text[], %({name}_id)s::text[], %({name}_task)s::text[], %({name}_idx)s::int[],
    %({name}_path)s::text[], %({name}_channel)s::text[], %({name}_type)s::text[], %({name}_blob)b::bytea[])
on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) {conflict}"""


_KEPT = _insert_writes("kept", "do nothing")
_REPLACING = _insert_writes(
    "replacing", "do update set channel = excluded.channel, type = excluded.type, blob = excluded.blob"
)

_STORE_WRITES = f"with kept as ({_KEPT}) {_REPLACING}".encode()

_STORE_CHECKPOINT = f"""
with kept as ({_KEPT}),
replacing as ({_REPLACING}),
blobs as (
    insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    select %(thread)s, %(namespace)s, * from unnest(
        %(blob_channel)s::text[], %(blob_version)s::text[], %(blob_type)s::text[], %(blob_blob)b::bytea[])
    on conflict (thread_id, checkpoint_ns, channel, version) do nothing
)
insert into checkpoints
    (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
values (%(thread)s, %(namespace)s, %(id)s, %(parent)s, %(checkpoint)s, %(metadata)s)
on conflict (thread_id, checkpoint_ns, checkpoint_id)
do update set checkpoint = excluded.checkpoint, metadata = excluded.metadata
""".encode()
