"""Who draws what a worker's run recorded: a process that runs no graphs, while there is one.

It listens, and holds a lock for as long as it does, so that a run's last statement tells by itself whether
anybody heard it (`signoff_release`). Where nobody does, the worker draws. Nothing hangs on it: the rows say
what is wanted, and a sweep looks after what was handed on to a process that died.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from psycopg import AsyncConnection

from bot.postgres.pools import CONNECTING, assign

TAKE_OVER_SECONDS = 1.0
"""How often whoever listens in vain asks whether the one that is heard has gone."""

LISTENER = "signoff drawings"
"""What its connection is called in `pg_stat_activity`."""

_LONGEST = 7999
"""Bytes that a notification may have."""


def as_notification(drawings: Sequence[str]) -> str | None:
    """Return the messages to draw, in their order, as one notification; None where they make none."""
    text = json.dumps(list(drawings))
    return text if drawings and len(text) <= _LONGEST else None


async def listening(dsn: str) -> AsyncConnection[Any]:
    """Open a connection to hear on; `dsn` must lead to Postgres itself: a pooler would keep the lock."""
    conn = await AsyncConnection.connect(dsn, autocommit=True, application_name=LISTENER, **CONNECTING)
    try:
        await assign(conn, _LASTING, local=False)
    except BaseException:
        await conn.close()
        raise
    return conn


async def heard(conn: AsyncConnection[Any]) -> AsyncIterator[list[str]]:
    """Become the one that runs hand their drawings on to, once nobody else is, and yield those of each run.

    First comes what is behind by then, which nobody may have heard of. Raises OperationalError when the
    connection is lost.
    """
    while True:
        found = await conn.execute("select signoff_hears()")
        if await found.fetchone() == (True,):
            break
        await asyncio.sleep(TAKE_OVER_SECONDS)
    await conn.execute("listen signoff_drawings")  # not before: all that others hear would be kept here
    found = await conn.execute(_BEHIND)
    for (message_id,) in await found.fetchall():
        yield [message_id]
    async for notification in conn.notifies():
        yield json.loads(notification.payload)


_BEHIND = """
select message_id from messages where wanted > drawn and error is null
order by priority desc, created_at limit 200
"""

# For the server: a machine that vanished is to be noticed soon, since it passes for one that hears till then.
# Keepalives alone say nothing of one to which a notification is under way: that took a quarter of an hour.
_LASTING = {
    "idle_session_timeout": "0",  # whatever the role or the database has by default: it only hears
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
}
