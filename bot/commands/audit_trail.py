"""The proof that an audit trail was not altered: each line's hash covers the one before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

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


def faults(entries: Iterable[Entry], heads: Mapping[str, Head]) -> Iterator[Fault]:
    """Yield the first fault of each chain; `entries` come in the order of (chain, n).

    A chain whose end was cut off, or all of it, is told by its head.
    """
    unseen = dict(heads)
    for chain, lines in groupby(entries, key=lambda entry: entry.chain):
        fault = _first(chain, lines, unseen.pop(chain, None))
        if fault is not None:
            yield fault
    for chain, (n, _) in unseen.items():
        if n > 0:
            yield Fault(chain, 1, f"chain {chain}: all {n} lines are gone")


def _first(chain: str, lines: Iterable[Entry], head: Head | None) -> Fault | None:
    found: Fault | None = None
    n, previous = 0, ""
    for entry in lines:
        n += 1
        if found is None:
            found = _check(entry, n, previous)
        previous = entry.hash
    if found is None and head is None:
        return Fault(chain, n, f"chain {chain}: its head is gone")
    if found is None and head != (n, previous):
        return Fault(chain, n + 1, f"chain {chain}: ends at line {n}, and its head says {head and head[0]}")
    return found


def _check(entry: Entry, n: int, previous: str) -> Fault | None:
    if entry.n != n:
        return Fault(entry.chain, n, f"chain {entry.chain}: line {n} is missing")
    if hashlib.sha256((previous + entry.body).encode()).hexdigest() != entry.hash:
        return Fault(entry.chain, n, f"chain {entry.chain}: line {n} was altered")
    return None
