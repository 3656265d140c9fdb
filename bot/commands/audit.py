"""`audit export` and `audit verify`: the trail as JSON lines, and the proof that it was not altered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import typer
from psycopg import AsyncConnection

from bot.commands.audit_trail import Entry, Proof, parsed
from bot.commands.database import desk
from bot.commands.printing import say, say_json
from bot.commands.told import one_line
from bot.settings import Settings

_AT_ONCE = 2000


def export(thread_id: str | None) -> None:
    """Print every line of every chain, or of one thread's, with its hash."""

    async def act() -> None:
        async with desk(Settings()) as at:
            async for page in _pages(at.conn, thread_id):
                for row in page:
                    line = {key: row[key] for key in ("chain", "n", "hash")}
                    say_json(line | {"body": parsed(row["body"])}, indent=None)

    asyncio.run(act())


def verify(*, as_json: bool) -> None:
    """Recompute every hash; the exit code is 1 where a line was altered, added or taken away."""
    proof = asyncio.run(_verified())
    lines, chains, found = proof.lines, proof.chains, proof.faults
    if as_json:
        say_json({"ok": not found, "lines": lines, "chains": chains, "faults": [vars(f) for f in found]})
    elif not found:
        say(f"{lines} lines in {chains} chains: nothing was altered.")
    for fault in () if as_json else found:
        typer.echo(f"signoff: {one_line(fault.why)}", err=True)
    if found:
        raise typer.Exit(1)


async def _verified() -> Proof:
    """Read all of one moment, a page at a time, however long the trail has become."""
    proof = Proof()
    async with desk(Settings()) as at, at.conn.transaction():
        await at.conn.execute("set transaction isolation level repeatable read read only")
        async for page in _pages(at.conn, None):
            for row in page:
                head = None if row["head_n"] is None else (row["head_n"], row["head_hash"])
                proof.read(_entry(row), head)
        proof.end()
        for row in await (await at.conn.execute(_GONE)).fetchall():
            proof.gone(row["chain"], row["n"])
    return proof


async def _pages(conn: AsyncConnection[Any], thread_id: str | None) -> AsyncIterator[list[dict[str, Any]]]:
    """Read the chains in order, each line with its chain's head."""
    last: tuple[str, int] = ("", 0)
    while True:
        found = await conn.execute(
            _PAGE, {"chain": last[0], "n": last[1], "thread": thread_id, "most": _AT_ONCE}
        )
        rows = await found.fetchall()
        yield rows
        if len(rows) < _AT_ONCE:
            return
        last = (rows[-1]["chain"], rows[-1]["n"])


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(row["chain"], row["n"], row["body"], row["hash"])


_PAGE = """
select a.chain, a.n, a.body, a.hash, h.n as head_n, h.hash as head_hash
from audit a left join audit_heads h using (chain)
where (a.chain, a.n) > (%(chain)s, %(n)s) and (%(thread)s::text is null or a.chain = %(thread)s)
order by a.chain, a.n limit %(most)s
"""

# Every thread has had a line from its first moment.
_GONE = """
select chain, n from audit_heads h where not exists (select 1 from audit a where a.chain = h.chain)
union all
select thread_id, 0 from threads t
where not exists (select 1 from audit_heads h where h.chain = t.thread_id)
  and not exists (select 1 from audit a where a.chain = t.thread_id)
"""
