"""Ways to move the demo's clock."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

HOME = ZoneInfo("Europe/Berlin")
"""Where the demo's people keep office hours."""

MOVES: dict[str, tuple[str, timedelta]] = {
    "plus-15m": ("+15 min", timedelta(minutes=15)),
    "plus-1h": ("+1 hour", timedelta(hours=1)),
    "plus-4h": ("+4 hours", timedelta(hours=4)),
}

NEXT_DAY = "next-working-day"
NEXT_DAY_LABEL = "Next working day"


def next_working_day(now: datetime) -> datetime:
    """Return nine o'clock of the next Monday to Friday after `now`; holidays are the SLA's affair."""
    local = now.astimezone(HOME)
    day = local.date()
    while True:
        morning = datetime.combine(day, time(9), HOME)
        if morning > local and day.weekday() < 5:
            return morning
        day += timedelta(days=1)
