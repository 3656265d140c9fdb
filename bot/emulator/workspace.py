"""Who and what a workspace holds before anything happens in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

BOT_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "mpim:write",
        "usergroups:read",
        "users:read",
    }
)
"""What the bot token may do unless a test says otherwise; history scopes are optional in our manifest."""


ENTERPRISE = {"id": "E00DEMO", "name": "Northwind Group"}
"""The organization of those who are in several of its workspaces."""


@dataclass(frozen=True)
class User:
    """A person or a bot; `is_restricted` is a guest, `is_stranger` someone of another workspace.

    `teams` are the workspaces of one organization that they are in, `team_id` any one of them.
    """

    id: str
    name: str
    real_name: str
    title: str = ""
    tz: str = "Europe/Berlin"
    team_id: str = ""
    teams: tuple[str, ...] = ()
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class Group:
    """A user group, mentioned as `@handle`."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Channel:
    """A channel (`C…`), a direct message (`D…`) or a group message (`G…`)."""

    id: str
    name: str
    members: frozenset[str] = frozenset()
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    is_im: bool = False
    is_mpim: bool = False
    topic: str = ""


@dataclass(frozen=True)
class Workspace:
    """One team with one app installed in it, and that app's credentials."""

    team_id: str
    team_name: str
    domain: str
    bot_user: User
    bot_id: str
    app_id: str
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    channels: tuple[Channel, ...] = ()
    bot_token: str = "xoxb-emulator"  # noqa: S105 - opens nothing but this emulator
    app_token: str = "xapp-emulator"  # noqa: S105 - opens nothing but this emulator
    signing_secret: str = field(default="emulator-signing-secret", repr=False)
    bot_scopes: frozenset[str] = BOT_SCOPES
    app_scopes: frozenset[str] = frozenset({"connections:write"})


MAYA, FINN, DANA, OKEY = "U01MAYA", "U02FINN", "U03DANA", "U04OKEY"
ROSA, CLEO, OTTO, GWEN = "U05ROSA", "U06CLEO", "U07OTTO", "U08GWEN"
BUILDER, LENA, XENO, BOT = "U09BOTT", "U10LEFT", "U11XENO", "U00SIGNOFF"


def demo_workspace() -> Workspace:
    """Northwind Demo: the people, groups and channels that the demo and the tests speak of."""
    return Workspace(
        team_id="T00DEMO",
        team_name="Northwind Demo",
        domain="northwind-demo",
        bot_user=User(BOT, "signoff", "Signoff", tz="UTC", is_bot=True),
        bot_id="B00SIGNOFF",
        app_id="A00SIGNOFF",
        users=_demo_users(),
        groups=(
            Group("S01FINMGR", "finance-managers", "Finance Managers", (MAYA, FINN)),
            Group("S02FINDIR", "finance-directors", "Finance Directors", (DANA, FINN)),
            Group("S03ONCALL", "on-call", "On-call Engineers", (OKEY,)),
            Group("S04COMPLY", "compliance", "Compliance", (CLEO,)),
            Group("S05EMPTY", "nobody", "Nobody"),
        ),
        channels=_demo_channels(),
    )


def _demo_users() -> tuple[User, ...]:
    return (
        User(MAYA, "maya", "Maya Ortiz", "Finance Manager", "Europe/Madrid"),
        User(FINN, "finn", "Finn Adler", "Finance Manager", "Europe/Berlin"),
        User(DANA, "dana", "Dana Whitfield", "Finance Director", "America/New_York"),
        User(OKEY, "okey", "Okey Nwosu", "On-call Engineer", "Africa/Lagos"),
        User(ROSA, "rosa", "Rosa Lindqvist", "Sales", "Europe/Stockholm"),
        User(CLEO, "cleo", "Cleo Marchetti", "Compliance Officer", "Europe/Rome"),
        User(OTTO, "otto", "Otto Brandt", "Office Manager", "Europe/Berlin"),
        User(GWEN, "gwen", "Gwen Tan", "Guest Auditor", "Asia/Singapore", is_restricted=True),
        User(BUILDER, "builder", "Builder Bot", "Automation", "UTC", is_bot=True),
        User(LENA, "lena", "Lena Left", "Former Finance Manager", "Europe/Berlin", deleted=True),
        User(XENO, "xeno", "Xeno Stranger", "Partner", "Europe/London", team_id="T99OTHER", is_stranger=True),
    )


def _demo_channels() -> tuple[Channel, ...]:
    everybody = frozenset({MAYA, FINN, DANA, OKEY, ROSA, CLEO, OTTO, GWEN, BUILDER, XENO, BOT})
    return (
        Channel(
            "C01FINANCE",
            "finance-approvals",
            frozenset({MAYA, FINN, DANA, ROSA, OTTO, GWEN, BOT}),
            topic="Payments that wait for a yes",
        ),
        Channel(
            "C02ONCALL", "on-call", frozenset({OKEY, MAYA, OTTO, BOT}), topic="Alerts and their runbooks"
        ),
        Channel(
            "C03SUPPORT", "support-review", frozenset({CLEO, ROSA, BOT}), topic="Answers that a rule flagged"
        ),
        Channel(
            "C04OPS",
            "signoff-ops",
            frozenset({OKEY, DANA, BOT}),
            topic="What expired, what is stuck, what is due",
        ),
        Channel("C05GENERAL", "general", everybody, topic="Northwind, all of it"),
        Channel("C06SECRET", "secret", frozenset({DANA, CLEO})),
        Channel("C07OLD", "old", frozenset({MAYA, FINN, BOT}), is_archived=True),
    )
