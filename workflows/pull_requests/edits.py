"""Findings and the edits that mend them: places in a file's text, checked before they are replaced."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

from workflows.pull_requests.lines import masked

_SHOWN = 14
"""Lines of a change that are shown."""


class Stale(Exception):
    """The text is not what an edit was made for."""


class Edit(BaseModel):
    """Replace `before`, which stands at character `start` of the file, by `after`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int = Field(ge=0)
    before: str
    after: str

    @property
    def end(self) -> int:
        return self.start + len(self.before)


class Finding(BaseModel):
    """What is wrong at a line of a file, and how to mend it where that is certain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    line: int
    rule: str
    problem: str
    edits: tuple[Edit, ...] = ()
    shown: str = ""

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def identity(self) -> str:
        """What stays the same when other lines of the file move."""
        return "|".join((self.path, self.rule, self.problem, *(edit.after for edit in self.edits)))


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with all edits made; raises `Stale` where it does not hold what they replace."""
    from_the_end = reversed(list(dict.fromkeys(edits)))
    for edit in sorted(from_the_end, key=lambda edit: (edit.start, edit.end), reverse=True):
        if text[edit.start : edit.end] != edit.before:
            raise Stale(f"{edit.before!r} is no longer at character {edit.start}")
        text = text[: edit.start] + edit.after + text[edit.end :]
    return text


def apart(findings: Iterable[Finding]) -> list[Finding]:
    """Take the edits from findings that touch what an earlier one replaces: both cannot be made."""
    taken: dict[str, list[Edit]] = {}
    kept: list[Finding] = []
    for finding in findings:
        before = taken.setdefault(finding.path, [])
        if any(_touch(edit, other) for edit in finding.edits for other in before):
            kept.append(finding.model_copy(update={"edits": (), "shown": ""}))
        else:
            before.extend(finding.edits)
            kept.append(finding)
    return kept


def shown(text: str, edits: Iterable[Edit]) -> str:
    """Show what edits do to a text as the lines of a diff, without what looks like a secret."""
    after = applied(text, edits)
    lines = list(difflib.unified_diff(text.split("\n"), after.split("\n"), lineterm="", n=0))[2:]
    told = [masked(line.rstrip("\r")) for line in lines if not line.startswith("@@")]
    more = [f"… {len(told) - _SHOWN} more lines"] if len(told) > _SHOWN else []
    return "\n".join(told[:_SHOWN] + more)


def fenced(code: str) -> str:
    """Return a Markdown fence that nothing in the code can close."""
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", code)), default=2)
    return f"{'`' * (longest + 1)}\n{code}\n{'`' * (longest + 1)}"


def _touch(one: Edit, other: Edit) -> bool:
    if one.before == other.before == "":
        return False
    return one.start < other.end and other.start < one.end
