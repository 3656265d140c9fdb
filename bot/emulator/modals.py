"""A person submits or closes a modal, and the app's answer is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.emulator import inputs, payloads, views
from bot.emulator.delivery import Ack
from bot.emulator.errors import CannotDo, SlackError
from bot.emulator.line import Line
from bot.emulator.workspace import Json


async def submit(line: Line, user: str, view_id: str, values: Mapping[str, Any], *, times: int = 1) -> Ack:
    """Submit a modal; `CannotDo` (with `fields`) for what Slack's client itself would not submit."""
    view = top_view(line, user, view_id)
    if not view.get("submit"):
        raise CannotDo("this modal has no submit button")
    state = inputs.values(view["blocks"], values)
    if refused := inputs.refusals(view["blocks"], state):
        raise CannotDo("some fields are not filled in", refused)
    trigger = line.slack.screens.issue(user, line.slack.now(), in_modal=True)
    payload = payloads.submission(line.slack, user, view, state, trigger)
    ack = await line.delivery.deliver("interactive", payload, times=times)
    return carry_out(line, user, view, ack) if ack.acked else ack


async def close(line: Line, user: str, view_id: str, *, cleared: bool = False) -> Ack:
    """Close the top modal (or all, `cleared`); the app hears of it only if it asked to."""
    view = top_view(line, user, view_id)
    if cleared or view["clear_on_close"]:
        line.slack.screens.clear(user)
    else:
        line.slack.screens.pop(user, view_id)
    line.slack.changed()
    if not view["notify_on_close"]:
        return Ack(acked=True)
    payload = payloads.closed(line.slack, user, view, cleared=cleared)
    return await line.delivery.deliver("interactive", payload)


def top_view(line: Line, user: str, view_id: str) -> Json:
    """The modal in front of the person, which must be this one."""
    line.person(user)
    stack = line.slack.screens.of(user)
    if not stack or stack[-1]["id"] != view_id:
        raise CannotDo(f"{user} does not have {view_id} in front of them")
    return stack[-1]


def carry_out(line: Line, user: str, view: Json, ack: Ack) -> Ack:
    """Do what the app answered to a submission; an answer that Slack would not take is `bad_response`."""
    body = ack.body or {}
    view = line.slack.screens.views.get(view["id"], view)
    try:
        match body.get("response_action"):
            case None:
                line.slack.screens.pop(user, view["id"])
            case "clear":
                line.slack.screens.clear(user)
            case "errors":
                return replace(ack, field_errors=_field_errors(view, body.get("errors")))
            case "update":
                views.replace(line.slack, view, views.check(body.get("view"), "modal"))
            case "push":
                views.show(line.slack, user, views.check(body.get("view"), "modal"), push=True)
            case other:
                return replace(ack, acked=False, error="bad_response", detail=f"response_action {other!r}")
    except SlackError as refusal:
        return replace(ack, acked=False, error="bad_response", detail=str(refusal.body()))
    line.slack.changed()
    return ack


def _field_errors(view: Json, errors: object) -> dict[str, str]:
    """Errors by block id, each on an input that the modal has."""
    known = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not errors.keys() <= known:
        raise SlackError("invalid_errors", known=sorted(known), given=errors)
    return errors
