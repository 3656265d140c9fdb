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

Row = Sequence[Any]
"""A checkpoint's namespace, id, parent, itself and its metadata; or the namespace, channel, version, type and
value of one of its channels that is kept as a blob."""

MOST_WRITES = 1000
"""In one statement, which takes 65,535 values at most (Postgres' protocol)."""


@dataclass
class _Waiting:
    """What is not stored yet. Of tasks' writes a special one replaces what its place holds."""

    kept: dict[Place, Write] = field(default_factory=dict)
    replacing: dict[Place, Write] = field(default_factory=dict)
    blobs: list[Row] = field(default_factory=list)
    checkpoints: list[Row] = field(default_factory=list)

    def add(self, place: Place, write: Write, *, replaces: bool) -> None:
        if replaces:
            self.kept.pop(place, None)
            self.replacing[place] = write
        elif place not in self.replacing:
            self.kept.setdefault(place, write)

    def __bool__(self) -> bool:
        return bool(self.kept or self.replacing or self.checkpoints)


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
        self._waiting = _Waiting()
        self._timer: asyncio.TimerHandle | None = None
        self._storing: asyncio.Task[None] | None = None

    def hold(self, place: Place, write: Write, *, replaces: bool) -> None:
        """Keep a write until the next checkpoint, or for `HELD_SECONDS`."""
        self._waiting.add(place, write, replaces=replaces)
        self._waits()

    def hold_checkpoint(self, checkpoint: Row, blobs: Sequence[Row]) -> None:
        """Keep a checkpoint until the next one, or for `HELD_SECONDS`."""
        self._waiting.checkpoints.append(checkpoint)
        self._waiting.blobs += blobs
        self._waits()

    async def put(self, checkpoint: Row, blobs: Sequence[Row]) -> None:
        """Store a checkpoint, the values of its channels that are kept as blobs, and what waits."""
        self._waiting.checkpoints.append(checkpoint)
        self._waiting.blobs += blobs
        async with self._lock:
            await self._execute()

    async def store(self) -> None:
        """Store what waits in the transaction that is open, and keep it until that is committed: `forget`."""
        await self._insert_all(self._waiting)

    async def rest(self) -> None:
        """Return once nothing is being stored, nor will be by itself. Raises what storing raised."""
        self._wait_no_longer()
        if not self._rests():
            await self.settle()

    async def settle(self) -> None:
        """Store what still waits. Raises what storing raises, to everybody who asks.

        A reader that is cancelled in here does not take along what others wrote.
        """
        while self._storing is not None or self._waiting:
            storing = self._storing = self._storing or self._begin()
            await asyncio.shield(storing)
            if self._storing is storing:
                self._storing = None

    def forget(self) -> None:
        """Leave what waits: from now on the connection is somebody else's, or closed."""
        self._wait_no_longer()
        self._waiting = _Waiting()
        if self._storing is not None:
            self._storing.cancel()
            self._storing = None

    def lost(self) -> bool:
        """Whether the connection is gone, and with it whatever could still be stored."""
        return self._conn.closed

    def changed(self) -> None:
        """What was read is no longer true."""
        self.empty = False
        self.read.clear()

    def _waits(self) -> None:
        self.changed()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._store_soon)

    def _store_soon(self) -> None:
        """Store what waits, once nothing else is being stored; where storing failed, `settle` says so."""
        self._timer = None
        if self._rests():
            self._storing = self._begin()
        elif self._storing is not None and not self._storing.done():
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._store_soon)

    def _rests(self) -> bool:
        """Whether nothing is being stored, and nothing has failed to be."""
        storing = self._storing
        return storing is None or (storing.done() and storing.exception() is None)

    def _begin(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._store_waiting())

    async def _store_waiting(self) -> None:
        async with self._lock:
            await self._execute()

    async def _execute(self) -> None:
        """Store what waits, in one statement; what cannot be stored is not tried again."""
        self.changed()
        self._wait_no_longer()
        taken, self._waiting = self._waiting, _Waiting()
        await self._insert_all(taken)

    async def _insert_all(self, waiting: _Waiting) -> None:
        kept, replacing = list(waiting.kept.items()), list(waiting.replacing.items())
        while len(kept) + len(replacing) > MOST_WRITES:
            await self._insert(kept[:MOST_WRITES], replacing[:MOST_WRITES])
            kept, replacing = kept[MOST_WRITES:], replacing[MOST_WRITES:]
        if kept or replacing or waiting.checkpoints:
            await self._insert(kept, replacing, waiting.blobs, waiting.checkpoints)

    async def _insert(
        self,
        kept: Sequence[tuple[Place, Write]],
        replacing: Sequence[tuple[Place, Write]],
        blobs: Sequence[Row] = (),
        checkpoints: Sequence[Row] = (),
    ) -> None:
        values: list[Any] = []
        for row in (*((*place, *write) for place, write in (*kept, *replacing)), *blobs, *checkpoints):
            values += (self._thread_id, *row)
        wanted = _statement(len(kept), len(replacing), len(blobs), len(checkpoints))
        await self._conn.execute(wanted, values)

    def _wait_no_longer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@lru_cache(maxsize=256)
def _statement(kept: int, replacing: int, blobs: int, checkpoints: int) -> bytes:
    """Return one statement for so many rows of each kind; at least one of them."""
    inserts = []
    if kept:
        inserts.append(f"{_WRITES} {_rows(kept, _WRITE)} {_WRITES_CLASH} do nothing")
    if replacing:
        inserts.append(f"{_WRITES} {_rows(replacing, _WRITE)} {_WRITES_CLASH} {_REPLACE}")
    if blobs:
        inserts.append(f"{_BLOBS} {_rows(blobs, _BLOB)} on conflict do nothing")
    if checkpoints:
        inserts.append(f"{_CHECKPOINTS} {_rows(checkpoints, _CHECKPOINT)} {_NEWER}")
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

_CHECKPOINTS = """
insert into checkpoints
    (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)"""

_CHECKPOINT = "(%s, %s, %s, %s, %s, %s)"

_NEWER = """
on conflict (thread_id, checkpoint_ns, checkpoint_id)
do update set checkpoint = excluded.checkpoint, metadata = excluded.metadata"""
