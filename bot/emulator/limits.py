"""Slack's rates, as token buckets on the emulator's clock."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

POSTS_PER_SECOND = 1.0
POST_BURST = 3


@dataclass
class Bucket:
    """Fills at `rate` tokens a second up to `size`; a call takes one."""

    rate: float
    size: float
    tokens: float
    since: float

    def take(self, now: float) -> int:
        """0 when the call may go, otherwise whole seconds to wait."""
        self.tokens = min(self.size, self.tokens + max(0.0, now - self.since) * self.rate)
        self.since = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0
        return max(1, ceil((1 - self.tokens) / self.rate))


class Limits:
    """One bucket a method, and for posting one a channel (about one a second, with short bursts)."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def wait(self, method: str, per_minute: int | None, channel: str, now: float) -> int:
        """Seconds until this call may be made; 0 where it may be made at once."""
        if not self.enabled:
            return 0
        if method == "chat.postMessage":
            return self._bucket((method, channel), POSTS_PER_SECOND, POST_BURST, now).take(now)
        if per_minute is None:
            return 0
        return self._bucket((method, ""), per_minute / 60, per_minute, now).take(now)

    def _bucket(self, key: tuple[str, str], rate: float, size: float, now: float) -> Bucket:
        return self._buckets.setdefault(key, Bucket(rate, size, size, now))
