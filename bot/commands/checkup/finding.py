"""One thing that the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "note", "problem"]
"""A note is worth knowing; a problem keeps something from working."""


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and how to mend it."""

    part: str
    grade: Grade
    said: str
    mend: str = ""


def fine(part: str, said: str) -> Finding:
    return Finding(part, "ok", said)


def note(part: str, said: str, mend: str = "") -> Finding:
    return Finding(part, "note", said, mend)


def problem(part: str, said: str, mend: str) -> Finding:
    return Finding(part, "problem", said, mend)
