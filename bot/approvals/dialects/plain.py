"""Plain strings and dicts, the way tutorials write them; and any other value, shown as it is."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from bot.approvals.canonical import canonical
from bot.approvals.decision import Decision
from bot.approvals.dialects.asked import End, Resume
from bot.approvals.dialects.leaves import MOST_FACTS, fact, leaves, prose
from bot.approvals.dialects.words import LONGEST_TITLE, fenced, one_line, paragraphs, verbatim, why_ended
from bot.approvals.errors import BadAnswer, BadRequest
from bot.approvals.request import Action, ApprovalRequest
from bot.approvals.workflow import Reply

TITLE_KEYS = ("title", "question", "message", "action", "prompt", "query", "instruction", "task", "tool")
"""Where tutorials put what they ask, in the order in which it reads best as a title."""

_UNTITLED = "Approve this step?"
_LONGEST_RAW = 10_000


@dataclass(frozen=True)
class Told:
    """What a value says: a title, Markdown, and short facts."""

    title: str
    summary: str | None
    fields: dict[str, str]


def told(value: Any) -> Told:
    """Read JSON: text by its first line, an object by its keys, the rest as it is."""
    if isinstance(value, str):
        head, _, below = value.strip().partition("\n")
        whole = value.strip() if len(head) > LONGEST_TITLE else below
        return Told(one_line(head, _UNTITLED), paragraphs(whole), {})
    if not isinstance(value, dict):
        return Told(_UNTITLED, fenced(value), {})
    rest = dict(value)
    title = next((str(rest.pop(key)) for key in TITLE_KEYS if isinstance(rest.get(key), str)), "")
    parts = leaves(rest)
    said = {key: fact(item) for key, item in parts.items()}
    facts = dict([(key, text) for key, text in said.items() if text is not None][:MOST_FACTS])
    texts = {key: prose(item) for key, item in parts.items() if key not in facts}
    larger = {key: item for key, item in parts.items() if key not in facts and texts[key] is None}
    summary = paragraphs(
        title if len(title) > LONGEST_TITLE else None,
        *(f"### {one_line(key, '(no name)')}\n\n{verbatim(text)}" for key, text in texts.items() if text),
        fenced(larger) if larger else None,
    )
    return Told(one_line(title, _UNTITLED), summary, facts)


def told_raw(value: Any) -> Told:
    """Show a value that is no JSON, or too much of it, the same on every run of its node."""
    text = _written(value)
    shown = text[:_LONGEST_RAW].replace("```", "'''")
    summary = (
        f"The graph asks with a value that is not plain JSON ({type(value).__name__}):\n\n```\n{shown}\n```"
    )
    if len(text) > _LONGEST_RAW:
        digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]
        summary += f"\n\nCut: it has {len(text):,} characters (SHA-256 begins {digest})."
    return Told("Answer this step", summary, {})


def request(said: Told, allow: tuple[Action, ...] = ("approve", "reject", "respond")) -> ApprovalRequest:
    return ApprovalRequest(title=said.title, summary=said.summary, fields=said.fields, allow=allow)


def answer(decision: Decision, expected: Reply | None) -> Resume | End:
    """Answer as declared; undeclared, only a person's approval resumes.

    A graph that tests `if interrupt(…):` would run what was refused, and what nobody answered.
    """
    match expected:
        case None if decision.verdict != "approve" or decision.by.kind == "timeout":
            return End(why_ended(decision))
        case None | "dict":
            return Resume(_as_dict(decision))
        case "bool":
            return Resume(decision.approved)
        case "text":
            words = decision.text if decision.verdict == "respond" else None
            return Resume(words or decision.verdict)
        case _:
            return Resume(declared(decision, expected))


def declared(decision: Decision, expected: Any) -> Any:
    """Ask a workflow's own function for the answer: any JSON; raises `BadAnswer` for what is none."""
    try:
        value = expected(decision)
    except Exception as error:
        # The author's code, whatever it raises: the thread says so instead of trying for ever.
        raise BadAnswer(f"The workflow's reply function raised {type(error).__name__}: {error}") from error
    return as_json(value)


def as_json(value: Any) -> Any:
    """Return what is plain JSON; raises `BadAnswer` for what is not."""
    try:
        canonical(value)
    except BadRequest as error:
        raise BadAnswer(f"The workflow's reply cannot be sent: {error}") from error
    return value


def _written(value: Any) -> str:
    """Write a value without what differs between runs: addresses, and the order of sets."""
    try:
        text = value if isinstance(value, str) else _text(value, ())
    except Exception:  # noqa: BLE001 - a foreign __repr__ may raise anything
        text = f"(a {type(value).__name__} that cannot be written)"
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text).replace("\x00", "\\x00")
    return text.encode(errors="backslashreplace").decode()


def _text(value: Any, inside: tuple[int, ...]) -> str:
    if id(value) in inside:
        return "…"
    deeper = (*inside, id(value))
    match value:
        case dict():
            pairs = (f"{_text(key, deeper)}: {_text(item, deeper)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple():
            return f"[{', '.join(_text(item, deeper) for item in value)}]"
        case set() | frozenset():
            return f"{{{', '.join(sorted(_text(item, deeper) for item in value))}}}"
        case _:
            return repr(value)


def _as_dict(decision: Decision) -> dict[str, Any]:
    said = decision.text or decision.comment
    return {
        "approved": decision.approved,
        "decision": decision.verdict,
        "reason": decision.reason or said,
        "comment": decision.comment,
        "text": decision.text,
        "by": decision.by.model_dump(mode="json"),
        "forced": decision.forced,
    }
