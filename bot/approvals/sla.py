"""By when an approval is wanted: deadline, reminders, escalation, calendar, and what happens at the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bot.approvals.policy import Approvers, listed
from bot.approvals.working_time import WorkingTime, public_holidays

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
StepKind = Literal["remind", "escalate", "expire"]

_WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ORDER: dict[StepKind, int] = {"remind": 0, "escalate": 1, "expire": 2}
_CALENDAR_FIELDS = ("calendar", "timezone", "holidays", "hours", "days")
_TIMES = ("respond_within", "remind_after", "escalate")
_LONGEST = timedelta(days=1830)
_MOST_STEPS = 20


def _spelled_out(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError('a bare number has no unit: write a duration such as "PT4H"')  # noqa: TRY004
    return value


def _in_pairs(value: Any) -> Any:
    if isinstance(value, list | tuple) and value and isinstance(value[0], str | timedelta):
        raise ValueError('give a list of pairs, as in [(timedelta(hours=6), ["@finance-directors"])]')
    return value


def _positive(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= _LONGEST:
        raise ValueError(f"a duration must be longer than nothing and at most {_LONGEST.days} days")
    return value


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: use a name such as Europe/Berlin") from None
    return name


def _known_holidays(code: str) -> str:
    public_holidays(code, 2026)
    return code


def _on_the_wall(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("working hours are local: write 09:00 and name the zone in `timezone`")
    return value


Duration = Annotated[timedelta, BeforeValidator(_spelled_out), AfterValidator(_positive)]
Added = Annotated[Approvers, Field(min_length=1)]
LocalTime = Annotated[time, AfterValidator(_on_the_wall)]
Zone = Annotated[str, AfterValidator(_known_zone)]


class Fallback(BaseModel):
    """What happens to an approval that nobody decided in time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["reject", "approve", "choose", "as_drafted", "cancel"]
    choice: str | None = Field(default=None, min_length=1, max_length=100)

    @model_validator(mode="after")
    def _choice_belongs_to_choose(self) -> Self:
        if (self.kind == "choose") != (self.choice is not None):
            raise ValueError("a fallback has a choice exactly when its kind is choose")
        return self

    @property
    def runs_something(self) -> bool:
        """Whether the workflow goes on to do what was asked, without anybody's yes."""
        return self.kind in ("approve", "choose", "as_drafted")

    @classmethod
    def reject(cls) -> Fallback:
        return cls(kind="reject")

    @classmethod
    def approve(cls) -> Fallback:
        return cls(kind="approve")

    @classmethod
    def choose(cls, choice: str) -> Fallback:
        return cls(kind="choose", choice=choice)

    @classmethod
    def as_drafted(cls) -> Fallback:
        return cls(kind="as_drafted")

    @classmethod
    def cancel(cls) -> Fallback:
        return cls(kind="cancel")


class Sla(BaseModel):
    """By when an answer is wanted, counted from the delivery of the card.

    Durations are time that passes, unless `calendar` is "business": then a whole day is a working day (to
    the same time on the wall) and the rest is time at work, so 4 hours from Friday 16:00 end on Monday at
    12:00. `hours` and `days` say when people work, in `timezone`; `holidays` ("DE", "DE-BY") are free.
    Without `respond_within` there is no deadline, and the fallback is never used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    respond_within: Duration | None = None
    remind_after: Annotated[
        Sequence[Duration],
        Field(max_length=_MOST_STEPS),
        AfterValidator(tuple),
        listed("[timedelta(hours=4)]"),
    ] = ()
    escalate: Annotated[
        Sequence[tuple[Duration, Added]],
        Field(max_length=_MOST_STEPS),
        AfterValidator(tuple),
        BeforeValidator(_in_pairs),
    ] = ()
    calendar: Literal["business"] | None = None
    timezone: Zone = "UTC"
    holidays: Annotated[str, AfterValidator(_known_holidays)] | None = None
    hours: tuple[LocalTime, LocalTime] = (time(9), time(17))
    days: tuple[Weekday, ...] = Field(default=("mon", "tue", "wed", "thu", "fri"), min_length=1, max_length=7)
    fallback: Fallback = Fallback(kind="reject")

    @model_validator(mode="after")
    def _hours_are_a_day(self) -> Self:
        if self.hours[0] >= self.hours[1]:
            raise ValueError("hours: the working day must open before it closes")
        return self

    @model_validator(mode="after")
    def _steps_come_before_the_deadline(self) -> Self:
        for name, after in (
            *(("remind_after", after) for after in self.remind_after),
            *(("escalate", after) for after, _ in self.escalate),
        ):
            if not self.ends_before_deadline(after):
                raise ValueError(f"{name}: a step after {after} would not come before the deadline")
        return self

    @property
    def working_time(self) -> WorkingTime | None:
        """The calendar that durations are counted in; None counts all time."""
        if self.calendar is None:
            return None
        days = frozenset(_WEEK.index(day) for day in self.days)
        return WorkingTime(ZoneInfo(self.timezone), *self.hours, days, self.holidays)

    def length(self, duration: timedelta) -> tuple[timedelta, timedelta]:
        """Return what puts durations in the order in which they end.

        In business time 9 hours are longer than a day (of 8); equal amounts of work end no later without a
        whole day, which carries a morning's deadline to the next morning and not to the evening before.
        """
        calendar = self.working_time
        return (calendar.amount(duration) if calendar else duration), duration

    def ends_before_deadline(self, duration: timedelta) -> bool:
        return self.respond_within is None or self.length(duration) < self.length(self.respond_within)

    def after(self, start: datetime, duration: timedelta) -> datetime:
        """Return when `duration` from `start` (aware) has passed by this calendar, in UTC."""
        if start.tzinfo is None:
            raise ValueError("the start of an SLA must have a time zone")
        calendar = self.working_time
        return calendar.add(start, duration) if calendar else start.astimezone(UTC) + duration

    def due(self, start: datetime) -> datetime | None:
        """Return the deadline in UTC of what was delivered at `start`; None where there is none."""
        return None if self.respond_within is None else self.after(start, self.respond_within)


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do at a time (UTC): `index` counts the reminders or escalations as they were declared."""

    at: datetime
    kind: StepKind
    index: int
    approvers: tuple[str, ...] = ()


def timetable(sla: Sla, start: datetime) -> tuple[Step, ...]:
    """Return all that the clock has to do for what was delivered at `start` (aware), earliest first.

    At the same moment a reminder comes before an escalation, and both before the end.
    """
    steps = [Step(sla.after(start, after), "remind", n) for n, after in enumerate(sla.remind_after)]
    for n, (after, approvers) in enumerate(sla.escalate):
        steps.append(Step(sla.after(start, after), "escalate", n, tuple(approvers)))
    due = sla.due(start)
    if due is not None:
        # On a day with a clock change a step can come out after its deadline; it is of no use there.
        steps = [*(step for step in steps if step.at <= due), Step(due, "expire", 0)]
    return tuple(sorted(steps, key=lambda step: (step.at, _ORDER[step.kind], step.index)))


def tighten(base: Sla, wish: Sla) -> tuple[Sla, tuple[str, ...]]:
    """Apply what a request asks beyond its workflow's SLA, field by field, where that is stricter.

    Returns the SLA in force and one line for each field that was refused. Only fields that the wish sets
    count. Reminders are added to the workflow's. Where the fallback runs something, an earlier deadline or
    fewer escalations would run it with fewer eyes on it: then the wish must also ask for one that runs
    nothing.
    """
    changed = _changed(base, wish)
    refused = _loosening(base, wish, changed)
    in_force = {name: getattr(wish, name) for name in changed if name not in refused}
    fallback = in_force.get("fallback", base.fallback)
    if fallback.runs_something:
        for name in [name for name in ("respond_within", "escalate") if name in in_force]:
            refused[name] = "to change it, ask for a fallback that runs nothing, too"
            del in_force[name]
    reminders = in_force.pop("remind_after", ())
    tight = base.model_copy(update=in_force)
    steps = {
        "remind_after": _more_reminders(tight, reminders),
        "escalate": tuple(step for step in tight.escalate if tight.ends_before_deadline(step[0])),
    }
    lines = tuple(f"sla.{name}: {refused[name]}; the workflow's stays in force" for name in refused)
    return tight.model_copy(update=steps), lines


def _changed(base: Sla, wish: Sla) -> tuple[str, ...]:
    asked = [name for name in Sla.model_fields if name in wish.model_fields_set]
    if wish.respond_within is None and "respond_within" in asked:
        asked.remove("respond_within")
    return tuple(name for name in asked if getattr(wish, name) != getattr(base, name))


def _loosening(base: Sla, wish: Sla, changed: Collection[str]) -> dict[str, str]:
    """Return why each field that may not change so is refused."""
    why = {
        name: "a request may not change its workflow's calendar"
        for name in _CALENDAR_FIELDS
        if name in changed
    }
    if why:
        why |= {name: "it is meant for another calendar" for name in _TIMES if name in changed}
    if "fallback" in changed and wish.fallback.runs_something:
        why["fallback"] = f"{wish.fallback.kind} would run what nobody answered"
    if "respond_within" in changed and _ends_later(base, wish):
        why.setdefault("respond_within", "a request may only ask for an earlier deadline")
    if "escalate" in changed and _escalates_more(base, wish):
        why.setdefault("escalate", "a request may not add approvers, nor add them earlier")
    return why


def _ends_later(base: Sla, wish: Sla) -> bool:
    asked, given = wish.respond_within, base.respond_within
    return asked is not None and given is not None and base.length(asked) > base.length(given)


def _escalates_more(base: Sla, wish: Sla) -> bool:
    for after, approvers in wish.escalate:
        by_then = {
            name for at, names in base.escalate if base.length(at) <= base.length(after) for name in names
        }
        if not by_then.issuperset(approvers):
            return True
    return False


def _more_reminders(tight: Sla, wished: Sequence[timedelta]) -> tuple[timedelta, ...]:
    reminders = dict.fromkeys((*tight.remind_after, *wished))
    return tuple(sorted(filter(tight.ends_before_deadline, reminders), key=tight.length))[:_MOST_STEPS]
