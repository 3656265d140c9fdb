"""A Postgres of our own in a folder, shared by every process that wants it, for machines that have none."""

from __future__ import annotations

import atexit
import fcntl
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bot.postgres.account import ROOTS_HOME, NoEmbeddedPostgres
from bot.postgres.cluster import Cluster


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

    def __init__(self, cluster: Cluster, share: int) -> None:
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

    def has_gone(self) -> bool:
        """Say at once whether nobody listens any more where the server did."""
        return not self._cluster.listens()

    def revive(self) -> bool:
        """Start the server again where it died by itself; False where it runs, or somebody stopped it.

        It blocks as `start` does, and raises NoEmbeddedPostgres.
        """
        try:
            with self._cluster.locked():
                if not self.has_gone() or self._cluster.was_stopped():
                    return False
                self._cluster.start()
        except OSError as error:
            raise NoEmbeddedPostgres(f"{error.strerror}: {error.filename or 'its folder'}") from error
        return True

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
        cluster = Cluster(directory.expanduser().resolve(), durable=durable)
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
    cluster = Cluster(directory)
    with cluster.locked():
        return cluster.stop()
