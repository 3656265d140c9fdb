"""The steps of a release that make a build and bring it to where it runs; each may be run again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from workflows.releases.sources import CURRENT, Failed, current, files, number, package

_TOLD = 12
"""Of a digest, as many characters as a reader compares; what is checked is always all of it."""


def build(source: str, version: str, artifact: str) -> str:
    """Pack package, migrations and licence: the same sources make the same bytes."""
    root, file = Path(source), Path(artifact)
    file.parent.mkdir(parents=True, exist_ok=True)
    name = package(source)
    kept = [
        path for path in files(root) if path.relative_to(root).parts[0] in (name, "migrations", "LICENSE")
    ]
    with zipfile.ZipFile(file, "w") as archive:
        for path in kept:
            archive.writestr(_entry(path.relative_to(root).as_posix()), path.read_bytes())
        archive.writestr(_entry("RELEASE"), f"{name}\n{version}\n")
    return _digest(file)[:_TOLD]


def verify_build(artifact: str, version: str) -> str:
    with zipfile.ZipFile(artifact) as archive:
        if broken := archive.testzip():
            raise Failed(f"{broken} is damaged")
        if archive.read("RELEASE").decode().split()[1] != version:
            raise Failed(f"it is not {version}")
    return _digest(Path(artifact))[:_TOLD]


def integration_tests(artifact: str) -> str:
    """Check the package out of the build, on a database that its migrations make."""
    _selfcheck(artifact)
    return "it works on an empty database"


def performance_test(artifact: str) -> str:
    started = time.perf_counter()
    for _ in range(50):
        _selfcheck(artifact)
    took = (time.perf_counter() - started) * 20
    if took > 100:
        raise Failed(f"{took:.0f} ms a run, at most 100 are allowed")
    return "at most 100 ms a run"


def back_up(database: str, folder: str) -> str:
    """Copy the database beside earlier copies: a second run must not lose the state before a migration."""
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    copy = Path(folder) / f"backup-{len(list(Path(folder).glob('backup-*.db'))) + 1}.db"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy.name


def migrate(artifact: str, digest: str, database: str) -> str:
    """Apply what the database has not seen, each migration with its mark in one transaction."""
    _expect(Path(artifact).read_bytes(), digest)
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as connection:
        done = apply_migrations(connection, artifact)
    return f"applied {', '.join(done) or 'nothing'}"


def deploy(artifact: str, digest: str, version: str, target: str, order: str) -> str:
    """Put exactly the bytes with this digest in place, by one move; `order` is "newer" or "any"."""
    content, folder = Path(artifact).read_bytes(), Path(target)
    _expect(content, digest)
    now = current(folder)
    known = now.get("version") if order == "newer" and now.get("digest") != digest else None
    if known and number(version) <= number(known):
        raise Failed(f"{known} is there, and {version} is not newer")
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / f"{digest}.zip", content)
    about = {"version": version, "digest": digest, "file": f"{digest}.zip"}
    _put(folder / CURRENT, json.dumps(about).encode())
    return f"{version} in place of {now.get('version', 'nothing')}"


def smoke_test(target: str, version: str) -> str:
    now = current(Path(target))
    if now.get("version") != version:
        raise Failed(f"{now.get('version', 'nothing')} is there, not {version}")
    _selfcheck(str(Path(target) / now["file"]))
    return f"{version} answers"


def announce(folder: str, key: str) -> str:
    """Publish the text that comes in, under its key; what is out stays as it is."""
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    file = Path(folder) / f"{name}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        _put(file, sys.stdin.buffer.read())
    return file.name


def apply_migrations(connection: sqlite3.Connection, artifact: str) -> list[str]:
    connection.execute("create table if not exists schema_migrations (name text primary key)")
    done: list[str] = []
    for name, text in migrations(artifact).items():
        connection.execute("begin immediate")
        try:
            seen = connection.execute("select 1 from schema_migrations where name = ?", (name,)).fetchone()
            if not seen:
                for statement in _statements(text):
                    connection.execute(statement)
                connection.execute("insert into schema_migrations values (?)", (name,))
                done.append(name)
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
    return done


def migrations(artifact: str) -> dict[str, str]:
    """Return the migrations of a build by name, in their order."""
    with zipfile.ZipFile(artifact) as archive:
        names = sorted(name for name in archive.namelist() if re.fullmatch(r"migrations/[^/]+\.sql", name))
        return {name.partition("/")[2]: archive.read(name).decode() for name in names}


def _statements(text: str) -> Iterator[str]:
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def _selfcheck(artifact: str) -> None:
    """Import the package from the build itself and let it check itself."""
    with zipfile.ZipFile(artifact) as archive:
        name = archive.read("RELEASE").decode().split()[0]
    sys.path.insert(0, artifact)
    try:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            apply_migrations(connection, artifact)
            connection.isolation_level = "DEFERRED"
            __import__(name).selfcheck(connection)
    finally:
        sys.path.remove(artifact)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry without the time of its making."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    return entry


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _expect(content: bytes, digest: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise Failed(f"the build is {found[:_TOLD]}, not {digest[:_TOLD]} that was approved")


def _put(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(file)
