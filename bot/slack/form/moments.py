"""Fields of dates and times, which come back in the writing they had: offset, "Z", or naive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.approvals.formats import as_date, as_moment, as_time
from bot.slack.form.kind import NOTHING, Block, Reply, Unfit, emptied

_EARLIEST, _LATEST = 1_000_000_000, 9_999_999_999
"""Slack's date and time picker takes Unix seconds of exactly ten digits: 2001 to 2286."""


@dataclass(frozen=True)
class Day:
    def holds(self, value: Any) -> bool:
        day = as_date(value)
        return day is not None and 1900 <= day.year <= 2200

    def element(self, now: Any) -> Block:
        return {"type": "datepicker"} if now is NOTHING else {"type": "datepicker", "initial_date": now}

    def answer(self, state: Block, now: Any) -> Any:
        picked = state.get("selected_date")
        if not picked:
            return emptied(now)
        if as_date(picked) is None:
            raise Unfit("Pick a date.")
        return Reply.SAME if picked == now else picked

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - no date is empty
        return False

    def words(self) -> list[str]:
        return []


@dataclass(frozen=True)
class Clock:
    """A time of day. The picker knows minutes: seconds survive only while the time is left as it is."""

    def holds(self, value: Any) -> bool:
        return as_time(value) is not None

    def element(self, now: Any) -> Block:
        return {"type": "timepicker"} if now is NOTHING else {"type": "timepicker", "initial_time": now[:5]}

    def answer(self, state: Block, now: Any) -> Any:
        picked = state.get("selected_time")
        if not picked:
            return emptied(now)
        if as_time(picked) is None or len(picked) != 5:
            raise Unfit("Pick a time.")
        if now is not NOTHING and picked == now[:5]:
            return Reply.SAME
        return f"{picked}:00{'' if now is NOTHING else _offset(now)}"

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - no time is empty
        return False

    def words(self) -> list[str]:
        return []


@dataclass(frozen=True)
class Moment:
    """A date and time. The picker shows it in the reader's own time zone; a naive one is taken as UTC."""

    naive: bool = False

    def holds(self, value: Any) -> bool:
        moment = as_moment(value)
        return moment is not None and _EARLIEST <= _seconds(moment) <= _LATEST

    def element(self, now: Any) -> Block:
        moment = as_moment(now)
        initial = {} if moment is None else {"initial_date_time": _seconds(moment)}
        return {"type": "datetimepicker", **initial}

    def answer(self, state: Block, now: Any) -> Any:
        """Take the picked second; a picker that dropped the seconds of an untouched value changed nothing."""
        picked = state.get("selected_date_time")
        if picked is None:
            return emptied(now)
        if not isinstance(picked, int) or not 0 < picked <= _LATEST:
            raise Unfit("Pick a date and a time.")
        before = as_moment(now)
        if before is not None and picked in (_seconds(before), _seconds(before) // 60 * 60):
            return Reply.SAME
        return _written(picked, now, before)

    def can_be_empty(self, now: Any) -> bool:  # noqa: ARG002 - no moment is empty
        return False

    def words(self) -> list[str]:
        return ["Shown in your time zone, kept as UTC." if self.naive else "Shown in your time zone."]


def _written(seconds: int, now: Any, before: datetime | None) -> str:
    zone = UTC if before is None or before.tzinfo is None else before.tzinfo
    text = datetime.fromtimestamp(seconds, zone).replace(tzinfo=None).isoformat()
    return text + ("Z" if before is None else _offset(now[11:]))


def _offset(time_text: str) -> str:
    """Return the offset as written, behind `HH:MM` and what follows: "Z", "+02:00" or nothing."""
    if time_text[-1] in "Zz":
        return "Z"
    return time_text[-6:] if time_text[-6:-5] in ("+", "-") else ""


def _seconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() // 1)
