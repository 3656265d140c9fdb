"""The time machine: lets `signoff_now()` be shifted, in demo and test databases and nowhere else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection


async def install(conn: AsyncConnection[Any]) -> None:
    """Make the database's one clock read an offset; does nothing where it does already."""
    await conn.execute(_TABLE)
    await conn.execute("insert into signoff_time default values on conflict do nothing")
    await conn.execute(_FUNCTION)


async def shift(conn: AsyncConnection[Any], by: timedelta) -> None:
    """Move the clock by `by` from where it is."""
    await conn.execute("update signoff_time set ahead = ahead + %s", (by,))


async def set_to(conn: AsyncConnection[Any], when: datetime) -> None:
    """Let it be `when` (aware) now; time runs on from there."""
    await conn.execute("update signoff_time set ahead = %s - clock_timestamp()", (when,))


_TABLE = """
create table if not exists signoff_time (
    only_row boolean primary key default true check (only_row), ahead interval not null default '0'
)
"""

_FUNCTION = """
create or replace function signoff_now() returns timestamptz language sql stable parallel safe
as 'select clock_timestamp() + (select ahead from signoff_time)'
"""
