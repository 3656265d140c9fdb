"""views.*: modals and App Homes."""

from __future__ import annotations

import secrets
from typing import Final, Literal

from bot.emulator import blockkit, elements
from bot.emulator.errors import SlackError, invalid
from bot.emulator.method import TIER_4, Call, Method
from bot.emulator.state import Slack
from bot.emulator.workspace import Json

Kind = Literal["modal", "home"]
VIEW_BYTES = 250_000


def open_modal(call: Call) -> Json:
    view = _given_view(call, "modal")
    trigger = call.slack.screens.exchange(_trigger_id(call), call.slack.now())
    return {"view": show(call.slack, trigger.user, view)}


def push_modal(call: Call) -> Json:
    view = _given_view(call, "modal")
    trigger = call.slack.screens.exchange(_trigger_id(call), call.slack.now())
    if not trigger.in_modal:
        raise SlackError("invalid_trigger_id")
    return {"view": show(call.slack, trigger.user, view, push=True)}


def update_view(call: Call) -> Json:
    """Replace a modal that is open; with `hash`, only if nobody replaced it meanwhile."""
    fresh = _given_view(call, "modal")
    old = call.slack.screens.find(call.args.text("view_id") or None, call.args.text("external_id") or None)
    if call.args.given("hash") and call.args.text("hash") != old["hash"]:
        raise SlackError("hash_conflict")
    return {"view": replace(call.slack, old, fresh)}


def publish_home(call: Call) -> Json:
    user = call.slack.user(call.args.required("user_id"))
    fresh = _given_view(call, "home")
    old = call.slack.screens.homes.get(user.id)
    if old and call.args.given("hash") and call.args.text("hash") != old["hash"]:
        raise SlackError("hash_conflict")
    view = _stored(call.slack, fresh) | {"root_view_id": "", "previous_view_id": None}
    if old:
        view["id"] = old["id"]
    view["root_view_id"] = view["id"]
    call.slack.publish(user.id, view)
    return {"view": view}


def show(slack: Slack, user: str, given: Json, *, push: bool = False) -> Json:
    """Open a checked modal for the person, or push it onto their stack."""
    view = _stored(slack, given)
    if push:
        slack.screens.push(user, view)
    else:
        slack.screens.open(user, view)
    slack.changed()
    return view


def replace(slack: Slack, old: Json, given: Json) -> Json:
    """Put a checked view in the place of one that is open: same id and stack, new hash."""
    kept = {key: old[key] for key in ("id", "root_view_id", "previous_view_id")}
    view = _stored(slack, given) | kept
    slack.screens.views[view["id"]] = view
    slack.changed()
    return view


def check(view: object, kind: Kind) -> Json:
    """The view if Slack would take it; `invalid_arguments` with the reasons otherwise."""
    if not isinstance(view, dict):
        raise invalid("invalid_arguments", "must provide an object [json-pointer:/view]")
    if found := blockkit.view_problems(view, kind):
        raise invalid("invalid_arguments", *(str(problem) for problem in found))
    return view


def _given_view(call: Call, kind: Kind) -> Json:
    view = call.args.json("view", "invalid_arguments")
    if len(str(call.args.raw.get("view"))) > VIEW_BYTES:
        raise SlackError("view_too_large")
    checked = check(view, kind)
    external_id = checked.get("external_id")
    updating = call.args.text("view_id") or call.args.text("external_id")
    if external_id and not updating:
        taken = any(view["external_id"] == external_id for view in call.slack.screens.views.values())
        if taken:
            raise SlackError("duplicate_external_id")
    return checked


def _trigger_id(call: Call) -> str:
    return call.args.required("trigger_id")


def _stored(slack: Slack, given: Json) -> Json:
    workspace = slack.workspace
    return {
        "id": "V" + secrets.token_hex(5).upper(),
        "team_id": workspace.team_id,
        "type": given["type"],
        "blocks": elements.with_ids(given["blocks"]),
        "private_metadata": given.get("private_metadata", ""),
        "callback_id": given.get("callback_id", ""),
        "state": {"values": {}},
        "hash": f"{slack.now():.0f}.{secrets.token_hex(4)}",
        "title": given.get("title"),
        "clear_on_close": given.get("clear_on_close", False),
        "notify_on_close": given.get("notify_on_close", False),
        "close": given.get("close"),
        "submit": given.get("submit"),
        "external_id": given.get("external_id", ""),
        "app_id": workspace.app_id,
        "app_installed_team_id": workspace.team_id,
        "bot_id": workspace.bot_id,
    }


METHODS: Final = {
    "views.open": Method(open_modal, (), TIER_4),
    "views.push": Method(push_modal, (), TIER_4),
    "views.update": Method(update_view, (), TIER_4),
    "views.publish": Method(publish_home, (), TIER_4),
}
