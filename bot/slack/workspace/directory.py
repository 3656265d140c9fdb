"""People and groups as Slack knows them, kept so that a listener never waits for Slack."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.approvals.policy import is_user
from bot.approvals.standing import STALE_AFTER
from bot.patience import USUAL, Patience
from bot.slack.workspace.channels import CHANNEL_KEPT, Channels
from bot.slack.workspace.failures import code_of
from bot.slack.workspace.people import gone, judge_anew, keep

KNOWN_FOR = timedelta(hours=1)
"""How long one who may decide is believed still to be someone who may, before their copy is judged again:
a click is judged by less, and each look-up is a call to Slack, which allows about a hundred a minute."""

ASK_AGAIN_SECONDS = 60.0
ASK_AGAIN = timedelta(seconds=ASK_AGAIN_SECONDS)
"""How soon the groups may be asked for once more where one is not among them: Slack's rate is 20 a minute."""

MOST_AT_ONCE = 20
"""Earlier voters whom one click looks up: they share its second, and the listeners' connections."""

GONE = ("user_not_found", "user_not_visible")

Unreachable = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)
"""How a call to Slack fails."""


@dataclass(frozen=True)
class Audience:
    """Whom a policy's approvers come to.

    `outside` are not in the card's channel; nobody, where Slack would not say who is. `unknown` are names of
    groups that do not exist. `barred` are those who never may, as far as that was looked up; `unseen` those
    who were not looked up lately.
    """

    people: frozenset[str]
    outside: frozenset[str]
    unknown: tuple[str, ...] = ()
    barred: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()


class Directory:
    """Looks things up in Slack and keeps them; every answer carries when it was given."""

    def __init__(
        self, client: AsyncWebClient, pool: AsyncConnectionPool[Any], patience: Patience = USUAL
    ) -> None:
        self.channels = Channels(client, pool)
        self._patience = patience
        self._client = client
        self._pool = pool
        self._group_refresh = asyncio.Lock()
        self._groups_asked_at = -ASK_AGAIN_SECONDS

    async def freshen(self, user: str, approval_id: str | None = None) -> None:
        """Look up again what a decision of `user` rests on and has become stale, as long as anybody waits.

        That is who they are, who belongs to the groups, and who those are that voted before.
        What could not be looked up stays as old as it was: whoever judges by it says "could not check".
        """
        async with self._pool.connection() as conn:
            about = {
                "user": user,
                "approval": approval_id,
                "kept": STALE_AFTER,
                "again": ASK_AGAIN,
                "most": MOST_AT_ONCE,
            }
            found = await conn.execute(_STALE, about)
            row = await found.fetchone()
        wanted: list[Coroutine[Any, Any, Any]] = []
        if row is None or row["person"]:
            wanted.append(self.look_up_person(user))
        if row is not None and row["groups"]:
            wanted.append(self.refresh_groups())
        if row is not None:
            wanted += [self.look_up_person(voter) for voter in row["voters"]]
        if wanted:
            try:
                async with asyncio.timeout(self._patience.look_up):
                    await asyncio.gather(*wanted, return_exceptions=True)
            except TimeoutError:
                return

    async def look_up_person(self, user: str) -> dict[str, Any]:
        """Ask Slack who `user` is; raises `SlackApiError` where there is no such user.

        Whom we knew, and Slack does not any more, counts as deactivated from then on.
        """
        try:
            said = (await self._client.users_info(user=user))["user"]
        except SlackApiError as error:
            if code_of(error) in GONE:
                await self._gone(user)
            raise
        async with self._pool.connection() as conn, conn.transaction():
            return await keep(conn, user, said)

    async def _gone(self, user: str) -> None:
        async with self._pool.connection() as conn, conn.transaction():
            await gone(conn, user)

    async def begin(self) -> None:
        """Know the groups before the first card mentions one; where Slack does not answer, later."""
        async with self._pool.connection() as conn:
            found = await conn.execute("select exists (select 1 from user_groups) as known")
            row = await found.fetchone()
        if row and not row["known"]:
            with suppress(*Unreachable):
                await self.refresh_groups()
                self._groups_asked_at = time.monotonic()

    async def refresh_groups(self) -> None:
        """Ask Slack for all user groups with their members, in one call of the scarce second tier."""
        async with self._group_refresh:
            said = await self._client.usergroups_list(include_users=True)
            rows = [
                {
                    "group_id": group["id"],
                    "handle": group["handle"],
                    "name": group.get("name", group["handle"]),
                    "members": group.get("users") or [],
                }
                for group in said["usergroups"]
            ]
            async with self._pool.connection() as conn, conn.transaction():
                changed = await (await conn.execute(_KEEP_GROUPS, {"rows": Jsonb(rows)})).fetchall()
                people, handles = (
                    [row[what] for row in changed if row[what]] for what in ("member", "called")
                )
                await judge_anew(conn, people, handles)

    async def audience(self, approvers: Iterable[str], channel_id: str) -> Audience:
        """Say who may decide, groups unfolded, and who of them is not in the channel.

        Costs one statement where all is known, and raises how Slack fails where it has to be asked.
        """
        names = list(approvers)
        known = await self._known(names, channel_id)
        if known["unknown"] and time.monotonic() - self._groups_asked_at >= ASK_AGAIN_SECONDS:
            self._groups_asked_at = time.monotonic()
            await self.refresh_groups()
            known = await self._known(names, channel_id)
        people = frozenset(name for name in names if is_user(name)) | frozenset(known["people"] or ())
        unknown, barred = tuple(known["unknown"] or ()), frozenset(known["barred"] or ())
        unseen = people - frozenset(known["seen"] or ())
        if not people:
            return Audience(people, frozenset(), unknown, barred)
        if known["fresh"]:
            members = known["members"]
        else:
            members = (await self.channels.looked_up(channel_id, channel_id)).members
        outside = frozenset[str]() if members is None else people - frozenset(members)
        return Audience(people, outside, unknown, barred, unseen)

    async def _known(self, names: list[str], channel_id: str) -> dict[str, Any]:
        wanted = {
            "users": [name for name in names if is_user(name)],
            "groups": [name for name in names if not is_user(name)],
            "channel": channel_id,
            "kept": CHANNEL_KEPT,
            "stale": STALE_AFTER,
            "known_for": KNOWN_FOR,
        }
        async with self._pool.connection() as conn:
            found = await conn.execute(_AUDIENCE, wanted)
            row: dict[str, Any] | None = await found.fetchone()
        if row is None:
            raise LookupError(channel_id)
        return row


async def handles(conn: Any) -> Mapping[str, str]:
    """Return every known group handle (`@name`) with its id, for mentions."""
    found = await conn.execute("select '@' || handle as handle, group_id from user_groups")
    return {row["handle"]: row["group_id"] for row in await found.fetchall()}


_STALE = """
select not exists (select 1 from people where user_id = %(user)s
                   and signoff_now() - fetched_at < %(kept)s) as person,
       exists (select 1 from approvals a,
                             jsonb_array_elements_text(a.policy -> 'approvers') as approver (named)
               where a.approval_id = %(approval)s and (approver.named like 'S%%' or approver.named like '@%%')
               and not exists (select 1 from user_groups g
                               where approver.named in (g.group_id, '@' || g.handle)
                               and signoff_now() - g.fetched_at < %(kept)s))
       and not exists (select 1 from user_groups
                       where signoff_now() - fetched_at < %(again)s) as groups,
       array(select v.user_id from votes v join approvals a using (approval_id, revision)
             where v.approval_id = %(approval)s and v.user_id <> %(user)s
             and not exists (select 1 from people p where p.user_id = v.user_id
                             and signoff_now() - p.fetched_at < %(kept)s)
             limit %(most)s) as voters
"""

_AUDIENCE = """
with joined as (
    select array_agg(member) as members from user_groups g, unnest(g.members) as member
    where g.group_id = any(%(groups)s) or '@' || g.handle = any(%(groups)s)
), known as (
    select p.user_id, p.fetched_at,
           signoff_barred(p.profile, s.team_id) as barred
    from people p, slack_workspace s
    where p.user_id = any(array_cat(%(users)s::text[], (select members from joined)))
)
select (select members from joined) as people,
       (select array_agg(user_id) from known where barred) as barred,
       (select array_agg(user_id) from known
        where signoff_now() - fetched_at < case when barred then %(stale)s else %(known_for)s end) as seen,
       (select array_agg(asked.named) from unnest(%(groups)s::text[]) as asked (named)
        where not exists (select 1 from user_groups g
                          where asked.named in (g.group_id, '@' || g.handle))) as unknown,
       c.members, c.name is not null as fresh
from (select %(channel)s::text as wanted) w
left join channels c on c.name = w.wanted and signoff_now() - c.fetched_at < %(kept)s
"""

# Returns who came to a group or left it (those of one that has another handle did both), and which handles
# are another group's now, or nobody's.
_KEEP_GROUPS = """
with said as (
    select * from jsonb_to_recordset(%(rows)s) as g (group_id text, handle text, name text, members text[])
), gone as (
    delete from user_groups where group_id not in (select group_id from said)
), kept as (
    insert into user_groups select group_id, handle, name, members, signoff_now() from said
    on conflict (group_id) do update set handle = excluded.handle, name = excluded.name,
                                         members = excluded.members, fetched_at = excluded.fetched_at
), changed as (
    select group_id, g.handle as old_handle, g.members as old, s.handle, s.members
    from user_groups g full join said s using (group_id)
    where (g.handle, g.members) is distinct from (s.handle, s.members)
), was as (
    select group_id, old_handle as handle, unnest(old) as member from changed
), becomes as (
    select group_id, handle, unnest(members) as member from changed
), called as (
    select group_id, old_handle as handle from changed
), calls_itself as (
    select group_id, handle from changed
)
select member, null as called from (table was except table becomes) as lost
union
select member, null from (table becomes except table was) as gained
union
select null, '@' || handle from (table called except table calls_itself) as left_behind
union
select null, '@' || handle from (table calls_itself except table called) as taken
"""
