"""The files and the process of one embedded Postgres: made, started, waited for, stopped."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

from bot.postgres.account import Account, NoEmbeddedPostgres, account_for, binaries, make, run, view

_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 103
"""Bytes that a UNIX socket's path may have: 107 on Linux, 103 on macOS."""

_START_SECONDS = 60.0
_RETRY_SECONDS = 6.0
_STALE_SECONDS = 2.0
_STOP_SECONDS = 30.0
_STATE = "Database cluster state:"
_UNQUOTABLE = frozenset("\"'`$\\,\n")
_SETTINGS = {
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",  # a week of logs, each day overwriting the last week's
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class Cluster:
    """The files of one server: the lock for changing it, the shares of its users, and a folder of its own.

    That folder holds data and socket, and only the account that runs the server (and root) can enter it.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        if _UNQUOTABLE.intersection(str(directory)):
            raise NoEmbeddedPostgres(f"{directory} has a quote, comma, dollar or backslash in its name")
        make(directory)
        self._directory = directory
        self._durable = durable
        self._private = directory / "server"
        self._data = self._private / "data"
        self._account = account_for(self._private)
        self._socket_folder = self._private
        if len(os.fsencode(self._socket_folder / _SOCKET)) > _LONGEST_SOCKET:
            short = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
            self._socket_folder = Path("/tmp") / f"signoff-{short}"  # noqa: S108  # checked in _own_folder

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_folder), safe='')}&port=5432"

    def open(self, name: str) -> int:
        """Open a file to lock, which only the folder's owner (and root) can."""
        descriptor = os.open(self._directory / name, os.O_RDONLY | os.O_CREAT, 0o600)
        if os.geteuid() == 0:
            owner = self._directory.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor

    @contextmanager
    def locked(self) -> Iterator[None]:
        lock = self.open("lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def start(self) -> None:
        """Bring the server up, or wait for it where it is about to come up or go down."""
        for folder in (self._private, self._socket_folder):
            self._own_folder(folder)  # before anything is asked of whoever listens there
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if not self.listens():
                self._launch()
            if time.monotonic() > until:
                raise NoEmbeddedPostgres(f"it is still recovering (see {self._data}); try again")
            time.sleep(0.05)

    def stop(self) -> bool:
        if not self.listens():
            return False
        note = self._data / "postmaster.pid"
        os.kill(int(note.read_text().splitlines()[0]), signal.SIGINT)  # Postgres' fast shutdown
        until = time.monotonic() + _STOP_SECONDS
        while note.exists():
            if time.monotonic() > until:
                raise NoEmbeddedPostgres(f"it does not stop (see {self._data})")
            time.sleep(0.02)
        return True

    def was_stopped(self) -> bool:
        """Say of a server that does not run whether somebody stopped it, or took its data away."""
        if not self._data.exists():
            return True
        with view(self._private, self._account) as (seen, descriptor):
            command = [str(binaries(self._account) / "pg_controldata"), "-D", str(seen / "data")]
            _, said = run(command, self._account, descriptor)
        state = next((line for line in said.splitlines() if line.startswith(_STATE)), "")
        return state.removeprefix(_STATE).strip() == "shut down"

    def listens(self) -> bool:
        # The socket tells the truth where a pid does not: a killed server's may be unreaped, or reused.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self._socket_folder / _SOCKET))
            except BlockingIOError:  # a server that stands still, with many who wait to be let in
                return True
            except OSError:
                return False
        return True

    def _answers(self) -> bool:
        if not self.listens():
            return False
        try:
            psycopg.connect(self.dsn, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            return "too many clients" in str(error)
        return True

    def _launch(self) -> None:
        programs = binaries(self._account)
        with view(self._private, self._account) as (seen, descriptor):
            if not self._data.exists():
                self._create(programs, seen, descriptor)
            said = self._try(programs, seen, descriptor)
            begun = time.monotonic()
            # What a killed server leaves is in the way for a moment: its children, its memory, its pid.
            while said and not self.listens():
                waited = time.monotonic() - begun
                if waited > _RETRY_SECONDS:
                    raise NoEmbeddedPostgres(f"{said} (see {self._data})")
                if waited > _STALE_SECONDS:
                    # The pid is somebody else's by now. Shared memory in use still keeps a second server out.
                    (self._data / "postmaster.pid").unlink(missing_ok=True)
                time.sleep(0.1)
                said = self._try(programs, seen, descriptor)

    def _try(self, programs: Path, seen: Path, descriptor: int | None) -> str:
        """Start the server and return what Postgres says is wrong, if anything is."""
        sockets = seen if self._socket_folder == self._private else self._socket_folder
        settings = _SETTINGS if self._durable else {**_SETTINGS, **_NOT_DURABLE}
        options = f"-h '' -p 5432 -k '{sockets}'"
        options += "".join(f" -c {name}={value}" for name, value in settings.items())
        data = str(seen / "data")
        # pg_ctl appends, and what was wrong at an earlier start is not what is wrong now.
        (self._data / "start.log").unlink(missing_ok=True)
        command = [str(programs / "pg_ctl"), "start", "-w", "-D", data, "-l", f"{data}/start.log"]
        failed, said = run([*command, "-o", options], self._account, descriptor)
        return _complaint(self._data, said) if failed else ""

    def _create(self, programs: Path, seen: Path, descriptor: int | None) -> None:
        unfinished = self._private / "data.new"  # what was killed half-way must not look finished
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [
            str(programs / "initdb"),
            "-D",
            str(seen / unfinished.name),
            "-U",
            "postgres",
            "--auth=trust",
        ]
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        failed, said = run(command if self._durable else [*command, "--no-sync"], self._account, descriptor)
        if failed:
            raise NoEmbeddedPostgres(f"initdb failed in {unfinished}: {_why(said.splitlines())}")
        unfinished.rename(self._data)

    def _own_folder(self, folder: Path) -> None:
        """Make a folder that only the server's account can enter, or make sure that it is one."""
        account = self._account or Account(os.geteuid(), os.getegid())
        if not folder.exists():
            folder.mkdir(mode=0o700)
            if self._account:
                os.chown(folder, account.uid, account.gid)
        found = folder.lstat()
        if found.st_uid != account.uid or found.st_mode & 0o170077 != 0o040000:
            raise NoEmbeddedPostgres(f"{folder} belongs to somebody else or is open to others")


def _complaint(data: Path, otherwise: str) -> str:
    log = data / "start.log"
    said = log.read_text(errors="replace") if log.exists() else otherwise
    if "FATAL:" not in said and "redirecting log output" in said:
        said = _collected(data / "log") or said
    return _why(said.splitlines())


def _collected(folder: Path) -> str:
    """Return what the server has said since its last start in the log that it collects itself."""
    newest = max(folder.glob("*.log"), key=lambda log: log.stat().st_mtime, default=None)
    return newest.read_text(errors="replace").rpartition("starting PostgreSQL")[2] if newest else ""


def _why(lines: list[str]) -> str:
    """Return what was fatal, else the last line: of initdb that one says only what it tidied away."""
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    wrong = [line.partition(" error: ")[2] for line in lines if " error: " in line]
    # That it is still starting up or shutting down is the answer to whoever asks it meanwhile.
    fatal = [line for line in fatal if not line.startswith("the database system is")] or fatal
    return (fatal or wrong or lines or ["it does not start"])[-1]
