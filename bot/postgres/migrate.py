"""The schema, brought up to date by numbered SQL files: ours, the queue's and the checkpointer's."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import structlog
from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow, dict_row

from bot.approvals.errors import SignoffError

CODE_VERSION = 3
"""What the header of a migration, `-- oldest code: N`, is compared with. Raise it with what a file needs."""

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x5349474E4F4646  # "SIGNOFF"
_FILE = re.compile(r"\d{4}_\w+\.sql")
_HEADER = re.compile(r"-- oldest code: (\d+)\n")
_QUEUE = "procrastinate"
_CHECKPOINTER = "langgraph-checkpoint-postgres"
_PROBES = 10
_CONNECT_SECONDS = 5

LOCK_SECONDS = 1.0
"""How long a migration waits for a table that somebody holds (a dump, say), and then lets others to it."""

_TABLE = """
create table if not exists signoff_migrations (
    name text primary key, sha256 text not null, oldest_code int not null,
    applied_at timestamptz not null default now()
)"""
_INSERT = (
    "insert into signoff_migrations (name, sha256, oldest_code) values (%s, %s, %s) on conflict do nothing"
)
_PATIENCE = "select set_config('lock_timeout', %s, true)"

Connection = AsyncConnection[DictRow]

log = structlog.get_logger("signoff.process")


class NotMigrated(SignoffError):
    """The database lacks migrations of this code."""


class DatabaseTooNew(SignoffError):
    """A newer Signoff has migrated the database past what this code can work with."""


class MigrationChanged(SignoffError):
    """A migration file is not what was applied under its name, or is not named and headed as it must."""


class NotOurDatabase(SignoffError):
    """Somebody else made tables here that Signoff would have to own."""


class PooledConnection(SignoffError):
    """The DSN leads to a transaction pooler, where a session's locks are not held."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. `oldest_code` is the oldest CODE_VERSION that may run once it is applied."""

    name: str
    text: bytes
    oldest_code: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    sha256: str
    oldest_code: int


def our_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read our migrations in order; raises MigrationChanged for a file that is misnamed or has no header."""
    return tuple(_read(path) for path in sorted(folder.glob("*.sql")))


def _read(path: Path) -> Migration:
    text = path.read_text(encoding="utf-8")
    header = _HEADER.match(text)
    if header is None or not _FILE.fullmatch(path.name):
        raise MigrationChanged(f"{path.name}: name it NNNN_words.sql and begin it with '-- oldest code: N'")
    return Migration(path.name, text.encode(), int(header[1]))


def queue_migrations() -> tuple[Migration, ...]:
    """Read what the queue ships, in the order of its versions; all have run where its schema is fresh."""
    folder = _queue_sql() / "migrations"
    return tuple(
        Migration(f"{_QUEUE}/{path.name}", path.read_bytes(), 0) for path in sorted(folder.glob("*.sql"))
    )


def _queue_sql() -> Path:
    # Found, not imported: a check at start should not cost the import.
    spec = find_spec(_QUEUE)
    if spec is None or not spec.submodule_search_locations:
        raise NotMigrated(f"the package {_QUEUE} is not installed")
    return Path(spec.submodule_search_locations[0]) / "sql"


def _checkpointer() -> Migration:
    """Stand for the checkpointer's own migrations, which its `setup` knows: one for each version."""
    return Migration(f"{_CHECKPOINTER}/{version(_CHECKPOINTER)}", b"", 0)


def pending(migrations: Iterable[Migration], applied: dict[str, Applied]) -> tuple[Migration, ...]:
    """Return what is still to be applied, in order.

    Raises DatabaseTooNew where an applied migration wants newer code, MigrationChanged where one of ours
    was edited after it was applied.
    """
    _refuse_outgrown(applied)
    missing = []
    for migration in migrations:
        if migration.name not in applied:
            missing.append(migration)
        elif applied[migration.name].sha256 != migration.sha256 and "/" not in migration.name:
            raise MigrationChanged(
                f"{migration.name} was changed after it was applied: restore it, add a new file"
            )
    return tuple(missing)


def _refuse_outgrown(applied: dict[str, Applied]) -> None:
    oldest = max((each.oldest_code for each in applied.values()), default=0)
    if oldest > CODE_VERSION:
        raise DatabaseTooNew(
            f"the database needs code version {oldest} or newer, and this is {CODE_VERSION}: upgrade Signoff"
        )


async def migrate(dsn: str, folder: Path = MIGRATIONS) -> list[str]:
    """Bring a database up to date and return the names of what was applied; any number may do so at once.

    `dsn` must lead to Postgres itself, not to a transaction pooler.
    """
    await refuse_pooler(dsn)
    async with _locked(dsn) as connection:
        await connection.execute(_TABLE)
        applied = await _applied(connection)
        ours = pending(our_migrations(folder), applied)
        done = [*await _migrate_queue(connection, applied), *await _migrate_checkpointer(connection, applied)]
        for migration in ours:
            await _apply(connection, migration.text, [migration])
        return [*done, *(migration.name for migration in ours)]


async def check(connection: AsyncConnection[object]) -> None:
    """Raise, in one line, where this code may not run on this database as it stands."""
    wanted = (*queue_migrations(), _checkpointer(), *our_migrations())
    missing = pending(wanted, await _applied(connection))
    if missing:
        raise NotMigrated(
            f"the database lacks migrations, the last of them {missing[-1].name}: run signoff migrate"
        )


async def check_outgrown(connection: AsyncConnection[object]) -> None:
    """Raise DatabaseTooNew where a newer Signoff has migrated the database past this code, which runs."""
    _refuse_outgrown(await _applied(connection))


async def refuse_pooler(dsn: str) -> None:
    """Raise PooledConnection where `dsn` leads to a transaction pooler, which keeps no session's locks."""
    if await is_pooled(dsn):
        raise PooledConnection(
            "the database URL leads to a transaction pooler:"
            " set SIGNOFF_DIRECT_DATABASE_URL to Postgres itself"
        )


async def is_pooled(dsn: str) -> bool:
    """Whether `dsn` leads to a transaction pooler.

    There a server process changes hands between two statements: one of our two connections meets the
    other's, or finds itself moved. With Postgres itself, or a session pooler, that cannot happen. (Tried
    with PgBouncer 1.18, idle and busy, with and without server_round_robin.)
    """
    async with (
        await AsyncConnection.connect(
            dsn, autocommit=True, prepare_threshold=None, connect_timeout=_CONNECT_SECONDS
        ) as one,
        await AsyncConnection.connect(
            dsn, autocommit=True, prepare_threshold=None, connect_timeout=_CONNECT_SECONDS
        ) as other,
    ):
        mine = await _server_process(one)
        theirs = {await _server_process(other) for _ in range(_PROBES)}
        return mine in theirs or len(theirs) > 1 or mine != await _server_process(one)


async def _server_process(connection: AsyncConnection[tuple[object, ...]]) -> object:
    row = await (await connection.execute("select pg_backend_pid()")).fetchone()
    return row and row[0]


@asynccontextmanager
async def _locked(dsn: str) -> AsyncIterator[Connection]:
    connection = await AsyncConnection.connect(
        dsn, autocommit=True, row_factory=dict_row, application_name="signoff migrate"
    )
    async with connection:
        await connection.execute("set statement_timeout = 0")
        # Tried, not waited for: a waiting statement holds a snapshot, and `create index concurrently`, which
        # the checkpointer uses, waits for all snapshots older than itself. The two would deadlock.
        while not await _try_lock(connection):  # noqa: ASYNC110  # no event crosses machines
            await asyncio.sleep(0.05)
        yield connection


async def _try_lock(connection: Connection) -> bool:
    row = await (await connection.execute("select pg_try_advisory_lock(%s) as got", [_LOCK])).fetchone()
    return row is not None and bool(row["got"])


async def _applied(connection: AsyncConnection[object]) -> dict[str, Applied]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        if not await _exists(connection, "signoff_migrations"):
            return {}
        await cursor.execute("select name, sha256, oldest_code from signoff_migrations")
        return {row["name"]: Applied(row["sha256"], row["oldest_code"]) async for row in cursor}


async def _exists(connection: AsyncConnection[object], table: str) -> bool:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("select to_regclass(%s) is not null as there", [table])
        row = await cursor.fetchone()
        return row is not None and bool(row["there"])


async def _apply(connection: Connection, text: bytes, migrations: Iterable[Migration]) -> None:
    """Run it, and note that, all or nothing.

    Whoever wants a table waits behind a migration that waits for it: so that waits for a moment at a time.
    """
    rows = [(each.name, each.sha256, each.oldest_code) for each in migrations]
    while True:
        try:
            async with connection.transaction(), connection.cursor() as cursor:
                await cursor.execute(_PATIENCE, [f"{int(LOCK_SECONDS * 1000)}ms"])
                await cursor.execute(text)
                await cursor.executemany(_INSERT, rows)
                return
        except LockNotAvailable:
            log.warning(
                "migration_waits", migration=rows[-1][0], why="somebody holds a table that it changes"
            )
            await asyncio.sleep(LOCK_SECONDS)


async def _migrate_queue(connection: Connection, applied: dict[str, Applied]) -> list[str]:
    shipped = queue_migrations()
    if any(name.startswith(f"{_QUEUE}/") for name in applied):
        missing = pending(shipped, applied)
        for migration in missing:
            await _apply(connection, migration.text, [migration])
        return [migration.name for migration in missing]
    if await _exists(connection, "procrastinate_jobs"):
        raise NotOurDatabase("the database has a procrastinate queue of somebody else: give Signoff its own")
    await _apply(connection, (_queue_sql() / "schema.sql").read_bytes(), shipped)
    return [f"{_QUEUE}/schema.sql"]


async def _migrate_checkpointer(connection: Connection, applied: dict[str, Applied]) -> list[str]:
    installed = _checkpointer()
    if installed.name in applied:
        return []
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # slow to import

    await AsyncPostgresSaver(connection).setup()
    await _apply(connection, b"select", [installed])
    return [installed.name]
