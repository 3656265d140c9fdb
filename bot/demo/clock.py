"""The demo's one time, so that what its Slack shows is as late as what its database says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.facts.threads import moment


class DemoClock:
    """The wall clock, as far ahead as the database's was when it was last followed."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    async def follow(self, conn: Any) -> None:
        """Take over how far `signoff_now()` is ahead."""
        now: datetime = await moment(conn)
        self._ahead = now - datetime.now(UTC)
