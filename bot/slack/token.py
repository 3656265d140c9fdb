"""What a button carries: an opaque, versioned token and never state; and the ids that listeners answer to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

APPROVE: Final = "signoff.approve"
REJECT: Final = "signoff.reject"
EDIT: Final = "signoff.edit"
RESPOND: Final = "signoff.respond"
CHOOSE: Final = "signoff.choose"
"""A menu of options; the buttons for few options are `signoff.choose.<index>`."""
MORE: Final = "signoff.more"
"""The overflow menu."""
WHOLE: Final = "signoff.whole"
PAGE: Final = "signoff.page"
"""Paging in the modal that shows everything: `signoff.page.previous` and `signoff.page.next`."""
OPEN: Final = "signoff.open"
"""Buttons that only open a web address: `signoff.open.<index>`; Slack reports their clicks all the same."""

CORRECT: Final = "correct"
"""The overflow's "Correct…"."""
NOTE: Final = "note"
"""The overflow's "Approve with a note"."""
ALL: Final = "whole"
"""The overflow's "Show everything"."""

_TOKEN = re.compile(r"s1\.([A-Za-z0-9_-]{1,64})\.([1-9][0-9]{0,8})", re.ASCII)
_WANTED = re.compile(r"[a-z0-9]{1,16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """Which approval, and which revision of it, somebody was looking at."""

    approval_id: str
    revision: int

    def encode(self) -> str:
        return f"s1.{self.approval_id}.{self.revision}"

    def with_(self, wanted: str | int) -> str:
        """Return the value of a menu's option: the token and which entry, "<token>#<wanted>"."""
        return f"{self.encode()}#{wanted}"

    @classmethod
    def parse(cls, value: object) -> Self | None:
        """Read a token; None for an unknown version and for anything malformed or too long."""
        if not isinstance(value, str):
            return None
        match = _TOKEN.fullmatch(value)
        return cls(match[1], int(match[2])) if match else None


def read_value(value: object) -> tuple[Token, str] | None:
    """Read "<token>#<wanted>" out of a menu, or None; a bare token wants ""."""
    if not isinstance(value, str):
        return None
    head, mark, wanted = value.partition("#")
    token = Token.parse(head)
    if token is None or (mark and not _WANTED.fullmatch(wanted)):
        return None
    return token, wanted
