"""A Postgres of our own in a folder, shared by every process that wants it, for machines that have none."""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from bot.postgres.account import (
    ROOTS_HOME,
    Account,
    NoEmbeddedPostgres,
    account_for,
    binaries,
    run,
    view,
)

_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 103
"""Bytes that a UNIX socket's path may have: 107 on Linux, 103 on macOS."""

_START_SECONDS = 60.0
_RETRY_SECONDS = 6.0
_STOP_SECONDS = 30.0
_UNQUOTABLE = frozenset("\"'`$\\,\n")
_SETTINGS = {
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",  # a week of logs, each day overwriting the last week's
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
}
_UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where Signoff keeps its data: SIGNOFF_HOME, else the user's data folder (root: the system's)."""
    if chosen := environ.get("SIGNOFF_HOME"):
        return Path(chosen).expanduser().resolve()
    if os.geteuid() == 0:
        return ROOTS_HOME
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/signoff"
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local/share").expanduser() / "signoff"


class Embedded:
    """One process's share in the server of a folder; the last share to stop, stops the server.

    A process that is killed loses its share with its life, but leaves the server running.
    """

    def __init__(self, cluster: _Cluster, share: int) -> None:
        self.dsn = cluster.dsn
        self._cluster = cluster
        self._share: int | None = share
        atexit.register(self.stop)

    def stop(self) -> None:
        """Give up the share, and stop the server if nobody else has one; again is harmless."""
        atexit.unregister(self.stop)
        if self._share is None:
            return
        share, self._share = self._share, None
        with self._cluster.locked():
            try:
                # Everybody who leaves asks under the lock for the whole, so that the last one gets it.
                fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                os.close(share)
            self._cluster.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(directory: Path, *, durable: bool = True) -> Embedded:
    """Start the server of `directory` (made where missing), or take a share in the one that runs there.

    It listens on a UNIX socket that only this account and root can open. It blocks, for up to a minute
    after a crash. `durable=False` trades safety in a power cut for speed, for tests. Raises
    NoEmbeddedPostgres.
    """
    try:
        cluster = _Cluster(directory.expanduser().resolve(), durable=durable)
        with cluster.locked():
            share = cluster.open("shares")
            fcntl.flock(share, fcntl.LOCK_SH)
            try:
                cluster.start()
            except BaseException:
                os.close(share)
                raise
    except OSError as error:
        raise NoEmbeddedPostgres(f"{error.strerror}: {error.filename or directory}") from error
    return Embedded(cluster, share)


def stop(directory: Path) -> bool:
    """Stop the server of `directory`, whoever uses it; False when none runs there."""
    directory = directory.expanduser().resolve()
    if not (directory / "server").is_dir():
        return False
    cluster = _Cluster(directory)
    with cluster.locked():
        return cluster.stop()


class _Cluster:
    """The files of one server: the lock for changing it, the shares of its users, and a folder of its own.

    That folder holds data and socket, and only the account that runs the server (and root) can enter it.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        if _UNQUOTABLE.intersection(str(directory)):
            raise NoEmbeddedPostgres(f"{directory} has a quote, comma, dollar or backslash in its name")
        # Root's is open to pass through, so that the server's account reaches its own folder by name.
        directory.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
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
        return os.open(self._directory / name, os.O_RDONLY | os.O_CREAT, 0o644)

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
        begun = time.monotonic()
        while not self._answers():
            if self._listens():
                patience = _START_SECONDS
                said = "it is still recovering"
            else:
                patience = _RETRY_SECONDS
                said = self._launch(stale=time.monotonic() - begun > _RETRY_SECONDS / 3)
            if time.monotonic() - begun > patience:
                raise NoEmbeddedPostgres(f"{said} (see {self._data}); try again")
            time.sleep(0.1)

    def stop(self) -> bool:
        if not self._listens():
            return False
        note = self._data / "postmaster.pid"
        os.kill(int(note.read_text().splitlines()[0]), signal.SIGINT)  # Postgres' fast shutdown
        until = time.monotonic() + _STOP_SECONDS
        while note.exists():
            if time.monotonic() > until:
                raise NoEmbeddedPostgres(f"it does not stop (see {self._data})")
            time.sleep(0.02)
        return True

    def _answers(self) -> bool:
        if not self._listens():
            return False
        try:
            psycopg.connect(self.dsn, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            return "too many clients" in str(error)
        return True

    def _listens(self) -> bool:
        # The socket tells the truth where a pid does not: a killed server's may be unreaped, or reused.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self._socket_folder / _SOCKET))
            except OSError:
                return False
        return True

    def _launch(self, *, stale: bool) -> str:
        """Try to start the server and return what went wrong, if anything did."""
        programs = binaries(self._account)
        for folder in (self._private, self._socket_folder):
            self._own_folder(folder)
        with view(self._private, self._account) as (seen, descriptor):
            if not self._data.exists():
                self._create(programs, seen, descriptor)
            if stale:
                # Its pid is now somebody else's. Its shared memory still keeps a second server out.
                (self._data / "postmaster.pid").unlink(missing_ok=True)
            sockets = seen if self._socket_folder == self._private else self._socket_folder
            settings = _SETTINGS if self._durable else {**_SETTINGS, **_UNSAFE}
            options = f"-h '' -p 5432 -k '{sockets}'"
            options += "".join(f" -c {name}={value}" for name, value in settings.items())
            data = str(seen / "data")
            command = [str(programs / "pg_ctl"), "start", "-w", "-D", data, "-l", f"{data}/start.log"]
            failed, said = run([*command, "-o", options], self._account, descriptor)
        return _last_line(self._data / "start.log", said) if failed else "it does not answer"

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
            raise NoEmbeddedPostgres(f"initdb failed in {unfinished}: {said.strip().splitlines()[-1]}")
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


def _last_line(log: Path, otherwise: str) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else otherwise.splitlines()
    fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return (fatal or lines or ["it does not start"])[-1]
