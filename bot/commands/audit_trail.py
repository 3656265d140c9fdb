"""The proof that an audit trail was not altered: each line's hash covers the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Head = tuple[int, str]
"""The number and the hash of a chain's last line."""


@dataclass(frozen=True)
class Entry:
    """One line of a chain; `body` is kept as text, since the hash is over its bytes."""

    chain: str
    n: int
    body: str
    hash: str


@dataclass(frozen=True)
class Fault:
    """The first place where a chain is not what was written."""

    chain: str
    n: int
    why: str


class Proof:
    """Reads lines in the order of (chain, n), each with its chain's head, and keeps the faults alone."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        """The first of each chain, as far as it is read."""
        self.lines = 0
        self.chains = 0
        self._last: Entry | None = None
        self._head: Head | None = None
        self._read = 0
        self._faulty = False

    def read(self, entry: Entry, head: Head | None) -> None:
        """Take the next line; `head` is what its chain should end with."""
        if self._last is None or self._last.chain != entry.chain:
            self.end()
            self.chains += 1
            self._last, self._head, self._read, self._faulty = None, head, 0, False
        self.lines += 1
        self._read += 1
        self._note(_check(entry, self._read, self._last.hash if self._last else ""))
        self._last = entry

    def end(self) -> None:
        """Say that the chain at hand has no further line."""
        if self._last is None:
            return
        chain, n = self._last.chain, self._read
        if self._head is None:
            self._note(Fault(chain, n, f"chain {chain}: its head is gone"))
        elif self._head != (n, self._last.hash):
            why = f"chain {chain}: ends at line {n}, and its head says {self._head[0]}"
            self._note(Fault(chain, n + 1, why))

    def gone(self, chain: str, n: int) -> None:
        """Note a chain of which no line is left; its head says that it had `n`, or is gone as well (0)."""
        self.chains += 1
        self.faults.append(Fault(chain, 1, f"chain {chain}: all {n or 'its'} lines are gone"))

    def _note(self, fault: Fault | None) -> None:
        if fault is not None and not self._faulty:
            self._faulty = True
            self.faults.append(fault)


def parsed(body: str) -> Any:
    """Return a line's JSON; the text that stands there where it was altered beyond recognition."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body


def faults(entries: Iterable[Entry], heads: Mapping[str, Head]) -> list[Fault]:
    """Return the first fault of each chain; `entries` come in the order of (chain, n).

    A chain whose end was cut off, or all of it, is told by its head; (0, "") is one that should be there.
    """
    proof, unseen = Proof(), dict(heads)
    for entry in entries:
        unseen.pop(entry.chain, None)
        proof.read(entry, heads.get(entry.chain))
    proof.end()
    for chain, (n, _) in unseen.items():
        proof.gone(chain, n)
    return proof.faults


def _check(entry: Entry, n: int, previous: str) -> Fault | None:
    if entry.n != n:
        return Fault(entry.chain, n, f"chain {entry.chain}: line {n} is missing")
    if hashlib.sha256((previous + entry.body).encode()).hexdigest() != entry.hash:
        return Fault(entry.chain, n, f"chain {entry.chain}: line {n} was altered")
    match parsed(entry.body):
        case {"chain": entry.chain, "n": entry.n}:
            return None
        case _:  # each hash of a whole chain is right wherever it is put
            return Fault(entry.chain, n, f"chain {entry.chain}: line {n} was written elsewhere")
