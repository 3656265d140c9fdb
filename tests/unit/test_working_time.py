from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.approvals.working_time import WorkingTime, public_holidays

WEEKDAYS = frozenset(range(5))
BERLIN = ZoneInfo("Europe/Berlin")


def office(
    zone: str = "Europe/Berlin",
    opens: time = time(9),
    closes: time = time(17),
    days: frozenset[int] = WEEKDAYS,
    holidays: str | None = None,
) -> WorkingTime:
    return WorkingTime(ZoneInfo(zone), opens, closes, days, holidays)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-11-20T16:00", timedelta(days=1), "2026-11-23T16:00"),
        ("2026-11-20T16:00", timedelta(hours=4), "2026-11-23T12:00"),
        ("2026-11-20T16:00", timedelta(hours=1), "2026-11-20T17:00"),
        ("2026-11-20T16:00", timedelta(days=1, hours=2), "2026-11-24T10:00"),
        ("2026-11-20T16:00", timedelta(hours=20), "2026-11-25T12:00"),
        ("2026-11-20T17:00", timedelta(hours=1), "2026-11-23T10:00"),
        ("2026-11-21T03:00", timedelta(hours=8), "2026-11-23T17:00"),
        ("2026-11-23T07:00", timedelta(minutes=30), "2026-11-23T09:30"),
        ("2026-11-23T09:00", timedelta(days=5), "2026-11-30T09:00"),
    ],
)
def test_only_working_hours_count(start, duration, end):
    assert office().add(berlin(start), duration) == berlin(end)


@pytest.mark.parametrize(
    "start",
    ["2026-11-20T17:00", "2026-11-20T21:30", "2026-11-21T03:00", "2026-11-22T23:59", "2026-11-23T08:59"],
)
def test_a_day_from_outside_working_hours_is_the_whole_next_one(start):
    assert office().add(berlin(start), timedelta(days=1)) == berlin("2026-11-23T17:00")
    assert office().add(berlin(start), timedelta(days=5)) == berlin("2026-11-27T17:00")
    assert office().add(berlin(start), timedelta(days=1, hours=2)) == berlin("2026-11-24T11:00")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-20T16:59", "2026-11-23T16:59"),
        ("2026-11-20T17:00", "2026-11-23T17:00"),
        ("2026-11-23T09:00", "2026-11-24T09:00"),
    ],
)
def test_a_day_from_within_working_hours_ends_at_the_same_time_on_the_wall(start, end):
    assert office().add(berlin(start), timedelta(days=1)) == berlin(end)


@pytest.mark.parametrize(
    ("start", "end"), [("2026-03-27T16:00", "2026-03-30T16:00"), ("2026-10-23T16:00", "2026-10-26T16:00")]
)
def test_a_working_day_over_a_clock_change_keeps_the_time_on_the_wall(start, end):
    assert office().add(berlin(start), timedelta(days=1)) == berlin(end)


def test_a_night_shift_loses_the_hour_that_the_clock_skips():
    night = office(opens=time(0), closes=time(6), days=frozenset(range(7)))

    end = night.add(berlin("2026-03-29T00:00"), timedelta(hours=5))

    assert berlin("2026-03-29T06:00") == end


def test_hours_that_the_clock_swallows_whole_are_no_working_day():
    swallowed = office(opens=time(2), closes=time(3), days=frozenset(range(7)))

    end = swallowed.add(berlin("2026-03-28T02:30"), timedelta(days=1))

    assert berlin("2026-03-30T02:30") == end


def test_the_friday_that_samoa_skipped_is_no_working_day():
    apia = ZoneInfo("Pacific/Apia")

    end = office("Pacific/Apia").add(datetime(2011, 12, 29, 10, tzinfo=apia), timedelta(days=1))

    assert datetime(2012, 1, 2, 10, tzinfo=apia) == end


def test_holidays_are_skipped_over_the_turn_of_the_year():
    start = berlin("2026-12-31T16:00")

    assert office(holidays="DE").add(start, timedelta(days=1)) == berlin("2027-01-04T16:00")
    assert office().add(start, timedelta(days=1)) == berlin("2027-01-01T16:00")


def test_a_part_of_a_country_has_holidays_of_its_own():
    assert date(2027, 1, 6) in public_holidays("DE-BY", 2027)
    assert date(2027, 1, 6) not in public_holidays("DE", 2027)


@pytest.mark.parametrize("code", ["XX", "DE-QQ", "de", "", "HolidayBase", "../DE", "DE\nBY"])
def test_an_unknown_holiday_code_is_refused_in_one_line(code):
    with pytest.raises(ValueError, match="no public holidays are known") as refusal:
        public_holidays(code, 2026)

    assert "\n" not in str(refusal.value)


def test_the_core_imports_no_holiday_tables():
    script = "import sys, bot.approvals.sla; sys.exit('holidays' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
starts = st.integers(0, 45 * 365 * 24 * 60).map(
    lambda minutes: datetime(1995, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
durations = st.timedeltas(timedelta(0), timedelta(days=40))
offices = st.builds(
    office,
    zone=st.sampled_from(ZONES),
    opens=st.times(time(0), time(11)),
    closes=st.times(time(12), time(23, 59)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    holidays=st.sampled_from([None, "DE", "US-CA"]),
)


@given(offices, starts, durations)
def test_the_end_is_never_before_the_start_and_always_within_working_hours(office, start, duration):
    end = office.add(start, duration)

    on_the_wall = end.astimezone(office.zone)
    assert end >= start
    assert office.opens <= on_the_wall.time() <= office.closes
    assert on_the_wall.weekday() in office.days
    assert office.holidays is None or on_the_wall.date() not in public_holidays(
        office.holidays, on_the_wall.year
    )


@given(offices, starts, st.timedeltas(timedelta(0), timedelta(hours=23)), durations)
def test_more_work_never_ends_earlier(office, start, less, more):
    shorter, longer = sorted((less, more), key=lambda duration: (office.amount(duration), duration))

    # Whole days keep the time on the wall and hours do not, so they may part by the clock change they cross.
    assert office.add(start, shorter) <= office.add(start, longer) + timedelta(hours=1)


@given(offices, starts, st.integers(0, 30), st.integers(0, 30))
def test_more_days_never_end_earlier(office, start, some, others):
    fewer, more = sorted((some, others))

    assert office.add(start, timedelta(days=fewer)) <= office.add(start, timedelta(days=more))


@given(offices, starts, durations, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_what_starts_later_never_ends_earlier(office, start, duration, later):
    assert office.add(start, duration) <= office.add(start + later, duration) + timedelta(hours=1)
