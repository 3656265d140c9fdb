from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.approvals.sla import Fallback, Sla, Step, tighten, timetable

BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY_AT_4 = datetime(2026, 11, 20, 16, tzinfo=BERLIN)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

EXPENSE = Sla(
    respond_within=DAY,
    remind_after=[4 * HOUR],
    escalate=[(7 * HOUR, ["@finance-directors"])],
    calendar="business",
    timezone="Europe/Berlin",
    holidays="DE",
)


def monday(hour: int) -> datetime:
    return datetime(2026, 11, 23, hour, tzinfo=BERLIN)


def test_one_business_day_from_friday_at_four_is_monday_at_four():
    assert EXPENSE.due(FRIDAY_AT_4) == monday(16)


def test_the_timetable_lists_all_steps_in_order():
    assert timetable(EXPENSE, FRIDAY_AT_4) == (
        Step(monday(12).astimezone(UTC), "remind", 0),
        Step(monday(15).astimezone(UTC), "escalate", 0, ("@finance-directors",)),
        Step(monday(16).astimezone(UTC), "expire", 0),
    )


def test_at_one_moment_a_reminder_comes_first_and_the_end_last():
    eight_hours_are_a_day = Sla(
        respond_within=DAY,
        remind_after=[8 * HOUR, 8 * HOUR],
        escalate=[(8 * HOUR, ["U123456"]), (8 * HOUR, ["U234567"])],
        calendar="business",
        timezone="Europe/Berlin",
    )

    steps = timetable(eight_hours_are_a_day, FRIDAY_AT_4)

    assert {step.at for step in steps} == {monday(16)}
    assert [(step.kind, step.index) for step in steps] == [
        ("remind", 0),
        ("remind", 1),
        ("escalate", 0),
        ("escalate", 1),
        ("expire", 0),
    ]


def test_a_step_that_a_clock_change_puts_after_the_deadline_is_left_out():
    night = Sla(
        respond_within=DAY,
        remind_after=[7.5 * HOUR],  # of a working day of 8, from which the change takes one
        calendar="business",
        timezone="Europe/Berlin",
        hours=(time(0), time(8)),
        days=("sun", "mon"),
    )

    assert [step.kind for step in timetable(night, datetime(2026, 3, 22, 0, 30, tzinfo=BERLIN))] == [
        "remind",
        "expire",
    ]
    assert [step.kind for step in timetable(night, datetime(2026, 3, 29, 0, 30, tzinfo=BERLIN))] == ["expire"]


def test_without_a_calendar_all_time_counts():
    assert Sla(respond_within=DAY).due(FRIDAY_AT_4) == FRIDAY_AT_4 + DAY


def test_without_a_deadline_nothing_expires():
    assert Sla().due(FRIDAY_AT_4) is None
    assert timetable(Sla(), FRIDAY_AT_4) == ()
    assert [step.kind for step in timetable(Sla(remind_after=[HOUR]), FRIDAY_AT_4)] == ["remind"]


def test_a_start_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        timetable(EXPENSE, FRIDAY_AT_4.replace(tzinfo=None))


def test_an_sla_survives_json():
    assert Sla.model_validate_json(EXPENSE.model_dump_json()) == EXPENSE
    assert EXPENSE.model_dump(mode="json")["remind_after"] == ["PT4H"]
    assert EXPENSE.model_dump(mode="json")["fallback"] == {"kind": "reject", "choice": None}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"respond_within": "-PT1H"}, "longer than nothing"),
        ({"respond_within": "PT0S"}, "longer than nothing"),
        ({"respond_within": "P9999D"}, "at most 1830 days"),
        ({"respond_within": 3600}, "no unit"),
        ({"remind_after": ["PT1H"] * 21}, "at most 20"),
        ({"respond_within": "PT4H", "remind_after": ["PT4H"]}, "remind_after: .* before the deadline"),
        ({"respond_within": "PT4H", "escalate": [["PT5H", ["@ops"]]]}, "escalate: .* before the deadline"),
        ({"respond_within": "P1D", "remind_after": ["PT9H"], "calendar": "business"}, "before the deadline"),
        ({"remind_after": "PT1H"}, "give a list, as in"),
        ({"remind_after": timedelta(hours=1)}, "give a list, as in"),
        ({"escalate": ["PT1H", ["@ops"]]}, "give a list of pairs, as in"),
        ({"escalate": (timedelta(hours=1), ["@ops"])}, "give a list of pairs, as in"),
        ({"escalate": [["PT1H", "@ops"]]}, "give a list, as in"),
        ({"escalate": [["PT1H", []]]}, "at least 1"),
        ({"escalate": [["PT1H", ["@ops"] * 201]]}, "at most 200"),
        ({"escalate": [["PT1H", ["everybody"]]]}, "not a user id"),
        ({"timezone": "Europe/Atlantis"}, "not a time zone"),
        ({"timezone": "../../etc/passwd"}, "not a time zone"),
        ({"holidays": "XX"}, "no public holidays"),
        ({"hours": ["17:00", "09:00"]}, "open before it closes"),
        ({"hours": ["09:00Z", "17:00Z"]}, "local"),
        ({"days": []}, "at least 1"),
        ({"days": ["someday"]}, "mon"),
        ({"calendar": "lunar"}, "business"),
        ({"fallback": {"kind": "choose"}}, "choice"),
        ({"fallback": {"kind": "reject", "choice": "a"}}, "choice"),
        ({"fallback": {"kind": "choose", "choice": ""}}, "at least 1"),
        ({"fallback": {"kind": "choose", "choice": "a" * 101}}, "at most 100"),
        ({"fallback": {"kind": "approve", "unless": "busy"}}, "Extra inputs"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, says):
    with pytest.raises(ValidationError, match=says):
        Sla.model_validate(fields)


def test_other_hours_and_days_can_be_set():
    sunday_to_thursday = Sla(
        respond_within=DAY,
        calendar="business",
        timezone="Asia/Jerusalem",
        hours=(time(8), time(16, 30)),
        days=("sun", "mon", "tue", "wed", "thu"),
    )
    thursday = datetime(2026, 11, 19, 16, tzinfo=ZoneInfo("Asia/Jerusalem"))

    assert sunday_to_thursday.due(thursday) == thursday + 3 * DAY


@pytest.mark.parametrize(
    ("fallback", "runs"),
    [
        (Fallback.reject(), False),
        (Fallback.cancel(), False),
        (Fallback.approve(), True),
        (Fallback.as_drafted(), True),
        (Fallback.choose("a"), True),
    ],
)
def test_a_fallback_says_whether_it_runs_something(fallback, runs):
    assert fallback.runs_something is runs
    assert Fallback.model_validate_json(fallback.model_dump_json()) == fallback


def tightened(base: Sla, wish: Sla) -> Sla:
    tight, refused = tighten(base, wish)
    assert refused == ()
    return tight


def test_a_request_may_ask_for_an_earlier_deadline():
    tight = tightened(EXPENSE, Sla(respond_within=5 * HOUR))

    assert tight.due(FRIDAY_AT_4) == monday(13)
    assert tight.calendar == "business"


def test_an_earlier_deadline_drops_the_steps_that_would_come_after_it():
    tight = tightened(EXPENSE, Sla(respond_within=2 * HOUR))

    assert [step.kind for step in timetable(tight, FRIDAY_AT_4)] == ["expire"]


def test_a_request_adds_reminders_and_takes_none_away():
    assert tightened(EXPENSE, Sla(remind_after=[2 * HOUR])).remind_after == (2 * HOUR, 4 * HOUR)
    assert tightened(EXPENSE, Sla(remind_after=[])).remind_after == EXPENSE.remind_after


def test_no_more_reminders_are_added_than_a_workflow_may_declare():
    hours = [n * HOUR for n in range(1, 25)]
    base = Sla(respond_within=30 * HOUR, remind_after=hours[:12])
    tight = tightened(base, Sla(remind_after=hours[4:]))

    assert tight.remind_after == tuple(hours[:20])
    Sla.model_validate_json(tight.model_dump_json())


def test_a_request_may_set_the_first_deadline():
    assert tightened(Sla(), Sla(respond_within=HOUR)).respond_within == HOUR


def test_no_deadline_in_the_request_inherits_the_workflows():
    assert tightened(EXPENSE, Sla(respond_within=None)) == EXPENSE
    assert tightened(EXPENSE, Sla()) == EXPENSE
    assert tightened(EXPENSE, EXPENSE.model_copy()) == EXPENSE


def test_a_request_may_name_fewer_to_escalate_to_or_later():
    base = Sla(escalate=[(HOUR, ["U111111", "U222222"])])

    assert tightened(base, Sla(escalate=[(2 * HOUR, ["U222222"])])).escalate == ((2 * HOUR, ("U222222",)),)
    assert tightened(base, Sla(escalate=[])).escalate == ()


RUNS = Sla(respond_within=DAY, fallback=Fallback.as_drafted(), escalate=[(HOUR, ["U111111"])])


@pytest.mark.parametrize(
    ("base", "wish", "field"),
    [
        (EXPENSE, Sla(respond_within=timedelta(days=2)), "respond_within"),
        (EXPENSE, Sla(respond_within=9 * HOUR), "respond_within"),
        (EXPENSE, Sla(fallback=Fallback.approve()), "fallback"),
        (RUNS, Sla(fallback=Fallback.choose("a")), "fallback"),
        (EXPENSE, Sla(escalate=[(7 * HOUR, ["U999999"])]), "escalate"),
        (EXPENSE, Sla(escalate=[(HOUR, ["@finance-directors"])]), "escalate"),
        (EXPENSE, Sla(calendar=None), "calendar"),
        (EXPENSE, Sla(timezone="UTC"), "timezone"),
        (EXPENSE, Sla(holidays="US"), "holidays"),
        (EXPENSE, Sla(hours=(time(8), time(9))), "hours"),
        (EXPENSE, Sla(days=("mon",)), "days"),
        (RUNS, Sla(respond_within=2 * HOUR), "respond_within"),
        (RUNS, Sla(escalate=[]), "escalate"),
    ],
)
def test_a_request_may_not_loosen(base, wish, field):
    tight, (refused,) = tighten(base, wish)

    assert tight == base
    assert refused.startswith(f"sla.{field}: ")
    assert "\n" not in refused


def test_what_runs_unanswered_may_come_to_nothing_sooner():
    tight = tightened(RUNS, Sla(respond_within=2 * HOUR, fallback=Fallback.cancel()))

    assert (tight.respond_within, tight.fallback) == (2 * HOUR, Fallback.cancel())


durations = st.timedeltas(timedelta(seconds=1), timedelta(days=10))


@given(
    deadline=durations,
    wished=durations,
    reminders=st.lists(durations, max_size=5),
    calendar=st.sampled_from([None, "business"]),
    start=st.integers(0, 10 * 365 * 24 * 60).map(lambda minutes: FRIDAY_AT_4 + timedelta(minutes=minutes)),
)
def test_a_tightened_sla_never_ends_later_and_stays_valid(deadline, wished, reminders, calendar, start):
    base = Sla(respond_within=deadline, calendar=calendar)
    tight, _ = tighten(base, Sla(respond_within=wished))
    tight = tightened(tight, Sla(remind_after=reminders))

    steps = timetable(tight, start)
    assert Sla.model_validate_json(tight.model_dump_json()) == tight
    assert start <= steps[-1].at <= timetable(base, start)[-1].at
    assert steps[-1].kind == "expire"
    assert [step.at for step in steps] == sorted(step.at for step in steps)
