"""Interrupts of graphs that do not speak our request: what to ask for them, and what to answer them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from bot.approvals.canonical import canonical
from bot.approvals.decision import Decision
from bot.approvals.request import ApprovalRequest, parse_request
from bot.approvals.workflow import Reply

Dialect = Literal["signoff", "plain"]

TITLE_KEYS = ("title", "question", "message", "action", "prompt")
"""Where tutorials put what they ask, in the order in which it reads best as a title."""


@dataclass(frozen=True)
class Asked:
    """What an interrupt asks, in our words, and the dialect its answer must be in."""

    request: ApprovalRequest
    dialect: Dialect


@dataclass(frozen=True)
class Resume:
    """Resume the graph with `value`."""

    value: Any


@dataclass(frozen=True)
class End:
    """Do not resume: what was refused must not run. The thread ends, cancelled, for this reason."""

    reason: str


def read(value: Any) -> Asked:
    """Turn an interrupt's value into a request; raises `BadRequest` for what cannot be asked."""
    if isinstance(value, dict) and "signoff" in value:
        return Asked(parse_request(value), "signoff")
    canonical(value)
    return Asked(_plain(value), "plain")


def reply(decision: Decision, dialect: Dialect, expected: Reply | None) -> Resume | End:
    """Turn a decision into what the graph expects back."""
    if dialect == "signoff":
        return Resume(decision.answer())
    words = decision.text or decision.comment
    match expected:
        case None if decision.verdict == "reject":
            return End(_why(decision))
        case None | "dict":
            return Resume(_as_dict(decision))
        case "bool":
            return Resume(decision.approved)
        case "text":
            return Resume(decision.text if decision.verdict == "respond" and words else decision.verdict)
        case _:
            return Resume(expected(decision))


def _plain(value: Any) -> ApprovalRequest:
    if isinstance(value, str):
        head, _, rest = value.strip().partition("\n")
        return _request(head or "Approve this step?", rest.strip(), {})
    if not isinstance(value, dict):
        return _request("Approve this step?", _fenced(value), {})
    rest = dict(value)
    title = next((str(rest.pop(key)) for key in TITLE_KEYS if isinstance(rest.get(key), str)), "")
    facts = {key: _short(item) for key, item in rest.items() if _is_fact(item)}
    larger = {key: item for key, item in rest.items() if not _is_fact(item)}
    return _request(title, _fenced(larger) if larger else "", dict(list(facts.items())[:200]))


def _request(title: str, summary: str, fields: dict[str, str]) -> ApprovalRequest:
    return ApprovalRequest(
        title=title.strip()[:2000] or "Approve this step?",
        summary=summary or None,
        fields=fields,
        allow=("approve", "reject", "respond"),
    )


def _is_fact(item: Any) -> bool:
    return item is None or isinstance(item, bool | int | float) or (isinstance(item, str) and len(item) <= 500)


def _short(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item)


def _fenced(value: Any) -> str:
    return f"```\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


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


def _why(decision: Decision) -> str:
    said = decision.comment or decision.reason
    who = {"human": "by a person", "policy": "by policy", "timeout": "since nobody answered"}[decision.by.kind]
    return f"rejected {who}" + (f": {said}" if said else "")
