"""Unified diffs: which files they change, and what the changed places look like afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b'"': b'"', b"\\": b"\\"}


class BadDiff(ValueError):
    """The text is no unified diff; the message says where it stops being one."""


@dataclass
class Hunk:
    """One changed place: `lines` are the new file's from number `first` on, without their line ends."""

    first: int
    lines: list[str] = field(default_factory=list)
    added: set[int] = field(default_factory=set)


@dataclass
class FileDiff:
    """What happens to one file. `new` is true where all of it is in the diff."""

    path: str
    new: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    @property
    def added(self) -> frozenset[int]:
        return frozenset(number for hunk in self.hunks for number in hunk.added)

    def fits(self, lines: list[str]) -> bool:
        """Tell whether the new file's lines are what the diff says; line ends do not count."""
        return all(
            [line.rstrip("\r") for line in lines[hunk.first - 1 : hunk.first - 1 + len(hunk.lines)]]
            == [line.rstrip("\r") for line in hunk.lines]
            for hunk in self.hunks
            if hunk.lines
        )


def parsed(text: str) -> list[FileDiff]:
    """Read a unified diff; deleted files, binary ones and pure renames change nothing to look at.

    Raises `BadDiff` where there is no file in it, or a hunk has not the lines that it announces.
    """
    lines = text.split("\n")
    files: list[FileDiff] = []
    at, before, seen = 0, "", False
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("--- "):
            before = _path(line[4:])
        elif line.startswith("+++ "):
            path, seen = _path(line[4:]), True
            if path != "/dev/null":
                files.append(FileDiff(_checked(path), new=before == "/dev/null"))
        elif found := _HUNK.match(line):
            if not seen:
                raise BadDiff(f"line {at}: a hunk comes before any file name")
            hunk, at = _hunk(lines, at, found)
            if files and path != "/dev/null":
                files[-1].hunks.append(hunk)
        elif line.startswith(("diff --git ", "Binary files ")):
            seen = line.startswith("Binary") or seen
    if not seen and "diff --git " not in text:
        raise BadDiff("there is no file in it; send the output of git diff")
    return [one for one in files if one.hunks]


def _hunk(lines: list[str], at: int, found: re.Match[str]) -> tuple[Hunk, int]:
    """Read a hunk's body by the counts in its head, since a line of it may look like anything."""
    old, new = int(found.group(1) or 1), int(found.group(3) or 1)
    hunk = Hunk(first=int(found.group(2)))
    while old > 0 or new > 0:
        line = lines[at] if at < len(lines) else ""
        mark, rest = (line[:1] or " ") if at < len(lines) else "end", line[1:]
        match mark:
            case " ":
                old, new = old - 1, new - 1
                hunk.lines.append(rest)
            case "+":
                new -= 1
                hunk.added.add(hunk.first + len(hunk.lines))
                hunk.lines.append(rest)
            case "-":
                old -= 1
            case "\\":
                pass
            case _:
                raise BadDiff(f"line {at + 1}: the hunk is shorter than its head says")
        at += 1
    if old < 0 or new < 0:
        raise BadDiff(f"line {at}: the hunk is longer than its head says")
    return hunk, at


def runs(file: FileDiff) -> Iterator[tuple[int, str, frozenset[int]]]:
    """Yield what the diff itself shows of the new file: a first line number, its text, and what was added."""
    for hunk in file.hunks:
        if hunk.lines:
            yield hunk.first, "\n".join(hunk.lines) + "\n", frozenset(hunk.added)


def _path(told: str) -> str:
    name = told.partition("\t")[0].rstrip("\r")
    if name.startswith('"') and name.rstrip().endswith('"'):
        name = _ESCAPE.sub(_unescaped, name.strip()[1:-1].encode()).decode(errors="replace")
    return name if name == "/dev/null" else re.sub(r"^[ab]/", "", name)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found.group(1)
    return bytes([int(code, 8) & 255]) if len(code) == 3 else _LETTERS.get(code, code)


def _checked(path: str) -> str:
    if not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise BadDiff(f"{path!r} is not a path inside a repository")
    return path
