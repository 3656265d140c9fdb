"""The words that stand on a card or go back to a graph."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.approvals.decision import Decision

LONGEST_TITLE = 2_000

_BY = {"human": "by a person", "policy": "by policy"}
_UNDECIDED = "Nobody decided this in time; it was not run, and no person refused it."


def one_line(text: str, otherwise: str) -> str:
    """Fit `text` on one line of a title; `otherwise` where it says nothing."""
    return " ".join(text.split())[:LONGEST_TITLE] or otherwise


def fenced(value: Any) -> str:
    """Write JSON as a block of code; no line of it can end the fence, since JSON escapes line breaks."""
    return f"```\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def verbatim(text: str) -> str:
    """Write text as a block that shows it letter by letter, with a fence that no line of it can end."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def paragraphs(*texts: str | None) -> str | None:
    return "\n\n".join(text.strip() for text in texts if text and text.strip()) or None


def why_ended(decision: Decision) -> str:
    """Say why a thread ends that is not resumed, and who decided that."""
    said = decision.text or decision.comment or decision.reason
    what = {"approve": "approved", "respond": "answered in words", "choose": "answered"}
    done = what.get(decision.verdict, "rejected")
    late = "since too few answered" if decision.votes else "since nobody answered"
    return f"{done} {_BY.get(decision.by.kind, late)}" + (f": {said}" if said else "")


def why_rejected(decision: Decision) -> str | None:
    """Say why to an agent; a timeout is never told as a person's no."""
    if decision.by.kind == "timeout":
        few = "Too few decided this in time; it was not run."
        return few if decision.votes else _UNDECIDED
    return decision.comment or decision.text or decision.reason
