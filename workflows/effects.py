"""Where the samples' effects happen: a ledger in Postgres that takes each effect once, under its key."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

VARIABLE = "SIGNOFF_EFFECTS_URL"
"""The environment variable that names the ledger's database; a worker sets it to its own."""

_TABLE = """
create table if not exists sample_effects (
    key text primary key, kind text not null, data jsonb not null, at timestamptz not null default now()
);
create index if not exists sample_effects_kind on sample_effects (kind);
create index if not exists sample_effects_data on sample_effects using gin (data jsonb_path_ops)
"""
_INSERT = "insert into sample_effects (key, kind, data) values (%s, %s, %s) on conflict (key) do nothing"
_SELECT = """
select key, kind, data, at from sample_effects
where (%(kind)s::text is null or kind = %(kind)s)
  and (%(thread)s::text is null or starts_with(key, %(thread)s || ':'))
  and (%(holding)s::jsonb is null or data @> %(holding)s)
order by at, key
"""

_pools: dict[str, ConnectionPool] = {}
_opening = Lock()


class NoLedger(RuntimeError):
    """There is no ledger to write to; the text is one line that says what to do."""


@dataclass(frozen=True)
class Effect:
    """One thing that happened, at an aware time of the database's clock."""

    key: str
    kind: str
    data: dict[str, Any]
    at: datetime


def record(key: str, kind: str, data: Mapping[str, Any]) -> bool:
    """Let the effect `key` happen: True the first time, False (and nothing changes) ever after.

    `data` is plain JSON. Raises `NoLedger` where SIGNOFF_EFFECTS_URL is not set, and psycopg's errors
    while the database is away: the node then fails and is tried again, under the same key.
    """
    with _pool().connection() as connection:
        return connection.execute(_INSERT, (key, kind, Jsonb(dict(data)))).rowcount == 1


def recorded(
    *, kind: str | None = None, thread: str | None = None, holding: Mapping[str, Any] | None = None
) -> list[Effect]:
    """Return what has happened, oldest first: of a kind, of a thread, or with data that contain `holding`."""
    wanted = {"kind": kind, "thread": thread, "holding": None if holding is None else Jsonb(dict(holding))}
    with _pool().connection() as connection, connection.cursor(row_factory=class_row(Effect)) as cursor:
        return cursor.execute(_SELECT, wanted).fetchall()


@atexit.register
def close() -> None:
    """Give the connections back; the next effect opens them again."""
    with _opening:
        while _pools:
            _pools.popitem()[1].close()


def _pool() -> ConnectionPool:
    url = os.environ.get(VARIABLE)
    if not url:
        raise NoLedger(f"{VARIABLE} is not set: name the Postgres database that keeps the samples' effects.")
    with _opening:
        if url not in _pools:
            _pools[url] = _opened(url)
        return _pools[url]


def _opened(url: str) -> ConnectionPool:
    """Open a few connections; each is tested when taken, so that a restart of Postgres costs a moment."""
    return ConnectionPool(
        url,
        min_size=1,
        max_size=4,
        timeout=10,
        reconnect_timeout=3.0,  # the time between attempts doubles: after a long outage it would be minutes
        kwargs={"autocommit": True, "prepare_threshold": None},
        configure=_create_table,
        check=ConnectionPool.check_connection,
        name="effects",
        open=True,
    )


def _create_table(connection: Connection[Any]) -> None:
    """Create the table where it is missing: "if not exists" alone fails where two processes do it at once."""
    if connection.execute("select to_regclass('sample_effects') is null").fetchone() != (True,):
        return
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('sample_effects'))")
        connection.execute(_TABLE)
