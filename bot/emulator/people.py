"""auth, team, users, usergroups: who is who."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from bot.emulator.errors import SlackError
from bot.emulator.method import TIER_2, TIER_3, TIER_4, Call, Method, Token
from bot.emulator.workspace import ENTERPRISE, Group, Json, User, Workspace


def auth_test(call: Call) -> Json:
    workspace = call.slack.workspace
    return {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.team_name,
        "user": workspace.bot_user.name,
        "team_id": workspace.team_id,
        "user_id": workspace.bot_user.id,
        "bot_id": workspace.bot_id,
        "is_enterprise_install": False,
    }


def api_test(call: Call) -> Json:
    if error := call.args.text("error"):
        raise SlackError(error)
    return {"args": dict(call.args.raw)}


def team_info(call: Call) -> Json:
    workspace = call.slack.workspace
    return {"team": {"id": workspace.team_id, "name": workspace.team_name, "domain": workspace.domain}}


def bots_info(call: Call) -> Json:
    workspace = call.slack.workspace
    if call.args.text("bot", workspace.bot_id) != workspace.bot_id:
        raise SlackError("bot_not_found")
    bot = {"id": workspace.bot_id, "app_id": workspace.app_id, "user_id": workspace.bot_user.id}
    return {"bot": bot | {"name": workspace.bot_user.name, "deleted": False}}


def users_info(call: Call) -> Json:
    user = call.slack.user(call.args.required("user", "user_not_found"))
    return {"user": shown_user(user, call.slack.workspace, call.slack.clock())}


def users_list(call: Call) -> Json:
    now = call.slack.clock()
    members = [shown_user(user, call.slack.workspace, now) for user in call.slack.users.values()]
    return {"members": members, "response_metadata": {"next_cursor": ""}}


def usergroups_list(call: Call) -> Json:
    with_users = call.args.flag("include_users")
    groups = call.slack.groups.values()
    return {"usergroups": [_shown_group(group, call.slack.workspace, with_users) for group in groups]}


def usergroups_users_list(call: Call) -> Json:
    group = call.slack.groups.get(call.args.required("usergroup", "no_such_subteam"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def shown_user(user: User, workspace: Workspace, now: datetime) -> Json:
    """A user as users.info has it; `tz_offset` in seconds at `now`.

    Of those who are deactivated it says less: no zone, no roles, a name in the profile only
    (brekkylab/backlot#293).
    """
    shown: Json = {
        "id": user.id,
        "team_id": user.team_id or workspace.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "profile": {
            "real_name": user.real_name,
            "display_name": user.name,
            "title": user.title,
            "status_text": "",
            "status_emoji": "",
            "team": user.team_id or workspace.team_id,
        },
    }
    if user.is_stranger:
        shown["is_stranger"] = True
    if user.teams:
        del shown["team_id"]  # looker/lookerbot#184
        shown["enterprise_user"] = {"id": user.id, "is_admin": False, "is_owner": False} | {
            "enterprise_id": ENTERPRISE["id"],
            "enterprise_name": ENTERPRISE["name"],
            "teams": list(user.teams),
        }
    if user.deleted:
        return shown
    offset = now.astimezone(ZoneInfo(user.tz)).utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    roles = {"is_restricted": user.is_restricted, "is_ultra_restricted": user.is_ultra_restricted}
    zone = {"tz": user.tz, "tz_offset": seconds}
    return shown | roles | zone | {"real_name": user.real_name, "is_admin": False, "is_owner": False}


def _shown_group(group: Group, workspace: Workspace, with_users: bool) -> Json:
    shown: Json = {
        "id": group.id,
        "team_id": workspace.team_id,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "description": "",
        "date_create": int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
        "date_delete": 0,
        "user_count": len(group.users),
    }
    return shown | {"users": list(group.users)} if with_users else shown


METHODS: Final = {
    "auth.test": Method(auth_test, (), 600),
    "api.test": Method(api_test, (), 600, Token.NONE),
    "team.info": Method(team_info, ("team:read",), TIER_3),
    "bots.info": Method(bots_info, ("users:read",), TIER_3),
    "users.info": Method(users_info, ("users:read",), TIER_4),
    "users.list": Method(users_list, ("users:read",), TIER_2),
    "usergroups.list": Method(usergroups_list, ("usergroups:read",), TIER_2),
    "usergroups.users.list": Method(usergroups_users_list, ("usergroups:read",), TIER_2),
}
