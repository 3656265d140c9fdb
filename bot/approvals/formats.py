"""JSON Schema's formats, as far as people are asked for them; every pattern here runs in linear time."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Any

from jsonschema import FormatChecker

_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?"
_DATE = re.compile(_DAY, re.ASCII)
_TIME = re.compile(_CLOCK, re.ASCII)
_MOMENT = re.compile(rf"{_DAY}[Tt ]{_CLOCK}", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_DURATION = re.compile(
    r"[-+]?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII
)

WORDS = {
    "date": "A date, such as 2026-11-20.",
    "time": "A time, such as 16:30:00.",
    "date-time": "A date and time, such as 2026-11-20T16:30:00Z.",
    "duration": "An ISO 8601 duration, such as PT4H or P1DT12H.",
    "uuid": "A UUID, such as 123e4567-e89b-12d3-a456-426614174000.",
    "email": "An email address, such as name@example.com.",
    "uri": "A full address, such as https://example.com/page.",
}


def as_date(text: Any) -> date | None:
    """Read `YYYY-MM-DD`."""
    return _parsed(date.fromisoformat, text) if _matches(_DATE, text) else None


def as_time(text: Any) -> time | None:
    """Read `HH:MM` with optional seconds and offset; pydantic writes times without an offset."""
    return _parsed(time.fromisoformat, text.upper()) if _matches(_TIME, text) else None


def as_moment(text: Any) -> datetime | None:
    """Read RFC 3339, and the same without an offset, as pydantic writes naive datetimes; those stay naive."""
    return _parsed(datetime.fromisoformat, text.upper()) if _matches(_MOMENT, text) else None


def is_email(text: Any) -> bool:
    return _matches(_EMAIL, text)


def is_uri(text: Any) -> bool:
    return _matches(_URI, text)


def format_checker() -> FormatChecker:
    """Return a checker of our formats alone: jsonschema's own depend on which extras are installed."""
    tests = {
        "date": lambda text: as_date(text) is not None,
        "time": lambda text: as_time(text) is not None,
        "date-time": lambda text: as_moment(text) is not None,
        "duration": lambda text: _matches(_DURATION, text),
        "uuid": lambda text: _matches(_UUID, text),
        "email": is_email,
        "uri": is_uri,
    }
    checker = FormatChecker(formats=())
    for name, test in tests.items():
        checker.checks(name)(_of_text(test))
    return checker


def _of_text(test: Any) -> Any:
    return lambda value: not isinstance(value, str) or test(value)


def _matches(pattern: re.Pattern[str], text: Any) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _parsed(parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        return None
