"""What one line alone tells, in a file of any language: secrets, marks of a merge, work left to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,})\b")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    (
        "a password",
        re.compile(
            r"""(?ix)\b[\w-]*(?:passw(?:or)?d|secret|token|api[_-]?key)[\w-]*["']?\s*[:=]\s*["']([^"'\s]{8,})["']"""
        ),
    ),
)
_PLACEHOLDER = re.compile(
    r"(?i)^(?:x+|\*+|\.+|<.*>|\$\{.*\}|\{.*\}|change-?me.*|example.*|your[-_].*|dummy.*)$"
)
_LEFT = re.compile(r"(?:#|//|/\*|<!--|--|;)\s*.*\b(TO[D]O|FI[X]ME|XXX|HACK)\b")
_MERGE = re.compile(r"^(?:<{7} |>{7} |={7}$)")


def remarks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    """Yield line number, rule and problem for what stands in numbered lines; never the secret itself."""
    for number, line in lines:
        if what := secret_in(line):
            advice = "keep it in the environment, and replace it: it has been in the history"
            yield number, "secret", f"looks like {what}: {advice}"
        if _MERGE.match(line):
            yield number, "merge", "a mark that a merge left behind"
        if found := _LEFT.search(line):
            yield number, "left to do", f"adds a {found.group(1)}: do it now, or make it a ticket"


def secret_in(line: str) -> str | None:
    """Name the kind of secret that a line seems to hold."""
    for what, pattern in _SECRETS:
        found = pattern.search(line)
        if found and not (found.groups() and _PLACEHOLDER.match(found.group(1))):
            return what
    return None


def masked(line: str) -> str:
    """Return the line with everything that looks like a secret made unreadable."""
    for _, pattern in _SECRETS:
        line = pattern.sub(lambda found: found.group(0)[:4] + "•" * 8, line)
    return line
