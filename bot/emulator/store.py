"""What survives a restart: documents written through to one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bot.emulator.workspace import Json


class Store(Protocol):
    """Documents by kind and key, read back in the order of their keys."""

    def put(self, kind: str, key: str, document: Json) -> None: ...
    def delete(self, kind: str, key: str) -> None: ...
    def load(self, kind: str) -> Iterator[tuple[str, Json]]: ...
    def close(self) -> None: ...


class Forgetful:
    """Keeps nothing: the state lives in memory alone."""

    def put(self, kind: str, key: str, document: Json) -> None: ...

    def delete(self, kind: str, key: str) -> None: ...

    def load(self, kind: str) -> Iterator[tuple[str, Json]]:
        del kind
        return iter(())

    def close(self) -> None: ...


class SqliteStore:
    """One row a document, committed as it is put: a killed process loses nothing (a power cut may)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS documents"
            " (kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    def put(self, kind: str, key: str, document: Json) -> None:
        self._db.execute(
            "INSERT INTO documents VALUES (?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            (kind, key, json.dumps(document, separators=(",", ":"))),
        )

    def delete(self, kind: str, key: str) -> None:
        self._db.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def load(self, kind: str) -> Iterator[tuple[str, Json]]:
        rows = self._db.execute("SELECT key, body FROM documents WHERE kind = ? ORDER BY key", (kind,))
        return ((key, json.loads(body)) for key, body in rows.fetchall())

    def close(self) -> None:
        self._db.close()
