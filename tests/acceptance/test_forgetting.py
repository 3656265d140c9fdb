"""What operations.md gives to forget old threads with: nothing is left of them, all else stays."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import psycopg
from asking import asked, offer
from fixtures_house import FINANCE, MAYA, Running

from bot.slack.cards.refusals import refusal

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
KEPT_OF_A_THREAD = """
select chain as of, 'audit' as what from audit union all select chain, 'audit' from audit_heads
union all select thread_id, 'thread' from threads union all select thread_id, 'approval' from approvals
union all select thread_id, 'message' from messages
union all select a.thread_id, 'vote' from votes join approvals a using (approval_id)
union all select thread_id, 'checkpoint' from checkpoints
union all select thread_id, 'value' from checkpoint_blobs
union all select thread_id, 'write' from checkpoint_writes
"""


def forgets() -> str:
    (statements,) = re.findall(r"```sql\n(begin;\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return statements


async def forget(house: Running) -> None:
    async with await psycopg.AsyncConnection.connect(house.dsn, autocommit=True) as conn:
        await conn.execute(forgets())


async def kept(house: Running, thread_id: str) -> set[str]:
    rows = await house.rows(f"select distinct what from ({KEPT_OF_A_THREAD}) rows where of = %s", thread_id)
    return {row["what"] for row in rows}


async def test_nothing_is_left_of_what_ended_long_ago_and_its_card_is_unknown(house: Running) -> None:
    offer(house)
    old = await asked(house, summary="At length. " * 600)
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    assert await kept(house, old) == {
        "audit", "thread", "approval", "message", "vote", "checkpoint", "value", "write",
    }  # fmt: skip

    await house.pass_time(timedelta(days=300))
    await forget(house)
    assert "thread" in await kept(house, old)

    await house.pass_time(timedelta(days=100))
    await forget(house)
    assert await kept(house, old) == set()

    await house.click(MAYA, FINANCE, "signoff.whole")
    assert house.slack.ephemerals(MAYA)[-1]["text"] == refusal("unknown")


async def test_what_waits_is_kept_however_old_and_can_be_answered(house: Running) -> None:
    offer(house)
    waiting = await asked(house)
    before = await kept(house, waiting)

    await house.pass_time(timedelta(days=4000))
    await forget(house)

    assert await kept(house, waiting) == before
    await house.click(MAYA, FINANCE, "signoff.approve")
    await house.drain()
    assert (await house.thread(waiting)).status == "done"


REFERRING_WITHOUT_INDEX = """
select conrelid::regclass::text as referring, attname
from pg_constraint
join pg_attribute on attrelid = conrelid and attnum = conkey[1]
where contype = 'f' and conrelid::regclass::text in ('approvals', 'votes', 'messages')
  and not exists (select from pg_index where indrelid = conrelid and indkey[0] = conkey[1])
"""


async def test_no_table_is_searched_for_what_refers_to_each_row_that_is_forgotten(house: Running) -> None:
    assert await house.rows(REFERRING_WITHOUT_INDEX) == []
