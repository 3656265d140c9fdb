from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from bot.emulator.method import Token
from bot.emulator.server import SUBSCRIBED
from bot.emulator.webapi import METHODS
from bot.manifest import BadUrl, manifest, scopes

HERE = Path(__file__).parent.parent.parent
IN_THE_SDK = {name.replace(".", "_"): name for name in METHODS}
FAMILIES = {name.partition(".")[0] + "_" for name in METHODS}
TEXT = {"type": "string", "minLength": 1}
ADDRESS = {"type": "string", "pattern": "^https://", "maxLength": 3000}
YES_OR_NO = {"type": "boolean"}

KNOWN_SCOPES = frozenset(
    {
        "app_mentions:read", "assistant:write", "bookmarks:read", "bookmarks:write", "calls:read",
        "calls:write", "canvases:read", "canvases:write", "channels:history", "channels:join",
        "channels:manage", "channels:read", "chat:write", "chat:write.customize", "chat:write.public",
        "commands", "conversations.connect:manage", "conversations.connect:read",
        "conversations.connect:write", "dnd:read", "emoji:read", "files:read", "files:write",
        "groups:history", "groups:read", "groups:write", "im:history", "im:read", "im:write",
        "incoming-webhook", "links:read", "links:write", "lists:read", "lists:write", "metadata.message:read",
        "mpim:history", "mpim:read", "mpim:write", "pins:read", "pins:write", "reactions:read",
        "reactions:write", "reminders:read", "reminders:write", "remote_files:read", "remote_files:share",
        "remote_files:write", "team:read", "usergroups:read", "usergroups:write", "users.profile:read",
        "users:read", "users:read.email", "users:write", "workflow.steps:execute",
    }
)  # fmt: skip
"""Bot scopes as https://docs.slack.dev/reference/scopes lists them; Slack's own schema takes any word."""

KNOWN_EVENTS = frozenset(
    {
        "app_home_opened", "app_mention", "app_rate_limited", "app_uninstalled", "channel_archive",
        "channel_created", "channel_deleted", "channel_left", "channel_rename", "channel_unarchive",
        "group_archive", "group_deleted", "group_left", "group_rename", "group_unarchive", "link_shared",
        "member_joined_channel", "member_left_channel", "message.channels", "message.groups", "message.im",
        "message.mpim", "reaction_added", "reaction_removed", "subteam_created", "subteam_members_changed",
        "subteam_updated", "team_join", "tokens_revoked", "user_change",
    }
)  # fmt: skip
"""Events as https://docs.slack.dev/reference/events lists them, as far as an app like this could want one."""


def closed(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def text(longest, **more):
    return TEXT | {"maxLength": longest} | more


def listed(item, most):
    return {"type": "array", "items": item, "maxItems": most, "uniqueItems": True}


# The fields that we use, with the limits of Slack's own schema: github.com/slackapi/manifest-schema.
SLACKS_LIMITS = closed(
    ("display_information", "features", "oauth_config", "settings"),
    _metadata=closed(("major_version",), major_version={"const": 1}, minor_version={"type": "integer"}),
    display_information=closed(
        ("name",),
        name=text(35),
        description=text(140),
        long_description=TEXT | {"minLength": 175, "maxLength": 4000},
        background_color=text(7, pattern="^#([0-9a-f]{3}|[0-9a-f]{6})$"),
    ),
    features=closed(
        ("app_home", "bot_user", "slash_commands"),
        app_home=closed(
            (),
            home_tab_enabled=YES_OR_NO,
            messages_tab_enabled=YES_OR_NO,
            messages_tab_read_only_enabled=YES_OR_NO,
        ),
        bot_user=closed(("display_name",), display_name=text(80), always_online=YES_OR_NO),
        slash_commands=listed(
            closed(
                ("command", "description"),
                command=text(32, pattern="^/[a-z0-9_-]+$"),
                url=ADDRESS,
                description=text(2000),
                usage_hint=text(1000),
                should_escape=YES_OR_NO,
            ),
            50,
        ),
    ),
    oauth_config=closed(
        ("scopes",),
        scopes=closed(
            ("bot",),
            bot=listed({"enum": sorted(KNOWN_SCOPES)}, 255),
            bot_optional=listed({"enum": sorted(KNOWN_SCOPES)}, 255),
        ),
    ),
    settings=closed(
        ("event_subscriptions", "interactivity", "socket_mode_enabled"),
        event_subscriptions=closed(
            ("bot_events",), request_url=ADDRESS, bot_events=listed({"enum": sorted(KNOWN_EVENTS)}, 100)
        ),
        interactivity=closed(("is_enabled",), is_enabled=YES_OR_NO, request_url=ADDRESS),
        org_deploy_enabled=YES_OR_NO,
        socket_mode_enabled=YES_OR_NO,
        token_rotation_enabled=YES_OR_NO,
    ),
)
FITS = Draft202012Validator(SLACKS_LIMITS)


REQUIRED, OPTIONAL = scopes()


def calls_in(folder: Path) -> Iterator[ast.Call]:
    for path in folder.rglob("*.py"):
        yield from (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))


def web_api_methods() -> set[str]:
    """The Web API methods that the code calls with the bot's token: `client.chat_update` and its like."""
    found = set()
    for call in (c for part in ("slack", "commands", "roles", "api") for c in calls_in(HERE / "bot" / part)):
        match call.func:
            case ast.Attribute(value, attr) if ast.unparse(value).endswith("client"):
                found |= {IN_THE_SDK[attr]} if attr.startswith(tuple(FAMILIES)) else set()
    return {name for name in found if METHODS[name].token is not Token.APP}


def registered(kind: str) -> set[str]:
    """What listeners registered as `app.event("…")` or `app.command("…")` are for."""
    return {
        str(call.args[0].value)
        for call in calls_in(HERE / "bot" / "slack")
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == kind
        and ast.unparse(call.func.value) == "app"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


@pytest.mark.parametrize("url", [None, "https://signoff.example.com"])
def test_the_manifest_keeps_slacks_limits_and_names_known_scopes_and_events(url):
    FITS.validate(manifest(url))
    assert json.loads(json.dumps(manifest(url))) == manifest(url)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("display_information.name", "x" * 36),
        ("display_information.description", "x" * 141),
        ("features.slash_commands.0.command", "approvals"),
        ("features.bot_user.displayname", "signoff"),
        ("oauth_config.scopes.bot.0", "chat:writes"),
        ("settings.event_subscriptions.bot_events.0", "app_home_open"),
    ],
)
def test_the_check_itself_notices_what_slack_would_refuse(path, wrong):
    said = manifest()
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    inner = said
    for step in way:
        inner = inner[step]
    inner[last] = wrong
    with pytest.raises(ValidationError):
        FITS.validate(said)


def test_as_it_stands_it_is_for_socket_mode_and_names_no_address():
    assert manifest()["settings"]["socket_mode_enabled"] is True
    assert "https://" not in json.dumps(manifest())


@pytest.mark.parametrize(
    "url",
    [
        "https://signoff.example.com",
        "https://signoff.example.com/",
        "https://signoff.example.com/slack/events",
        " https://signoff.example.com/slack/events/ ",
    ],
)
def test_for_http_the_three_places_name_one_address_and_the_socket_is_off(url):
    said = manifest(url)
    address = "https://signoff.example.com/slack/events"
    assert said["settings"]["socket_mode_enabled"] is False
    assert said["settings"]["event_subscriptions"]["request_url"] == address
    assert said["settings"]["interactivity"]["request_url"] == address
    assert [command["url"] for command in said["features"]["slash_commands"]] == [address]


def test_a_path_before_slacks_is_kept():
    said = manifest("https://example.com:8443/signoff")
    expected = "https://example.com:8443/signoff/slack/events"
    assert said["settings"]["interactivity"]["request_url"] == expected


@pytest.mark.parametrize(
    "url",
    ["", "signoff.example.com", "http://signoff.example.com", "https://", "https://a b", "https://a?x=1",
     "https://a#x", "ftp://a", "https://a:port", "https://[::1"],
)  # fmt: skip
def test_an_address_that_slack_would_not_post_to_is_refused(url):
    with pytest.raises(BadUrl):
        manifest(url)


def test_asking_for_one_address_does_not_change_the_next_answer():
    manifest("https://signoff.example.com")
    assert manifest()["settings"]["socket_mode_enabled"] is True


def test_every_method_that_the_code_calls_is_opened_by_a_scope_that_is_asked_for():
    used = web_api_methods()
    assert {"chat.postMessage", "chat.update", "views.open", "users.info", "usergroups.list"} <= used
    granted = REQUIRED | OPTIONAL
    shut = {name for name in used if METHODS[name].scopes and granted.isdisjoint(METHODS[name].scopes)}
    assert shut == set()


def test_only_what_reads_history_rests_on_an_optional_scope():
    used = web_api_methods()
    optional = {n for n in used if METHODS[n].scopes and REQUIRED.isdisjoint(METHODS[n].scopes)}
    assert optional <= {"conversations.history", "conversations.replies"}
    assert all(scope.endswith(":history") for scope in OPTIONAL)


def test_an_optional_scope_is_one_of_those_asked_for_as_slack_wants_it():
    # github.com/slackapi/slack-cli/pull/517 lists them in both places.
    asked = manifest()["oauth_config"]["scopes"]
    assert set(asked["bot_optional"]) < set(asked["bot"])


def test_no_scope_is_asked_for_that_nothing_uses():
    used = {scope for name in web_api_methods() for scope in METHODS[name].scopes} | {"commands"}
    assert (REQUIRED | OPTIONAL) - used == set()


def test_every_scope_says_why_it_is_asked_for():
    lines = (HERE / "manifest.yml").read_text().splitlines()
    for scope in REQUIRED | OPTIONAL:
        why = next(line for line in lines if line.strip().startswith(f"- {scope} "))
        assert re.search(r"# \S+", why), why


def test_every_event_and_command_that_is_listened_to_is_subscribed_and_no_other():
    events = set(manifest()["settings"]["event_subscriptions"]["bot_events"])
    commands = {command["command"] for command in manifest()["features"]["slash_commands"]}
    assert registered("event") == events == set(SUBSCRIBED)
    assert registered("command") == commands
    assert registered("shortcut") == set()
    assert "commands" in REQUIRED
