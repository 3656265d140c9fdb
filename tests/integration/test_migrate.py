from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg.rows import dict_row

from bot.postgres import migrate as module
from bot.postgres.migrate import (
    CODE_VERSION,
    Applied,
    DatabaseTooNew,
    Migration,
    MigrationChanged,
    NotMigrated,
    NotOurDatabase,
    check,
    migrate,
    our_migrations,
    pending,
    queue_migrations,
    refuse_pooler,
)
from bot.postgres.pools import queue_pool
from bot.roles.outgrown import LOOK_SECONDS, outgrown

FIRST = Migration("0001_first.sql", b"-- oldest code: 1\n", 1)
SECOND = Migration("0002_second.sql", b"-- oldest code: 1\nselect 2", 1)


def applied(*migrations: Migration) -> dict[str, Applied]:
    return {each.name: Applied(each.sha256, each.oldest_code) for each in migrations}


@pytest.fixture
def folder(tmp_path):
    """Two migrations of which the second is not sound yet."""
    (tmp_path / "0001_first.sql").write_text("-- oldest code: 1\ncreate table one (x text default '50 %');\n")
    (tmp_path / "0002_second.sql").write_text("-- oldest code: 1\ncreate table two ();\nselect 1 / 0;\n")
    return tmp_path


async def query(dsn: str, statement: str):
    async with await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, row_factory=dict_row
    ) as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


async def checked(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await check(connection)


def test_what_is_not_applied_yet_is_pending():
    assert pending((FIRST, SECOND), applied(FIRST)) == (SECOND,)
    assert pending((FIRST, SECOND), applied(FIRST, SECOND)) == ()


def test_a_newer_database_that_still_allows_this_code_is_fine():
    newer = Migration("0003_third.sql", b"", CODE_VERSION)

    assert pending((FIRST, SECOND), applied(FIRST, SECOND, newer)) == ()


def test_a_database_that_needs_newer_code_is_refused_in_one_line():
    newer = Migration("0003_third.sql", b"", CODE_VERSION + 1)

    with pytest.raises(DatabaseTooNew, match="upgrade") as refusal:
        pending((FIRST, SECOND), applied(FIRST, SECOND, newer))

    assert "\n" not in str(refusal.value)


def test_an_applied_file_may_not_change():
    with pytest.raises(MigrationChanged, match="0001_first"):
        pending((replace(FIRST, text=b"other"),), applied(FIRST))


def test_what_the_queue_ships_is_not_ours_to_watch_for_changes():
    shipped = queue_migrations()[0]

    assert pending((replace(shipped, text=b"reformatted"),), applied(shipped)) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [("1_short.sql", "-- oldest code: 1\n"), ("0001_no_header.sql", "select 1"), ("0001.sql", "")],
)
def test_a_file_without_name_or_header_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)

    with pytest.raises(MigrationChanged, match="oldest code"):
        our_migrations(tmp_path)


def test_our_own_files_are_numbered_without_a_gap_and_let_this_code_run():
    ours = our_migrations()

    assert [int(each.name[:4]) for each in ours] == list(range(1, len(ours) + 1))
    assert max(each.oldest_code for each in ours) <= CODE_VERSION


async def test_a_fresh_database_gets_everything_once(empty_database):
    with pytest.raises(NotMigrated, match="run signoff migrate"):
        await checked(empty_database)

    first = await migrate(empty_database)

    assert first[-len(our_migrations()) :] == [each.name for each in our_migrations()]
    assert await migrate(empty_database) == []
    await checked(empty_database)
    tables = {row["tablename"] for row in await query(empty_database, "select tablename from pg_tables")}
    assert {"signoff_migrations", "procrastinate_jobs", "checkpoints"} <= tables


async def test_eight_processes_at_once_all_succeed_and_apply_it_once(empty_database):
    script = "import asyncio, sys; from bot.postgres.migrate import migrate;"
    script += "print(len(asyncio.run(migrate(sys.argv[1]))))"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, empty_database, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(8)
    ]

    outputs = [(await each.communicate())[0] for each in processes]

    assert [each.returncode for each in processes] == [0] * 8
    assert sorted(int(each) for each in outputs)[:7] == [0] * 7
    await checked(empty_database)


async def test_a_file_that_fails_leaves_nothing_of_itself_and_all_before_it(empty_database, folder):
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(empty_database, folder)

    tables = await query(empty_database, "select to_regclass('one') as one, to_regclass('two') as two")
    assert tables == [{"one": "one", "two": None}]
    (folder / "0002_second.sql").write_text("-- oldest code: 1\ncreate table two ();\n")
    assert await migrate(empty_database, folder) == ["0002_second.sql"]


async def test_nobody_waits_behind_a_migration_that_waits_for_a_dump(database, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    (tmp_path / "0999_more.sql").write_text("-- oldest code: 1\nalter table people add column more text;\n")
    waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with await psycopg.AsyncConnection.connect(database) as dumping:
        await dumping.execute("select from people")
        migrating = asyncio.create_task(migrate(database, tmp_path))
        while not await query(database, waits):
            pass
        async with asyncio.timeout(10):
            await query(database, "select from people")

    assert await migrating == ["0999_more.sql"]


async def test_only_what_the_queue_has_added_since_is_run_on_an_upgrade(empty_database, folder):
    (folder / "0002_second.sql").unlink()
    await migrate(empty_database, folder)
    newest = queue_migrations()[-1].name
    await query(empty_database, f"delete from signoff_migrations where name = '{newest}'")

    assert await migrate(empty_database, folder) == [newest]


async def test_an_upgraded_checkpointer_is_set_up_again(database):
    await query(database, "delete from signoff_migrations where name like 'langgraph%'")
    with pytest.raises(NotMigrated, match="langgraph"):
        await checked(database)

    assert len(await migrate(database)) == 1
    await checked(database)


async def test_a_queue_of_somebody_else_is_left_alone(empty_database):
    await query(empty_database, "create table procrastinate_jobs ()")

    with pytest.raises(NotOurDatabase, match="its own"):
        await migrate(empty_database)


async def test_newer_code_has_been_here_and_this_one_neither_runs_nor_migrates(database):
    await query(database, "insert into signoff_migrations values ('0999_later.sql', '', 999)")

    with pytest.raises(DatabaseTooNew):
        await checked(database)
    with pytest.raises(DatabaseTooNew):
        await migrate(database)


async def test_a_role_that_runs_ends_once_a_newer_signoff_has_migrated_the_database_past_it(database):
    stop, rests = asyncio.Event(), []

    async def rest(stop: asyncio.Event, seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 2:
            await query(database, "insert into signoff_migrations values ('0999_later.sql', '', 999)")

    async with queue_pool(database) as pool:
        refusal = await outgrown(pool, stop, rest)

    assert isinstance(refusal, DatabaseTooNew)
    assert stop.is_set()
    assert rests == [LOOK_SECONDS] * 2


async def test_a_role_that_is_told_to_stop_does_not_wait_for_a_database_that_does_not_answer():
    stop, asked = asyncio.Event(), asyncio.Event()

    class Silent:
        @asynccontextmanager
        async def connection(self):
            asked.set()
            yield await asyncio.Event().wait()

    looking = asyncio.create_task(outgrown(Silent(), stop))
    await asked.wait()
    stop.set()

    assert await looking is None


async def test_postgres_itself_is_not_taken_for_a_pooler(database):
    await refuse_pooler(database)


async def test_a_server_that_changes_hands_between_statements_is_a_pooler(database, monkeypatch):
    one_for_all = await psycopg.AsyncConnection.connect(database, autocommit=True)

    class Lent:
        async def __aenter__(self):
            return one_for_all

        async def __aexit__(self, *_):
            return None

    async def lend(*_args: object, **_kwargs: object) -> Lent:
        return Lent()

    async with one_for_all:
        monkeypatch.setattr(module.AsyncConnection, "connect", lend)
        with pytest.raises(module.PooledConnection, match="SIGNOFF_DIRECT_DATABASE_URL"):
            await refuse_pooler(database)
        monkeypatch.undo()
