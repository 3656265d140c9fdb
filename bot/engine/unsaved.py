"""What of a thread's checkpoints is still to be stored, and how: one statement for all that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection

HELD_SECONDS = 0.02
"""How long a task's writes wait for the checkpoint of their step, which mostly follows at once."""

Place = tuple[str, str, str, int]
"""Where a write is kept: its namespace, checkpoint, task and index."""

Write = tuple[str, str, str, bytes]
"""A write's task path, channel, type and value."""

MOST_WRITES = 1000
"""In one statement, which takes 65,535 values at most (Postgres' protocol)."""


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


class Unsaved:
    """What is known of a thread's checkpoints, and what of them is still to be stored, on its connection."""

    def __init__(
        self, conn: AsyncConnection[Any], thread_id: str, lock: asyncio.Lock, *, empty: bool
    ) -> None:
        self._conn = conn
        self._thread_id = thread_id
        self._lock = lock
        self.empty = empty
        self.at_rest = False
        self.read: dict[str, dict[str, Any]] = {}
        self._writes = _Writes()
        self._timer: asyncio.TimerHandle | None = None
        self._storing: asyncio.Task[None] | None = None

    def hold(self, place: Place, write: Write, *, replaces: bool) -> None:
        """Keep a write until the next checkpoint, or for `HELD_SECONDS`."""
        self.changed()
        self._writes.add(place, write, replaces=replaces)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._store_soon)

    async def put(self, checkpoint: Sequence[Any], blobs: Sequence[Sequence[Any]]) -> None:
        """Store a checkpoint, the values of its channels that are kept as blobs, and what waits.

        `checkpoint` is its namespace, id, parent, itself and its metadata; a blob its namespace, channel,
        version, type and value.
        """
        async with self._lock:
            await self._execute(checkpoint, blobs)

    async def settle(self) -> None:
        """Store what still waits. Raises what storing raises, to everybody who asks.

        A reader that is cancelled in here does not take along what others wrote.
        """
        while self._storing is not None or self._writes:
            storing = self._storing = self._storing or self._begin()
            await asyncio.shield(storing)
            if self._storing is storing:
                self._storing = None

    def forget(self) -> None:
        """Leave what waits: from now on the connection is somebody else's, or closed."""
        self._wait_no_longer()
        self._writes = _Writes()
        if self._storing is not None:
            self._storing.cancel()
            self._storing = None

    def changed(self) -> None:
        """What was read is no longer true."""
        self.empty = False
        self.read.clear()

    def _store_soon(self) -> None:
        """Store what waits, once nothing else is being stored; where storing failed, `settle` says so."""
        self._timer = None
        if self._storing is None or (self._storing.done() and self._storing.exception() is None):
            self._storing = self._begin()
        elif not self._storing.done():
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._store_soon)

    def _begin(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._store_writes())

    async def _store_writes(self) -> None:
        if self._writes:
            async with self._lock:
                await self._execute()

    async def _execute(self, checkpoint: Sequence[Any] = (), blobs: Sequence[Sequence[Any]] = ()) -> None:
        """Run one statement, which stores the writes that wait, too."""
        self.changed()
        self._wait_no_longer()
        taken, self._writes = self._writes, _Writes()
        kept, replacing = list(taken.kept.items()), list(taken.replacing.items())
        while len(kept) + len(replacing) > MOST_WRITES:
            await self._insert(kept[:MOST_WRITES], replacing[:MOST_WRITES])
            kept, replacing = kept[MOST_WRITES:], replacing[MOST_WRITES:]
        if kept or replacing or checkpoint:
            await self._insert(kept, replacing, blobs, checkpoint)

    async def _insert(
        self,
        kept: Sequence[tuple[Place, Write]],
        replacing: Sequence[tuple[Place, Write]],
        blobs: Sequence[Sequence[Any]] = (),
        checkpoint: Sequence[Any] = (),
    ) -> None:
        values: list[Any] = []
        for row in (*((*place, *write) for place, write in (*kept, *replacing)), *blobs):
            values += (self._thread_id, *row)
        if checkpoint:
            values += (self._thread_id, *checkpoint)
        wanted = _statement(len(kept), len(replacing), len(blobs), checkpoint=bool(checkpoint))
        await self._conn.execute(wanted, values)

    def _wait_no_longer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@lru_cache(maxsize=256)
def _statement(kept: int, replacing: int, blobs: int, *, checkpoint: bool) -> bytes:
    """Return one statement for so many rows of each kind; at least one of them."""
    inserts = []
    if kept:
        inserts.append(f"{_WRITES} {_rows(kept, _WRITE)} {_WRITES_CLASH} do nothing")
    if replacing:
        inserts.append(f"{_WRITES} {_rows(replacing, _WRITE)} {_WRITES_CLASH} {_REPLACE}")
    if blobs:
        inserts.append(f"{_BLOBS} {_rows(blobs, _BLOB)} on conflict do nothing")
    if checkpoint:
        inserts.append(_CHECKPOINT)
    *others, last = inserts
    named = [f"stored_{n} as ({insert})" for n, insert in enumerate(others)]
    return f"{'with ' if named else ''}{', '.join(named)} {last}".encode()


def _rows(count: int, row: str) -> str:
    return f"values {', '.join([row] * count)}"


_WRITES = """
insert into checkpoint_writes
    (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, task_path, channel, type, blob)"""

_WRITE = "(%s, %s, %s, %s, %s, %s, %s, %s, %b)"

_WRITES_CLASH = "on conflict (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)"

_REPLACE = "do update set channel = excluded.channel, type = excluded.type, blob = excluded.blob"

_BLOBS = "insert into checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)"

_BLOB = "(%s, %s, %s, %s, %s, %b)"

_CHECKPOINT = """
insert into checkpoints
    (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
values (%s, %s, %s, %s, %s, %s)
on conflict (thread_id, checkpoint_ns, checkpoint_id)
do update set checkpoint = excluded.checkpoint, metadata = excluded.metadata"""
