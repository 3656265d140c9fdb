"""The agent inbox's HumanInterrupt: asked alone or in a list, always answered in a list.

Source: github.com/langchain-ai/agent-inbox, README, "Schema Usage": "it will always send back a list with
a single HumanResponse object in it", also where its own example asks with a bare request.
"""

from __future__ import annotations

from typing import Any

from bot.approvals.decision import Decision
from bot.approvals.dialects import several
from bot.approvals.dialects.actions import Action, Ruling, Verb, ask, named, rule
from bot.approvals.dialects.asked import Asked, End, Original, Resume
from bot.approvals.dialects.checking import mapping
from bot.approvals.errors import BadRequest
from bot.approvals.workflow import Reply

_ALLOWS: dict[str, Verb] = {
    "allow_accept": "approve",
    "allow_edit": "edit",
    "allow_ignore": "reject",
    "allow_respond": "respond",
}


def is_inbox(value: Any) -> bool:
    """Tell whether it is a HumanInterrupt, or a list of nothing else."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(_is_one(item) for item in items)


def read_inbox(original: Original) -> Asked:
    """Read one or several; raises `BadRequest` for what allows no answer."""
    actions = _actions(original.value)
    if len(actions) == 1:
        return Asked(ask(actions[0], actions[0].name), "inbox", original)
    title = f"{len(actions)} actions: {', '.join(action.name for action in actions)}"
    return Asked(several.ask(actions, title), "inbox", original)


def reply_inbox(decision: Decision, expected: Reply | None, original: Original) -> Resume | End:
    """Answer with a list; a bare request with the bare answer only where `reply="dict"` is declared."""
    actions = _actions(original.value)
    if len(actions) > 1:
        ruled = several.rule(actions, decision)
        if isinstance(ruled, End):
            return ruled
        return Resume([_said(a, r) for a, r in zip(actions, ruled, strict=True)])
    one = rule(actions[0], decision)
    if isinstance(one, End):
        return one
    said = _said(actions[0], one)
    return Resume(said if expected == "dict" and isinstance(original.value, dict) else [said])


def _said(action: Action, ruling: Ruling) -> dict[str, Any]:
    """Word a ruling as a HumanResponse. Types are kept: the inbox itself would send arguments as text."""
    match ruling.verb:
        case "approve":
            return {"type": "accept", "args": {"action": action.name, "args": action.args}}
        case "edit":
            return {"type": "edit", "args": {"action": action.name, "args": ruling.args}}
        case "reject":
            return {"type": "ignore", "args": None}
        case "respond":
            return {"type": "response", "args": ruling.words}


def _is_one(item: Any) -> bool:
    told = mapping(item)
    config = mapping(told.get("config"))
    return isinstance(told.get("action_request"), dict) and bool(config.keys() & _ALLOWS.keys())


def _actions(value: Any) -> tuple[Action, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(_action(item) for item in items)


def _action(item: dict[str, Any]) -> Action:
    request, config, about = item["action_request"], item["config"], item.get("description")
    name, args = named(request.get("action"), request.get("args") or {}, "The action request")
    allowed = tuple(verb for key, verb in _ALLOWS.items() if config.get(key) is True)
    if not allowed:
        raise BadRequest(f"The graph allows no answer to {name[:100]!r}; set one of {', '.join(_ALLOWS)}.")
    return Action(name, args, allowed, about=about if isinstance(about, str) else "")
