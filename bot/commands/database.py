"""The database a command works on: DATABASE_URL's, or the embedded server's for as long as it takes."""

from __future__ import annotations

import getpass
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from bot.postgres import embedded
from bot.postgres.jobs import Queue
from bot.postgres.migrate import NotMigrated, check, migrate
from bot.postgres.pools import queue_pool
from bot.settings import Settings


@dataclass(frozen=True)
class Database:
    """Where the rows are. `direct` leads to Postgres itself; an embedded `server` is ours alone."""

    dsn: str
    direct: str
    server: embedded.Embedded | None = None

    @property
    def embedded(self) -> bool:
        return self.server is not None


@dataclass(frozen=True)
class Desk:
    """A connection and the queue, for a command that needs no Slack."""

    conn: AsyncConnection[dict[str, Any]]
    queue: Queue


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """Give the database's address; an embedded server runs at least until the block ends."""
    given, direct = settings.database_url, settings.direct_database_url
    if given or direct:
        yield Database(given or direct or "", direct or given or "")
        return
    with embedded.start(embedded.home()) as server:
        yield Database(server.dsn, server.dsn, server)


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """Open the database for one command; raises `NotMigrated` where it is not ready and not ours alone."""
    with database(settings) as found:
        await ready(found, migrates=found.embedded)
        # As through a pooler, which it may be: looking would take longer than what a command has to say.
        async with queue_pool(found.dsn, max_size=2, pooled=True) as pool, pool.connection() as conn:
            queue = Queue(pool)
            await queue.open()
            yield Desk(conn, queue)


async def ready(database: Database, *, migrates: bool) -> None:
    """Make sure that this code may run on the database, migrating it first where it may."""
    async with await AsyncConnection.connect(
        database.dsn, autocommit=True, prepare_threshold=None, connect_timeout=10
    ) as conn:
        try:
            await check(conn)
        except NotMigrated:
            if not migrates:
                raise
            await migrate(database.direct)


def operator() -> str:
    """Return as whom this command is recorded; by number where that user has no name."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # in a container, say; the latter as of Python 3.13
        return f"cli:uid-{os.getuid()}"
