"""Who draws a message now, and all that it shows: one statement, before Slack is called."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from bot.approvals.policy import Vote
from bot.facts.messages import CARD
from bot.postgres.rows import Approval, Message, Thread, votes_of

LEASE = timedelta(seconds=60)
"""How long a worker may take over one call to Slack before another believes it dead."""

PACED = timedelta(seconds=60)
"""How long after Slack said 429 the messages of a rate go one at a time."""

SPACING = timedelta(seconds=1.2)
"""Between two messages of a paced rate, all workers together: Slack takes about one post a second in a
channel, and 50 updates a minute."""

CATCHES_UP = timedelta(seconds=0.8)
"""So much of a turn's lateness is made up for by the next: those who wait are woken once a second only."""

UPDATES = "chat.update"
"""The rate of all updates; that of a post is its channel's."""

HOMES = "views.publish"


@dataclass(frozen=True)
class Claim:
    """The right to draw one message now, and all that it shows.

    `unknown_since` is set where an earlier post may have reached Slack without our noting it.
    `parent_channel` and `parent_ts` are where the message is that it replies to; `parent_error` says that
    this was given up. `card` is where the live card is: the channel's, or for a copy in a direct conversation
    the one there; for word of an approval that was superseded the one that asks now; for a further page of a
    digest where the first is. `is_live` says of a stray that it is no stray after all; `is_listed` says of a
    copy whether the policy still names whom it went to, or their group, and they are nobody who never may.
    The channel's card itself shows none of this, nor `workspace_url`: they are not read for it.
    """

    lease: str
    rate: str
    message: Message
    unknown_since: datetime | None
    approval: Approval | None
    thread: Thread | None
    votes: tuple[Vote, ...]
    groups: dict[str, str]
    parent_channel: str | None
    parent_ts: str | None
    parent_error: str | None
    card: tuple[str, str] | None
    is_live: bool
    is_listed: bool
    workspace_url: str | None
    now: datetime
    read_at: float = field(default_factory=time.monotonic)

    @property
    def channel(self) -> str:
        """Where to post it: a reply goes where its card is, whatever that channel is called by now."""
        return self.parent_channel or self.message.target

    def moment(self) -> datetime:
        """Return the database's time by now."""
        return self.now + timedelta(seconds=time.monotonic() - self.read_at)


async def claim(conn: AsyncConnection[Any], message_id: str, ops_channel: str) -> Claim | None:
    """Take a message to draw it; None where there is nothing to do, or it is not its time, or not ours.

    A post's intent is written here. Where Slack said 429 lately, this takes a turn of the rate, too, if none
    of those that wait for one goes before it.
    """
    wanted = {
        "id": message_id,
        "lease": uuid4().hex,
        "held": LEASE,
        "ops": ops_channel,
        "paced": PACED,
        "spacing": SPACING,
        "catches_up": CATCHES_UP,
        "updates": UPDATES,
        "homes": HOMES,
    }
    found = await conn.execute(_CLAIM_CARD if message_id.startswith(CARD) else _CLAIM, wanted)
    row = await found.fetchone()
    if row is None:
        return None
    approval = approval_of(row["approval"]) if row["approval"] else None
    return Claim(
        lease=row["lease"],
        rate=row["rate"],
        message=Message.of(row | {"wanted": row["shows"]}),
        unknown_since=row["unknown_since"],
        approval=approval,
        thread=Thread.of(row["thread"]) if row["thread"] else None,
        votes=votes_of(row["votes"], approval.revision) if approval else (),
        groups=row["groups"] or {},
        parent_channel=row.get("parent_channel"),
        parent_ts=row.get("parent_ts"),
        parent_error=row.get("parent_error"),
        card=(row["card_channel"], row["card_ts"]) if row.get("card_ts") else None,
        is_live=row.get("is_live", False),
        is_listed=row.get("is_listed", False),
        workspace_url=row.get("url"),
        now=row["now"],
    )


def approval_of(row: dict[str, Any]) -> Approval:
    """Read an approval's row that came as JSON."""
    moments = {key: datetime.fromisoformat(at) for key, at in row.items() if key.endswith("_at") and at}
    return Approval.of(row | moments)


# By which rate a message goes, and its place among those that wait for a turn of it.
_RATE = """
case when m.kind = 'home' then %(homes)s
     when m.ts is not null or m.kind = 'stray' then %(updates)s
     when m.kind in ('ops', 'digest') then %(ops)s else m.target end
"""

_PLACE = "(-greatest(m.priority, case when m.ts is null then 0 else 40 end), m.created_at)"

# One that waits for the row gets it as it is, and all else as it was before whoever held it: what is drawn
# then is the version of that time (`shows`), and it is drawn once more. Only a post has to know for certain
# that its intent is kept: an update whose claim is lost with the server is made again.
_TAKEN = f"""
with ready as (
    select message_id, posting_since, {_RATE} as rate, {_PLACE} as place,
           case when kind in ('ops', 'digest') and ts is null then %(ops)s else target end as target
    from messages m
    where message_id = %(id)s and wanted > drawn and error is null
      and (retry_at is null or retry_at <= signoff_now())
      and (lease_until is null or lease_until <= signoff_now())
    for update
), turn as (
    update slack_rates r
    set not_before = greatest(r.not_before, signoff_now() - %(catches_up)s) + %(spacing)s
    from ready
    where r.channel = ready.rate
      and case when r.not_before <= signoff_now() and r.not_before > signoff_now() - %(paced)s
               then not exists (  -- only looked for where a turn is free
                   select 1 from messages m
                   where m.wanted > m.drawn and m.error is null and m.message_id <> ready.message_id
                     and (m.retry_at is null or m.retry_at <= signoff_now())
                     and (m.lease_until is null or m.lease_until <= signoff_now())
                     and {_RATE} = ready.rate and {_PLACE} < ready.place)
               else false end
    returning r.channel
), claimed as (
    update messages m
    set lease = %(lease)s, lease_until = signoff_now() + %(held)s, retry_at = null, target = ready.target,
        posting_since = case when ts is null then coalesce(m.posting_since, signoff_now()) end,
        attempts = attempts + 1
    from ready
    where m.message_id = ready.message_id
      and (exists (select 1 from turn)
           or not exists (select 1 from slack_rates r where r.channel = ready.rate
                                                        and r.not_before > signoff_now() - %(paced)s))
    returning m.*, ready.posting_since as unknown_since, ready.rate,
              case when ts is not null then set_config('synchronous_commit', 'off', true) end
)
"""  # noqa: S608  of constants

_ALL_THAT_SHOWS = """
select c.*, seen.wanted as shows, signoff_now() as now, to_json(a) as approval, to_jsonb(t) as thread, w.url,
       parent.channel_id as parent_channel, parent.ts as parent_ts, parent.error as parent_error,
       card.channel_id as card_channel, card.ts as card_ts,
       c.kind = 'stray' and exists (
           select 1 from messages live
           where live.channel_id = c.target and live.ts = c.body ->> 'ts' and live.kind <> 'stray'
       ) as is_live,
       case when c.kind = 'direct_card' then (a.policy -> 'approvers' ? c.target or exists (
           select 1 from user_groups g
           where c.target = any(g.members) and a.policy -> 'approvers' ?| array[g.group_id, '@' || g.handle]
       )) and not exists (
           select 1 from people p where p.user_id = c.target and signoff_barred(p.profile, w.team_id)
       ) else false end as is_listed,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = c.approval_id) as votes,
       (select jsonb_object_agg('@' || handle, group_id) from user_groups) as groups
from claimed c cross join slack_workspace w
left join approvals a using (approval_id)
left join threads t on t.thread_id = c.thread_id
left join messages parent on parent.message_id = c.parent_id
left join messages card on card.message_id = coalesce(
    (select d.message_id from messages d
     where c.kind = 'stray' and d.approval_id = c.approval_id and d.kind = 'direct_card'
       and d.channel_id = c.target limit 1),
    (select 'card:' || i.instead from asked_instead i
     where c.kind = 'told' and i.approval_id = c.approval_id),
    'card:' || c.approval_id, c.body ->> 'first')
join messages seen on seen.message_id = c.message_id
"""

_THE_CARD = """
select c.*, seen.wanted as shows, signoff_now() as now, to_json(a) as approval, to_jsonb(t) as thread,
       (select jsonb_agg(to_jsonb(v)) from votes v where v.approval_id = c.approval_id) as votes,
       (select jsonb_object_agg('@' || handle, group_id) from user_groups) as groups
from claimed c
left join approvals a using (approval_id)
left join threads t on t.thread_id = c.thread_id
join messages seen on seen.message_id = c.message_id
"""

_CLAIM = _TAKEN + _ALL_THAT_SHOWS

# Most of what is drawn. To open a table costs Postgres more than to read a row of it: this is half the work.
_CLAIM_CARD = _TAKEN + _THE_CARD
