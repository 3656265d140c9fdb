"""Working time: how long a duration lasts when only the hours that people work count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_COUNTRY = re.compile(r"[A-Z]{2,3}(-\w{1,10})?")


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """The hours that count: from `opens` to `closes` by the clock on the wall of `zone`.

    They count on the weekdays of `days` (Monday is 0), but not on the public holidays of `holidays`, a code
    such as "DE" or "DE-BY".
    """

    zone: ZoneInfo
    opens: time
    closes: time
    days: frozenset[int]
    holidays: str | None = None

    @property
    def day_length(self) -> timedelta:
        """How long an ordinary working day is; the days of a clock change may differ."""
        return datetime.combine(date.min, self.closes) - datetime.combine(date.min, self.opens)

    def amount(self, duration: timedelta) -> timedelta:
        """Return the working time in a duration: whole days are working days, the rest is work."""
        return duration.days * self.day_length + (duration - timedelta(days=duration.days))

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """Return when `duration` has passed, in UTC.

        Whole days go by the calendar, to the same time on the wall; what remains is time at work, so 4 hours
        on a Friday at 16:00 end on Monday at 12:00. What comes in outside working hours has whole days from
        opening to closing: a day from Friday evening, the weekend or early Monday ends on Monday at 17:00.
        """
        at = self._add_days(start.astimezone(UTC), duration.days)
        return self._add_work(at, duration - timedelta(days=duration.days))

    def _add_days(self, at: datetime, days: int) -> datetime:
        if days == 0:
            return at
        spells = (spell for spell in self._spells(self._local_date(at)) if at < spell[1])
        opening, closing = next(spells)
        outside = at < opening
        for _ in range(days - 1 if outside else days):
            opening, closing = next(spells)
        if outside:
            return closing
        on_the_wall = at.astimezone(self.zone).time()
        return min(max(self._instant(self._local_date(opening), on_the_wall), opening), closing)

    def _add_work(self, at: datetime, left: timedelta) -> datetime:
        for opening, closing in self._spells(self._local_date(at)):
            begin = max(at, opening)
            if left <= closing - begin:
                return begin + left
            left -= max(closing - begin, timedelta(0))
        raise AssertionError  # pragma: no cover  # the spells never end

    def _spells(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield opening and closing of each working day from `day` on, in UTC."""
        while True:
            opening, closing = self._instant(day, self.opens), self._instant(day, self.closes)
            # A change of the clocks can swallow the hours, and once (Samoa, 2011) swallowed a whole day.
            exists = opening < closing and self._local_date(opening) == day
            if exists and day.weekday() in self.days and not self._is_holiday(day):
                yield opening, closing
            day += _DAY

    def _is_holiday(self, day: date) -> bool:
        return self.holidays is not None and day in public_holidays(self.holidays, day.year)

    def _local_date(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _instant(self, day: date, on_the_wall: time) -> datetime:
        return datetime.combine(day, on_the_wall, tzinfo=self.zone).astimezone(UTC)


@lru_cache(maxsize=1000)
def public_holidays(code: str, year: int) -> frozenset[date]:
    """Return the public holidays of a country ("DE") or a part of one ("DE-BY") in a year.

    Raises ValueError, in one line, for a code that the `holidays` package does not know.
    """
    unknown = f"no public holidays are known for {code!r}: use a country code such as DE, or DE-BY for a part"
    if not _COUNTRY.fullmatch(code):
        raise ValueError(unknown)
    from holidays import country_holidays  # slow to import, and most never need it

    country, _, part = code.partition("-")
    try:
        return frozenset(country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError:
        raise ValueError(unknown) from None
