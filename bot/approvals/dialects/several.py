"""Several actions on one card: approve all, reject all, or decide each in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bot.approvals.confidential import confidential, hides
from bot.approvals.decision import Decision
from bot.approvals.dialects.actions import (
    Action,
    Ruling,
    answered,
    argument_schema,
    fitting,
    refuse,
    untouched,
)
from bot.approvals.dialects.asked import End
from bot.approvals.dialects.checking import Schema
from bot.approvals.dialects.words import one_line, paragraphs, why_rejected
from bot.approvals.errors import BadAnswer
from bot.approvals.request import ApprovalRequest


@dataclass(frozen=True)
class _Keys:
    """The form's keys for one action: what is decided, the words with it, and each argument."""

    place: int
    decide: str
    words: str
    args: dict[str, str]


def ask(actions: tuple[Action, ...], title: str) -> ApprovalRequest:
    """Ask for all of them: the proposal is a form with a decision, the arguments and words for each."""
    both: tuple[Literal["approve", "reject"], ...] = ("approve", "reject")
    allow = (verb for verb in both if all(verb in action.allowed for action in actions))
    return ApprovalRequest(
        title=one_line(title, "Approve these steps?"),
        summary=paragraphs(*(_told(n, action) for n, action in enumerate(actions, 1))),
        proposal=_drafted(actions),
        proposal_schema=_form(actions),
        allow=(*allow, "edit"),
    )


def rule(actions: tuple[Action, ...], decision: Decision) -> tuple[Ruling, ...] | End:
    """Rule on each, in their order; raises `BadAnswer` naming the first that does not fit."""
    match decision.verdict:
        case "approve":
            form = _drafted(actions) if decision.proposal is None else decision.proposal
            return _ruled(actions, form, decision)
        case "reject":
            kept = [action.name for action in actions if "reject" not in action.allowed]
            if kept:
                return refuse(decision, f"{kept[0]} may not be rejected; decide each one separately.")
            return tuple(Ruling("reject", action.args, why_rejected(decision)) for action in actions)
        case _:
            return refuse(decision, "Several actions are decided one by one, not all in words.")


def _ruled(actions: tuple[Action, ...], form: Any, decision: Decision) -> tuple[Ruling, ...] | End:
    if not isinstance(form, dict):
        raise BadAnswer("The decisions on several actions are not a form.")
    every = [_keys(place, action) for place, action in enumerate(actions, 1)]
    known = {key for keys in every for key in (keys.decide, keys.words, *keys.args.values())}
    if unknown := sorted(form.keys() - known):
        raise BadAnswer(f"{unknown[0][:100]!r} is not part of what was asked.")
    try:
        return tuple(_one(a, k, form, decision) for a, k in zip(actions, every, strict=True))
    except BadAnswer as error:
        return refuse(decision, str(error), error.key)


def _one(action: Action, keys: _Keys, form: dict[str, Any], decision: Decision) -> Ruling:
    verb, words = form.get(keys.decide), form.get(keys.words)
    name = f"{keys.place}. {action.name}"
    if verb not in action.allowed:
        raise BadAnswer(f"{name}: decide {' or '.join(action.allowed)}.", keys.decide)
    if words is not None and not isinstance(words, str):
        raise BadAnswer(f"{name}: its words are not text.", keys.words)
    match verb:
        case "approve" | "edit":
            return _run(action, keys, form, decision)
        case "reject":
            return Ruling("reject", action.args, words or why_rejected(decision))
        case _:
            try:
                return Ruling("respond", action.args, answered(action, words))
            except BadAnswer as error:
                raise BadAnswer(str(error), keys.words) from None


def _run(action: Action, keys: _Keys, form: dict[str, Any], decision: Decision) -> Ruling:
    """Run what the form shows: changed arguments are an edit, unchanged ones an approval where allowed."""
    args = {name: form[key] for name, key in keys.args.items() if key in form}
    if untouched(action, args, decision) and "approve" in action.allowed:
        return Ruling("approve", action.args)
    if "edit" not in action.allowed:
        raise BadAnswer(f"{keys.place}. {action.name}: its arguments may not be edited.", keys.decide)
    try:
        return Ruling("edit", fitting(action, args))
    except BadAnswer as error:
        raise BadAnswer(str(error), keys.args.get(error.key or "")) from None


def _told(place: int, action: Action) -> str:
    return f"**{place}. {one_line(action.name, '')}**\n{action.about.strip()}"


def _drafted(actions: tuple[Action, ...]) -> dict[str, Any]:
    """Draft to approve all; an action that cannot be approved waits for somebody to choose."""
    form: dict[str, Any] = {}
    for place, action in enumerate(actions, 1):
        keys = _keys(place, action)
        if "approve" in action.allowed:
            form[keys.decide] = "approve"
        form |= {keys.args[name]: value for name, value in action.args.items()}
    return form


def _form(actions: tuple[Action, ...]) -> Schema:
    properties: dict[str, Schema] = {}
    rules: list[Schema] = []
    needed: list[str] = []
    hidden: set[str] = set()
    for place, action in enumerate(actions, 1):
        keys = _keys(place, action)
        needed += [keys.decide, *(keys.args[n] for n, v in action.args.items() if not isinstance(v, str))]
        properties |= _fields(action, keys)
        hidden |= confidential(action.schema)
        if "respond" in action.allowed:
            rules.append(_words_with_answer(keys))
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "required": needed,
    }
    if hidden:  # in an argument that is an object, their names are as they were
        inside = {name: {"format": "password"} for name in sorted(hidden)}
        schema["$defs"] = {"confidential": {"properties": inside}}
    return schema | ({"allOf": rules} if rules else {})


def _fields(action: Action, keys: _Keys) -> dict[str, Schema]:
    name = f"{keys.place}. {action.name}"
    editable = "edit" in action.allowed
    fixed: Schema = {} if editable else {"readOnly": True}
    decide: Schema = {"type": "string", "enum": list(action.allowed), "title": name}
    hidden = confidential(action.schema)
    args: dict[str, Schema] = {
        key: {
            **argument_schema(action.args[argument]),
            "title": f"{name}: {argument}",
            **fixed,
            **({"format": "password"} if hides(hidden, argument) else {}),
        }
        for argument, key in keys.args.items()
    }
    # What is only read comes before its decision, what is filled in after it.
    fields = {keys.decide: decide, **args} if editable else {**args, keys.decide: decide}
    if {"reject", "respond"} & {*action.allowed}:
        told = "Goes with reject, as its reason, and with respond, as the answer."
        fields[keys.words] = {"type": "string", "title": f"{name}: words", "description": told}
    return fields


def _words_with_answer(keys: _Keys) -> Schema:
    return {
        "if": {"properties": {keys.decide: {"const": "respond"}}, "required": [keys.decide]},
        "then": {"properties": {keys.words: {"minLength": 1}}, "required": [keys.words]},
    }


def _keys(place: int, action: Action) -> _Keys:
    """Name the form's keys: readable on the card, and different whatever the action and its arguments are."""
    words = f"{place}-words"
    decide = f"{place}-{action.name}"
    taken = {words}
    decide = _free(decide, taken)
    args = {name: _free(f"{place}-args-{name}", taken) for name in sorted(action.args)}
    return _Keys(place, decide, words, {name: args[name] for name in action.args})


def _free(key: str, taken: set[str]) -> str:
    while key in taken:
        key += "_"
    taken.add(key)
    return key
