"""What a test or a person at the page made go wrong, and for how many calls."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal["ratelimited", "server_error", "dropped", "posted_but_dropped"]
"""429; 500; the connection dies before the effect; the effect happens and the connection dies."""

EVERY_METHOD = "*"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with one call; `retry_after` in seconds, for `ratelimited`."""

    kind: FaultKind
    retry_after: int = 1


class Faults:
    """Faults that wait for their call; `down` drops everything, `lost_acks` counts answers to ignore."""

    def __init__(self) -> None:
        self.down = False
        self.lost_acks = 0
        self._waiting: dict[str, deque[Fault]] = {}

    def add(self, method: str, kind: FaultKind, *, times: int = 1, retry_after: int = 1) -> None:
        """Make the next `times` calls of `method` ("*" for any) go wrong in this way."""
        if kind not in get_args(FaultKind):
            raise ValueError(f"no such fault: {kind}")
        self._waiting.setdefault(method, deque()).extend([Fault(kind, retry_after)] * times)

    def take(self, method: str) -> Fault | None:
        """The fault that is due for a call of this method, if any; it is spent."""
        if self.down:
            return Fault("dropped")
        for name in (method, EVERY_METHOD):
            if waiting := self._waiting.get(name):
                return waiting.popleft()
        return None

    def lose_ack(self) -> bool:
        """Whether the ack at hand is to be ignored."""
        if self.lost_acks == 0:
            return False
        self.lost_acks -= 1
        return True

    def clear(self) -> None:
        self.down, self.lost_acks = False, 0
        self._waiting.clear()
