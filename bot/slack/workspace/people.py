"""What Slack says of a person, kept; what they see is drawn anew where they may decide by now, or no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from bot.facts import audience, homes

GUESTS = ("is_restricted", "is_ultra_restricted")


async def keep(conn: AsyncConnection[Any], user: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what users.info says of somebody; returns that as we know it.

    The caller opens the transaction: what is drawn again follows from what is kept, and from nothing else.
    """
    profile = {
        "team_id": said.get("team_id"),
        "name": said.get("real_name") or (said.get("profile") or {}).get("real_name") or said.get("name"),
        "is_bot": bool(said.get("is_bot") or user == "USLACKBOT"),
        "is_guest": any(said.get(kind) for kind in GUESTS) or bool(said.get("is_stranger")),
        "is_deactivated": bool(said.get("deleted")),
        "tz": said.get("tz"),
    }
    about = {"user": user, "profile": Jsonb(profile), "teams": teams_of(said)}
    row = await (await conn.execute(_KEEP, about)).fetchone()
    if row and row["turned"]:
        await judge_anew(conn, [user], [])
    return dict(row["profile"]) if row else profile


async def gone(conn: AsyncConnection[Any], user: str) -> None:
    """Count somebody whom Slack does not know any more as deactivated."""
    row = await (await conn.execute(_GONE, {"user": user})).fetchone()
    if row and row["turned"]:
        await judge_anew(conn, [user], [])


async def judge_anew(conn: AsyncConnection[Any], people: list[str], handles: list[str]) -> None:
    """Want all drawn again that shows these people what they may decide, or names a group so."""
    if people or handles:
        await audience.regrouped(conn, people, handles)
        await homes.regrouped(conn, people)


def teams_of(said: Mapping[str, Any]) -> list[str]:
    """Return the workspaces that somebody belongs to, of what users.info says of them.

    Who is in several of an organization has no `team_id`, or any one of them (looker/lookerbot#184).
    """
    teams = (said.get("enterprise_user") or {}).get("teams") or said.get("teams") or ()
    return [str(team) for team in (said.get("team_id"), *teams) if team]


# `turned` is whether they may decide by now and could not before, or the other way round.
_KEEP = """
with was as (select profile from people where user_id = %(user)s)
insert into people
select %(user)s,
       %(profile)s || case when s.team_id = any(%(teams)s::text[])
                           then jsonb_build_object('team_id', s.team_id) else '{}' end,
       signoff_now()
from slack_workspace s
on conflict (user_id) do update set profile = excluded.profile, fetched_at = excluded.fetched_at
returning profile, signoff_barred(profile, (select team_id from slack_workspace))
    <> coalesce((select signoff_barred(was.profile, team_id) from was, slack_workspace), false) as turned
"""

_GONE = """
update people p set profile = p.profile || '{"is_deactivated": true}', fetched_at = signoff_now()
from people was cross join slack_workspace s
where p.user_id = %(user)s and was.user_id = p.user_id
returning not signoff_barred(was.profile, s.team_id) as turned
"""
