"""One channel's messages, in order, with their threads."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from bot.emulator.workspace import Channel, Json


class Conversation:
    """Messages by `ts` (Slack's "seconds.micros" string, unique in a channel); look-ups stay cheap."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.messages: dict[str, Json] = {}
        self._order: list[str] = []
        self._threads: dict[str, list[str]] = {}

    def add(self, message: Json) -> None:
        ts = message["ts"]
        self.messages[ts] = message
        _append(self._order, ts)
        if parent := message.get("thread_ts"):
            _append(self._threads.setdefault(parent, []), ts)

    def remove(self, ts: str) -> Json:
        message = self.messages.pop(ts)
        self._order.remove(ts)
        if parent := message.get("thread_ts"):
            self._threads[parent].remove(ts)
        return message

    def replies(self, thread_ts: str) -> list[Json]:
        """The replies of a thread, oldest first, without its parent."""
        return [self.messages[ts] for ts in self._threads.get(thread_ts, []) if ts != thread_ts]

    def newest_first(self, oldest: str = "", latest: str = "", *, inclusive: bool = False) -> Iterator[Json]:
        """The channel's own messages (no replies, but broadcast ones) between two timestamps."""
        low, high = _bounds(self._order, oldest, latest, inclusive=inclusive)
        for at in range(high - 1, low - 1, -1):
            message = self.messages[self._order[at]]
            if is_top_level(message):
                yield message

    def count_after(self, ts: str) -> int:
        return len(self._order) - bisect_right(self._order, ts)

    def last_ts(self) -> str:
        return self._order[-1] if self._order else ""


def is_top_level(message: Json) -> bool:
    """Whether the message stands in the channel itself, not only in a thread."""
    thread_ts = message.get("thread_ts")
    return thread_ts in {None, message["ts"]} or message.get("subtype") == "thread_broadcast"


def _append(order: list[str], ts: str) -> None:
    if not order or ts > order[-1]:
        order.append(ts)
    else:
        insort(order, ts)


def _bounds(order: list[str], oldest: str, latest: str, *, inclusive: bool) -> tuple[int, int]:
    left, right = (bisect_left, bisect_right) if inclusive else (bisect_right, bisect_left)
    low = left(order, _stamp(oldest)) if oldest else 0
    high = right(order, _stamp(latest)) if latest else len(order)
    return low, high


def _stamp(text: str) -> str:
    """A bound as a full timestamp, since apps also send "1700000000" or fewer decimals."""
    seconds, _, micros = text.partition(".")
    return f"{seconds}.{micros[:6]:0<6}"
