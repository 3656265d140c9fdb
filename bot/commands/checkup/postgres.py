"""The database: reachable, no pooler for workers, migrated, and somebody at work on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection, Error, OperationalError
from psycopg.rows import dict_row

from bot.approvals.errors import SignoffError
from bot.commands.checkup.finding import Finding, fine, note, problem
from bot.commands.database import Database
from bot.commands.told import one_line
from bot.postgres.migrate import NotMigrated, PooledConnection, check, migrate, refuse_pooler

PART = "database"


async def examine(found: Database) -> AsyncIterator[Finding]:
    """Look at the database; an embedded one is migrated by the way, as every command does."""
    setting = "DATABASE_URL" if found.direct == found.dsn else "SIGNOFF_DIRECT_DATABASE_URL"
    try:
        await refuse_pooler(found.direct)
        setting = "DATABASE_URL"
        conn = await AsyncConnection.connect(
            found.dsn, autocommit=True, prepare_threshold=None, connect_timeout=10
        )
    except PooledConnection as error:
        yield problem(PART, "Workers would go through a transaction pooler", one_line(str(error)))
        return
    except OperationalError as error:
        yield problem(PART, f"Postgres cannot be reached: {one_line(str(error))}", f"Check {setting}.")
        return
    async with conn:
        try:
            async for finding in _schema(conn, found):
                yield finding
        except Error as error:  # a role without rights, or the server has gone meanwhile
            mend = f"Give {setting}'s user the rights, or use the one that `signoff migrate` ran as."
            yield problem(PART, f"Postgres refused: {one_line(str(error))}", mend)


async def _schema(conn: AsyncConnection[Any], found: Database) -> AsyncIterator[Finding]:
    try:
        if found.embedded:
            await migrate(found.direct)
        await check(conn)
    except NotMigrated as error:
        yield problem(PART, one_line(str(error)), "Run `signoff migrate`.")
        return
    except SignoffError as error:
        yield problem(PART, one_line(str(error)), "Upgrade Signoff, or give it a database of its own.")
        return
    where = f"embedded, {found.dsn}" if found.embedded else "DATABASE_URL"
    yield fine(PART, f"Postgres answers ({where}), and its schema is up to date")
    async for finding in _at_work(conn):
        yield finding


async def _at_work(conn: AsyncConnection[Any]) -> AsyncIterator[Finding]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_AT_WORK)
        row = await cursor.fetchone() or {}
    if row.get("workers"):
        yield fine(PART, f"Workers at work: {row['workers']}")
    else:
        yield note(PART, "No worker is running", "Start `signoff run` or `signoff worker`.")
    if not row.get("ticking"):
        yield note(
            PART, "No clock is running, so no deadline is noticed", "Start `signoff run` or `signoff clock`."
        )


_AT_WORK = """
select (select count(*) from procrastinate_workers
        where last_heartbeat > now() - interval '1 minute') as workers,
       (select checked_at > signoff_now() - interval '1 minute' or ok_since is null and checked_at is not null
        from slack_workspace) as ticking  -- while Slack is away a clock notes no more than that
"""
