"""Copies of a message that nobody knew of, or that were drawn over: one is live, and it is right."""

from __future__ import annotations

from bot.facts.messages import stray
from bot.postgres.fact import Fact
from bot.postgres.rows import Message

WITH_BUTTONS = ("card", "direct_card")


async def lost(recorded: Fact, message: Message, channel_id: str, ts: str) -> None:
    """Another worker drew the message meanwhile, and we drew over it, or posted a copy that nobody knows.

    A copy with buttons is rewritten to point at the live one; of anything else the second copy is taken away.
    """
    if await redraw_live(recorded, channel_id, ts):
        return
    gone = message.kind not in WITH_BUTTONS
    recorded.post(stray(message.approval_id, message.thread_id, channel_id, ts, gone=gone))


async def adopted(recorded: Fact, message: Message, channel_id: str, ts: str) -> None:
    """A post that was found again is the live one, whoever took it for a stray before.

    The caller holds the row of its approval, and its own.
    """
    found = await recorded.conn.execute(_NO_STRAY, {"id": f"stray:{channel_id}:{ts}"})
    if await found.fetchone() is not None:
        recorded.redraw(message.message_id)


async def redraw_live(recorded: Fact, channel_id: str, ts: str) -> bool:
    """Draw again the live message at a place, which somebody may have drawn over; False: there is none."""
    found = await recorded.conn.execute(_LIVE, {"channel": channel_id, "ts": ts})
    rows = await found.fetchall()
    for row in rows:
        recorded.redraw(row["message_id"])
    return bool(rows)


_LIVE = """
select message_id from messages
where channel_id = %(channel)s and ts = %(ts)s and kind <> 'stray' for update
"""

_NO_STRAY = "update messages set drawn = wanted, error = null where message_id = %(id)s returning message_id"
