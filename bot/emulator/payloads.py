"""The shapes in which Slack tells an app what a person did."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from bot.emulator.state import Slack
from bot.emulator.workspace import ENTERPRISE, Channel, Json, User


@dataclass(frozen=True)
class Answer:
    """Where the app may answer to: the trigger for a modal, and an address for messages."""

    trigger_id: str
    response_url: str


VERIFICATION_TOKEN = "emulator"  # noqa: S105 - Slack's retired field; every payload still has one


def escaped(value: Any) -> Any:
    """What is shown as it comes back: with entities in plain text (slackapi/bolt-python#513)."""
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if not isinstance(value, dict):
        return value
    text = value.get("text")
    if value.get("type") == "plain_text" and isinstance(text, str):
        return value | {"text": _BARE.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")}
    return {key: item if isinstance(item, str) else escaped(item) for key, item in value.items()}


_BARE = re.compile(r"&(?!(?:amp|lt|gt);)")


def person(slack: Slack, user_id: str) -> Json:
    user = slack.users[user_id]
    team = user.team_id or slack.workspace.team_id
    return {"id": user.id, "username": user.name, "name": user.name, "team_id": team}


def interaction(slack: Slack, kind: str, user_id: str, trigger_id: str | None) -> Json:
    """What every interactive payload carries."""
    workspace = slack.workspace
    of_several = bool(slack.users[user_id].teams)
    team: Json = {"id": workspace.team_id, "domain": workspace.domain}
    if of_several:
        team |= {"enterprise_id": ENTERPRISE["id"], "enterprise_name": ENTERPRISE["name"]}
    body: Json = {
        "type": kind,
        "user": person(slack, user_id),
        "team": team,
        "api_app_id": workspace.app_id,
        "token": VERIFICATION_TOKEN,
        "enterprise": dict(ENTERPRISE) if of_several else None,
        "is_enterprise_install": False,
    }
    return body if trigger_id is None else body | {"trigger_id": trigger_id}


def on_message(channel: Channel, message: Json, state: Json, response_url: str) -> Json:
    """What a click on a message adds."""
    ephemeral = bool(message.get("is_ephemeral"))
    container: Json = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if thread_ts := message.get("thread_ts"):
        container["thread_ts"] = thread_ts
    clicked: Json = {
        "container": container,
        "channel": {"id": channel.id, "name": _channel_name(channel)},
        "state": {"values": state},
        "response_url": response_url,
    }
    if ephemeral:  # Slack does not keep what only one person sees
        return clicked
    return clicked | {"message": escaped({key: value for key, value in message.items() if key != "metadata"})}


def on_view(view: Json, state: Json) -> Json:
    """What a click in a modal or an App Home adds; where nothing can be filled in, `values` is a list."""
    container = {"type": "view", "view_id": view["id"]}
    return {"container": container, "view": escaped(view) | {"state": {"values": escaped(state) or []}}}


def action(block: Json, element: Json, chosen: Json, ts: str) -> Json:
    """One entry of `actions`: the element's ids, its value or what was chosen."""
    shown = {key: element[key] for key in ("text", "value", "style", "confirm") if key in element}
    body = {"action_id": element["action_id"], "block_id": block["block_id"], "type": element["type"]}
    told: Json = escaped(shown | chosen)
    return body | told | {"action_ts": ts}


def submission(slack: Slack, user: str, view: Json, state: Json, trigger_id: str) -> Json:
    body = interaction(slack, "view_submission", user, trigger_id)
    return body | {"view": escaped(view) | {"state": {"values": escaped(state) or []}}, "response_urls": []}


def closed(slack: Slack, user: str, view: Json, *, cleared: bool) -> Json:
    body = interaction(slack, "view_closed", user, None)
    return body | {"view": view, "is_cleared": cleared}


def shortcut(slack: Slack, user: str, callback_id: str, trigger_id: str, ts: str) -> Json:
    body = interaction(slack, "shortcut", user, trigger_id)
    return body | {"callback_id": callback_id, "action_ts": ts}


def command(slack: Slack, user: User, channel: Channel, typed: tuple[str, str], answer: Answer) -> Json:
    """A slash command's form fields; `typed` is the command and the text after it."""
    workspace = slack.workspace
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": user.team_id or workspace.team_id,
        "team_domain": workspace.domain,
        "channel_id": channel.id,
        "channel_name": _channel_name(channel),
        "user_id": user.id,
        "user_name": user.name,
        "command": typed[0],
        "text": typed[1],
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
        "response_url": answer.response_url,
        "trigger_id": answer.trigger_id,
    }


def event(slack: Slack, body: Json) -> Json:
    """The envelope of an Events API callback."""
    workspace = slack.workspace
    authorization: dict[str, Any] = {
        "enterprise_id": None,
        "team_id": workspace.team_id,
        "user_id": workspace.bot_user.id,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "api_app_id": workspace.app_id,
        "event": body,
        "type": "event_callback",
        "event_id": "Ev" + secrets.token_hex(6).upper(),
        "event_time": int(slack.now()),
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
    }


def _channel_name(channel: Channel) -> str:
    if channel.is_im:
        return "directmessage"
    return "privategroup" if channel.is_private and not channel.is_mpim else channel.name
