from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
import structlog

from bot.postgres import account, cluster, embedded
from bot.postgres.account import NoEmbeddedPostgres
from bot.postgres.embedded import Embedded
from bot.roles.server import LOOK_SECONDS, keep_server

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="this is what root must not do")

HOLD = """
import sys
from pathlib import Path
from bot.postgres import embedded
with embedded.start(Path(sys.argv[1]), durable=False) as server:
    print("up", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def made():
    """A folder whose cluster is there already, for tests that leave it sound: making one is the slow part."""
    yield from temporary()


@pytest.fixture
def folder():
    """A folder in which nothing was made yet."""
    yield from temporary()


def temporary():
    # Short, and private to whoever runs the tests.
    path = Path(tempfile.mkdtemp(prefix="signoff-"))
    yield path
    embedded.stop(path / "db")
    shutil.rmtree(path)


@pytest.fixture
def start():
    started: list[Embedded] = []

    def begin(directory: Path) -> Embedded:
        started.append(embedded.start(directory, durable=False))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


def hold(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def leave(holder: subprocess.Popen[str]) -> None:
    holder.communicate("\n", timeout=60)
    assert holder.returncode == 0


def answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def execute(dsn: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def postmaster(directory: Path) -> int:
    return int((directory / "server/data/postmaster.pid").read_text().split()[0])


def test_data_is_still_there_after_a_stop_and_a_start(made, start):
    first = start(made / "db")
    execute(first.dsn, "drop table if exists kept; create table kept as select 'ü' as word")
    first.stop()
    first.stop()
    assert not answers(first.dsn)

    assert execute(start(made / "db").dsn, "select * from kept") == [("ü",)]


def test_it_speaks_utc_and_utf8_whatever_the_machine_speaks(made, start, monkeypatch):
    monkeypatch.setenv("LC_ALL", "xx_YY.latin1")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")

    dsn = start(made / "db").dsn

    assert execute(dsn, "show timezone") == [("UTC",)]
    assert execute(dsn, "show server_encoding") == [("UTF8",)]


def test_many_processes_share_one_server_and_the_last_to_leave_stops_it(folder, start):
    holders = [hold(folder / "db") for _ in range(4)]
    for holder in holders:
        assert holder.stdout.readline() == "up\n"
    mine = start(folder / "db")
    running = postmaster(folder / "db")

    for holder in holders:
        leave(holder)

    assert postmaster(folder / "db") == running
    assert answers(mine.dsn)
    mine.stop()
    assert not answers(mine.dsn)


def test_a_killed_process_leaves_the_server_but_no_claim_on_it(made, start):
    killed = hold(made / "db")
    killed.stdout.readline()
    running = postmaster(made / "db")
    killed.kill()
    killed.communicate()

    mine = start(made / "db")

    assert postmaster(made / "db") == running
    mine.stop()
    assert not answers(mine.dsn)


def test_a_server_left_running_can_be_stopped(made):
    killed = hold(made / "db")
    killed.stdout.readline()
    killed.kill()
    killed.communicate()

    assert embedded.stop(made / "db")
    assert not embedded.stop(made / "db")
    assert not embedded.stop(made / "never")


def test_a_killed_server_comes_up_again_with_what_was_committed(made, start):
    execute(start(made / "db").dsn, "drop table if exists kept; create table kept as select 1")
    os.kill(postmaster(made / "db"), signal.SIGKILL)

    again = start(made / "db")

    assert execute(again.dsn, "select * from kept") == [(1,)]


def test_a_killed_server_is_revived_once_by_those_who_share_it(made, start, monkeypatch):
    monkeypatch.setattr(cluster, "_STALE_SECONDS", 0.5)
    monkeypatch.setattr(cluster, "_RETRY_SECONDS", 60)
    mine, yours = start(made / "db"), start(made / "db")
    assert not mine.revive()
    execute(mine.dsn, "drop table if exists kept; create table kept as select 1")
    os.kill(postmaster(made / "db"), signal.SIGKILL)
    while not mine.has_gone():
        pass

    with ThreadPoolExecutor() as both:
        revived = list(both.map(Embedded.revive, (mine, yours)))

    assert sorted(revived) == [False, True]
    assert execute(mine.dsn, "select * from kept") == [(1,)]


def test_a_server_that_somebody_stopped_or_took_the_data_of_stays_down(made, start):
    mine = start(made / "db")
    embedded.stop(made / "db")

    assert not mine.revive()
    assert not answers(mine.dsn)

    (made / "db/server/data").rename(made / "elsewhere")
    assert not mine.revive()
    assert not (made / "db/server/data").exists()
    (made / "elsewhere").rename(made / "db/server/data")


class Dying:
    """A server that is never there for long, and for which there is no room at the second start."""

    def __init__(self) -> None:
        self.starts = 0

    def has_gone(self) -> bool:
        return True

    def revive(self) -> bool:
        self.starts += 1
        if self.starts == 2:
            raise NoEmbeddedPostgres("No space left")
        return True


async def test_a_server_that_keeps_dying_is_revived_ever_later():
    stop, dying, rests = asyncio.Event(), Dying(), []

    async def rest(_: asyncio.Event, seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 14:
            stop.set()

    with structlog.testing.capture_logs() as said:
        await keep_server(dying, stop, rest)

    assert rests[::2] == [LOOK_SECONDS] * 7
    assert rests[1::2] == [1, 2, 4, 8, 16, 30, 30]
    told = [entry["event"] for entry in said]
    assert told == ["postgres_started_again", "postgres_not_started", *["postgres_started_again"] * 5]
    assert "No space left" in said[1]["why"]


def test_a_pid_that_now_belongs_to_somebody_else_does_not_keep_it_down(made, start, monkeypatch):
    monkeypatch.setattr(cluster, "_STALE_SECONDS", 0.2)
    monkeypatch.setattr(cluster, "_RETRY_SECONDS", 60)
    start(made / "db").stop()
    note = made / "db/server/data/postmaster.pid"
    owner = note.parent.stat()
    with subprocess.Popen(["sleep", "600"], user=owner.st_uid if os.geteuid() == 0 else None) as stranger:
        note.write_text(f"{stranger.pid}\n{note.parent}\n0\n5432\n\n\n  1 1\nready\n")
        os.chown(note, owner.st_uid, owner.st_gid)
        try:
            assert answers(start(made / "db").dsn)
        finally:
            stranger.kill()


def test_a_cluster_that_was_never_finished_is_begun_again(folder, start):
    unfinished = folder / "db/server/data.new"
    unfinished.mkdir(parents=True, mode=0o700)
    (unfinished / "PG_VERSION").write_text("18\n")
    unfinished.parent.chmod(0o700)
    if os.geteuid() == 0:
        begun_by = account.account_for(folder / "nothing")
        os.chown(unfinished.parent, begun_by.uid, begun_by.gid)

    assert answers(start(folder / "db").dsn)


def test_processes_that_begin_at_once_on_a_new_machine_make_one_account(tmp_path, monkeypatch):
    pwd = pytest.importorskip("pwd")
    ids, accounts = iter(range(990, 999)), {}
    both, missed = threading.Barrier(2, timeout=30), threading.local()

    def listed(name):
        if name in accounts:
            return SimpleNamespace(pw_uid=accounts[name], pw_gid=accounts[name])
        if not hasattr(missed, "it"):
            missed.it = both.wait()
        raise KeyError(name)

    def useradd(command, **_):
        accounts[command[-1]] = next(ids)  # as it does for a name that came on the list meanwhile

    monkeypatch.setattr(pwd, "getpwnam", listed)
    monkeypatch.setattr(account.subprocess, "run", useradd)
    monkeypatch.setattr(account.shutil, "which", lambda *_, **__: "useradd")
    monkeypatch.setattr(account, "_LOCK", tmp_path / "lock")
    with ThreadPoolExecutor(2) as processes:
        found = list(processes.map(lambda _: account._system_account(), range(2)))

    assert found == [account.Account(990, 990)] * 2


def test_a_path_too_deep_for_a_socket_works(folder, start):
    deep = folder / "a folder" / ("x" * 120)

    server = start(deep)

    assert answers(server.dsn)
    server.stop()
    shutil.rmtree(Path(psycopg.conninfo.conninfo_to_dict(server.dsn)["host"]))


def test_a_socket_folder_prepared_by_somebody_else_is_not_used(folder):
    deep = folder / ("x" * 120)
    planted = cluster.Cluster(deep)._socket_folder
    planted.mkdir()
    planted.chmod(0o777)
    try:
        with pytest.raises(NoEmbeddedPostgres, match="open to others"):
            embedded.start(deep)
    finally:
        planted.rmdir()


def test_a_server_that_somebody_else_runs_where_ours_would_listen_is_not_used(folder, made, start):
    theirs = start(made / "db")
    listens = Path(psycopg.conninfo.conninfo_to_dict(theirs.dsn)["host"]) / ".s.PGSQL.5432"
    deep = folder / ("x" * 120)
    planted = cluster.Cluster(deep)._socket_folder
    planted.mkdir()
    planted.chmod(0o777)
    (planted / listens.name).symlink_to(listens)
    try:
        with pytest.raises(NoEmbeddedPostgres, match="open to others"):
            embedded.start(deep)
    finally:
        shutil.rmtree(planted)


def test_what_cannot_work_is_refused_in_one_line_that_offers_a_database_url(folder):
    (folder / "file").touch()
    for directory in (folder / "it's", folder / "file", folder / "file/below"):
        with pytest.raises(NoEmbeddedPostgres, match="set DATABASE_URL") as refusal:
            embedded.start(directory)

        assert "\n" not in str(refusal.value)


def test_a_broken_cluster_is_refused_with_what_postgres_said(folder, start, monkeypatch):
    monkeypatch.setattr(cluster, "_RETRY_SECONDS", 0.3)
    start(folder / "db").stop()
    (folder / "db/server/data/PG_VERSION").write_text("9\n")

    with pytest.raises(NoEmbeddedPostgres, match="incompatible") as refusal:
        start(folder / "db")

    assert "\n" not in str(refusal.value)


def test_what_stops_a_start_after_postgres_turned_to_its_own_log_is_told(folder):
    (folder / "log").mkdir()
    (folder / "start.log").write_text('HINT:  redirecting log output\nHINT:  Look in directory "log".\n')
    (folder / "log/postgresql-Sat.log").write_text(
        "FATAL:  of an earlier start\nLOG:  starting PostgreSQL 18.4\n"
        "FATAL:  could not write to file: No space left\nFATAL:  the database system is starting up\n"
    )

    assert cluster._complaint(folder, "") == "could not write to file: No space left"


def test_a_cluster_that_cannot_be_made_is_told_with_its_cause_and_not_with_what_was_tidied_away(
    folder, monkeypatch
):
    said = """running bootstrap script ... 19:05 UTC [6632] FATAL:  could not extend file: No space left
2026-11-21 19:05:00.894 UTC [6632] HINT:  Check free disk space.
child process exited with exit code 134
initdb: removing data directory "/db/server/data.new\""""
    monkeypatch.setattr(cluster, "run", lambda *_: (True, said))
    with pytest.raises(NoEmbeddedPostgres, match=r"data\.new: could not extend file: No space left"):
        embedded.start(folder / "db")


def test_only_its_account_can_enter_where_the_server_listens(made, start):
    start(made / "db")

    assert (made / "db/server").stat().st_mode & 0o777 == 0o700


def test_the_data_lives_where_the_system_keeps_such_things(monkeypatch):
    assert embedded.home({"SIGNOFF_HOME": "/srv/signoff", "XDG_DATA_HOME": "/x"}) == Path("/srv/signoff")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert embedded.home({"XDG_DATA_HOME": "/home/somebody"}) == Path("/var/lib/signoff")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "platform", "linux")
    assert embedded.home({"XDG_DATA_HOME": "/x"}) == Path("/x/signoff")
    assert embedded.home({}) == Path.home() / ".local/share/signoff"


def modes(*below: Path) -> dict[Path, tuple[int, int, int]]:
    folders = {parent for path in below for parent in path.parents}
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in folders}


@as_root
def test_root_opens_no_folder_that_was_there_before(folder, start):
    (folder / "private").mkdir(mode=0o700)
    packages = account.installed()
    inside = [path for needed in account._NEEDED for path in (packages / needed).rglob("*")]
    before = modes(folder / "private/db", *inside)

    dsn = start(folder / "private/db").dsn

    assert execute(dsn, "select 1") == [(1,)]
    assert modes(folder / "private/db", *inside) == before


@as_root
def test_root_runs_programs_that_only_root_can_read_from_a_copy(folder, start, tmp_path, monkeypatch):
    for needed in account._NEEDED:
        shutil.copytree(account.installed() / needed, tmp_path / needed)
    folder.chmod(0o755)
    before = modes(*tmp_path.rglob("*"))
    from_copy = partial(account.binaries, shared=folder / "shared", packages=tmp_path)
    monkeypatch.setattr(cluster, "binaries", from_copy)

    assert answers(start(folder / "db").dsn)
    assert from_copy(account.account_for(folder / "db/server")).is_relative_to(folder / "shared")
    assert modes(*tmp_path.rglob("*")) == before


@as_root
def test_root_without_an_account_to_run_as_is_asked_for_a_database_url(folder, monkeypatch):
    monkeypatch.setattr(account, "_NAME", "nobody-of-this-name")
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)

    with pytest.raises(NoEmbeddedPostgres, match="set DATABASE_URL"):
        embedded.start(folder / "db")
