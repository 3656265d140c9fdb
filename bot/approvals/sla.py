"""By when an approval is wanted: deadline, reminders, escalation, calendar, and what happens at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bot.approvals.errors import SignoffError
from bot.approvals.policy import Approvers
from bot.approvals.working_time import WorkingTime, public_holidays

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
StepKind = Literal["remind", "escalate", "expire"]

_WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ORDER: dict[StepKind, int] = {"remind": 0, "escalate": 1, "expire": 2}
_CALENDAR_FIELDS = ("calendar", "timezone", "holidays", "hours", "days")
_LONGEST = timedelta(days=1830)
_MOST_STEPS = 20


class Loosens(SignoffError, ValueError):
    """A request asked for more time or a laxer end than its workflow's SLA allows."""


def _spelled_out(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError('a bare number has no unit: write a duration such as "PT4H"')  # noqa: TRY004
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
    remind_after: Annotated[Sequence[Duration], Field(max_length=_MOST_STEPS), AfterValidator(tuple)] = ()
    escalate: Annotated[
        Sequence[tuple[Duration, Added]], Field(max_length=_MOST_STEPS), AfterValidator(tuple)
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


def tighten(base: Sla, wish: Sla) -> Sla:
    """Return the workflow's SLA `base` with what a request wishes, which may only be stricter.

    Only fields that the wish sets count. Reminders are added to the workflow's. Raises Loosens, naming the
    field. Where the fallback runs something, an earlier deadline or fewer escalations would run it with
    fewer eyes on it: then the wish must also ask for a fallback that runs nothing.
    """
    asked = wish.model_fields_set
    changed = {name for name in asked if getattr(wish, name) != getattr(base, name)}
    for name in _CALENDAR_FIELDS:
        if name in changed:
            raise Loosens(f"sla.{name}: a request may not change its workflow's calendar")
    fallback = _tightened_fallback(wish) if "fallback" in changed else base.fallback
    deadline = _tightened_deadline(base, wish) if "respond_within" in changed else base.respond_within
    escalate = _tightened_escalation(base, wish) if "escalate" in changed else base.escalate
    if fallback.runs_something and (deadline, escalate) != (base.respond_within, base.escalate):
        raise Loosens(f"sla.fallback: to change the deadline or escalation, replace {fallback.kind} too")
    tight = base.model_copy(update={"fallback": fallback, "respond_within": deadline})
    return tight.model_copy(
        update={
            "remind_after": _more_reminders(tight, wish),
            "escalate": tuple(step for step in escalate if tight.ends_before_deadline(step[0])),
        }
    )


def _tightened_fallback(wish: Sla) -> Fallback:
    if wish.fallback.runs_something:
        raise Loosens(f"sla.fallback: {wish.fallback.kind} would run what nobody answered")
    return wish.fallback


def _tightened_deadline(base: Sla, wish: Sla) -> timedelta | None:
    asked, given = wish.respond_within, base.respond_within
    if asked is None:
        return given
    if given is not None and base.length(asked) > base.length(given):
        raise Loosens("sla.respond_within: a request may only ask for an earlier deadline")
    return asked


def _tightened_escalation(base: Sla, wish: Sla) -> Sequence[tuple[timedelta, Sequence[str]]]:
    for after, approvers in wish.escalate:
        by_then = {
            name for at, names in base.escalate if base.length(at) <= base.length(after) for name in names
        }
        if not by_then.issuperset(approvers):
            raise Loosens("sla.escalate: a request may not add approvers, nor add them earlier")
    return wish.escalate


def _more_reminders(tight: Sla, wish: Sla) -> tuple[timedelta, ...]:
    reminders = dict.fromkeys((*tight.remind_after, *wish.remind_after))
    return tuple(sorted(filter(tight.ends_before_deadline, reminders), key=tight.length))[:_MOST_STEPS]
