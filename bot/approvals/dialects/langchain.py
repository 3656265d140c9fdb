"""LangChain's HumanInTheLoopMiddleware, in its modes `batched` and `per_call`.

Source: langchain 1.4, agents/middleware/human_in_the_loop.py. The integration tests ask the real one.
"""

from __future__ import annotations

from typing import Any

from bot.approvals.decision import Decision
from bot.approvals.dialects import several
from bot.approvals.dialects.actions import VERBS, Action, Ruling, Verb, ask, named, rule
from bot.approvals.dialects.asked import Asked, End, Original, Resume
from bot.approvals.dialects.checking import Schema, local, mapping, rooted
from bot.approvals.errors import BadRequest
from bot.approvals.request import ApprovalRequest

_NAMES_SHOWN = 5


def is_batched(value: Any) -> bool:
    return isinstance(value, dict) and "action_requests" in value and "review_configs" in value


def is_per_call(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "tool_approval" and "name" in value


def read_batched(original: Original) -> Asked:
    """Read all tool calls of a model's turn; raises `BadRequest` where they cannot be answered."""
    return Asked(_request(_batched(original.value)), "batched", original)


def read_per_call(original: Original) -> Asked:
    """Read one tool call; raises `BadRequest` where its `response_schema` does not say what it takes."""
    action = _per_call(original)
    return Asked(ask(action, f"Run {action.name}"), "per_call", original)


def reply_batched(decision: Decision, original: Original) -> Resume | End:
    """Answer with one decision for each action request, in their order."""
    actions = _batched(original.value)
    ruled = several.rule(actions, decision) if len(actions) > 1 else _alone(rule(actions[0], decision))
    if isinstance(ruled, End):
        return ruled
    return Resume({"decisions": [_said(a, r) for a, r in zip(actions, ruled, strict=True)]})


def reply_per_call(decision: Decision, original: Original) -> Resume | End:
    action = _per_call(original)
    ruled = rule(action, decision)
    return ruled if isinstance(ruled, End) else Resume(_said(action, ruled))


def _said(action: Action, ruling: Ruling) -> dict[str, Any]:
    """Word a ruling as the middleware's `Decision`; an edit stays with its own tool."""
    match ruling.verb:
        case "approve":
            return {"type": "approve"}
        case "edit":
            return {"type": "edit", "edited_action": {"name": action.name, "args": ruling.args}}
        case "reject":
            return {"type": "reject"} | ({"message": ruling.words} if ruling.words else {})
        case "respond":
            return {"type": "respond", "message": ruling.words}


def _alone(ruled: Ruling | End) -> tuple[Ruling, ...] | End:
    return ruled if isinstance(ruled, End) else (ruled,)


def _request(actions: tuple[Action, ...]) -> ApprovalRequest:
    if len(actions) == 1:
        return ask(actions[0], f"Run {actions[0].name}")
    names = [action.name for action in actions[:_NAMES_SHOWN]]
    more = f" and {len(actions) - _NAMES_SHOWN} more" if len(actions) > _NAMES_SHOWN else ""
    return several.ask(actions, f"Run {len(actions)} tools: {', '.join(names)}{more}")


def _batched(value: dict[str, Any]) -> tuple[Action, ...]:
    requests, configs = value["action_requests"], value["review_configs"]
    if not isinstance(requests, list) or not requests or not isinstance(configs, list):
        raise BadRequest("The agent asks about tool calls, but its action_requests is not a list of calls.")
    reviews = _reviews([mapping(request).get("name") for request in requests], configs)
    return tuple(_action(n, r, c) for n, (r, c) in enumerate(zip(requests, reviews, strict=True), 1))


def _reviews(names: list[Any], configs: list[Any]) -> list[dict[str, Any]]:
    """Match each request with its review config: by place, or by name where the places do not match.

    The middleware sends them place by place; its types also allow one for each tool.
    """
    told = [mapping(config) for config in configs]
    if [config.get("action_name") for config in told] == names:
        return told
    matched = [[config for config in told if config.get("action_name") == name] for name in names]
    for name, found in zip(names, matched, strict=True):
        if not found or any(config != found[0] for config in found):
            raise BadRequest(f"The agent's review_configs do not say what {str(name)[:100]!r} allows.")
    return [found[0] for found in matched]


def _action(place: int, request: Any, config: dict[str, Any]) -> Action:
    told = mapping(request)
    name, args = named(told.get("name"), told.get("args"), f"Action request {place}")
    schema = config.get("args_schema")
    return Action(
        name=name,
        args=args,
        allowed=_verbs(config.get("allowed_decisions"), name),
        about=_about(told.get("description"), name, args),
        schema=schema if isinstance(schema, dict) else None,
    )


def _verbs(told: Any, name: str) -> tuple[Verb, ...]:
    """Take the decisions that we know; one that a later release adds cannot be offered."""
    verbs = tuple(verb for verb in VERBS if isinstance(told, list) and verb in told)
    if not verbs:
        raise BadRequest(f"The agent allows no decision on {name[:100]!r} that could be made here.")
    return verbs


def _about(description: Any, name: str, args: dict[str, Any]) -> str:
    """Leave out what the middleware's own description repeats of the call."""
    text = description if isinstance(description, str) else ""
    return text.removesuffix(f"\n\nTool: {name}\nArgs: {args}")


def _per_call(original: Original) -> Action:
    value, schema = original.value, original.response_schema
    name, args = named(value.get("name"), value.get("args"), "The tool call")
    if not schema:
        raise BadRequest(
            f"The agent asks about {name[:100]!r} without a response_schema that says how to answer."
        )
    branches = _branches(schema)
    edited = local(mapping(mapping(branches.get("edit")).get("properties")).get("edited_action"), schema)
    properties = mapping(edited.get("properties"))
    if local(properties.get("name"), schema).get("const", name) != name:
        raise BadRequest(f"The agent asks about {name[:100]!r}, but its response_schema is another tool's.")
    arguments = local(properties.get("args"), schema)
    return Action(
        name=name,
        args=args,
        allowed=_verbs(list(branches), name),
        about=_about(value.get("description"), name, args),
        schema=rooted(arguments, schema) if mapping(arguments.get("properties")) else None,
    )


def _branches(schema: Schema) -> dict[str, Schema]:
    """Return each decision that the schema takes, by its type: one of several, or the only one."""
    found: dict[str, Schema] = {}
    told = schema.get("oneOf") or schema.get("anyOf")
    for alternative in told if isinstance(told, list) else [schema]:
        branch = local(alternative, schema)
        kind = local(mapping(branch.get("properties")).get("type"), schema).get("const")
        if isinstance(kind, str):
            found[kind] = branch
    return found
