"""Whether Postgres answers: what will pass is told from what somebody has to mend."""

from __future__ import annotations

import asyncio

from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.errors import ConnectionTimeout
from psycopg.pq import PGconn, Ping

PASSES = ("server_login_retry", "server login", "query_wait_timeout", "pgbouncer cannot connect", "too many")
"""What a pooler says of a server that is away (its words are never translated), and one that is full."""

DatabaseAway = (OperationalError, TimeoutError)
"""How a slow or absent database shows to who has a deadline; a pool's own timeout is an OperationalError."""

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 7


async def away(dsn: str) -> str | None:
    """Return why Postgres does not answer, on one line; None where it does.

    Raises `OperationalError` where it answered and will not have us: a wrong password, no such database.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):  # a pooler keeps whoever asks waiting for minutes
            async with await AsyncConnection.connect(
                dsn, autocommit=True, prepare_threshold=None, connect_timeout=_CONNECT_SECONDS
            ) as conn:
                await conn.execute("select 1")
    except TimeoutError:
        return "it accepts connections but does not answer"
    except OperationalError as error:
        why = " ".join(str(error).split())
        if _passes(error, why) or not await _answers(dsn):
            return why
        raise
    return None


def _passes(error: OperationalError, why: str) -> bool:
    return isinstance(error, ConnectionTimeout) or any(said in why for said in PASSES)


async def _answers(dsn: str) -> bool:
    """Ask as pg_isready does: libpq does not give the code with which a server refuses a connection."""
    asked = make_conninfo(dsn, connect_timeout=_CONNECT_SECONDS).encode()
    said = await asyncio.to_thread(PGconn.ping, asked)
    return said not in (Ping.NO_RESPONSE, Ping.REJECT)
