"""The ops channel's summary: what expired and which fallback ran, what is about to, and what needs a hand."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Topic = Literal["expired", "due", "stuck", "orphaned", "undeliverable", "held"]

TOPICS: tuple[Topic, ...] = ("undeliverable", "orphaned", "stuck", "held", "expired", "due")
"""In the order in which ops should read them: what needs a hand first."""


class Line(BaseModel):
    """One thing the digest tells. `note` says what happened or is wrong, in a line; `command` mends it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: Topic
    title: str
    workflow: str
    thread_id: str
    approval_id: str | None = None
    note: str = ""
    at: AwareDatetime | None = None
    permalink: str | None = None
    command: str | None = None


class Digest(BaseModel):
    """Everything worth telling between two moments; kept as JSON so that its pages draw the same again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: AwareDatetime | None
    made_at: AwareDatetime
    until: AwareDatetime
    """How far ahead `due` looks."""
    lines: tuple[Line, ...] = ()

    def about(self, topic: Topic) -> tuple[Line, ...]:
        """Return a topic's lines, earliest first."""
        latest = datetime.max.replace(tzinfo=self.made_at.tzinfo)
        found = [line for line in self.lines if line.topic == topic]
        return tuple(sorted(found, key=lambda line: (line.at or latest, line.thread_id)))
