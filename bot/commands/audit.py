"""`audit export` and `audit verify`: the trail as JSON lines, and the proof that it was not altered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import typer
from psycopg import AsyncConnection

from bot.commands.audit_trail import Entry, Fault, faults
from bot.commands.database import desk
from bot.commands.printing import say, say_json
from bot.settings import Settings

_AT_ONCE = 2000


def export(thread_id: str | None) -> None:
    """Print every line of every chain, or of one thread's, with its hash."""

    async def act() -> None:
        async with desk(Settings()) as at:
            async for entry in _entries(at.conn, thread_id):
                line = {"chain": entry.chain, "n": entry.n, "hash": entry.hash, "body": _parsed(entry.body)}
                say_json(line, indent=None)

    asyncio.run(act())


def verify(*, as_json: bool) -> None:
    """Recompute every hash; the exit code is 1 where a line was altered, added or taken away."""
    lines, chains, found = asyncio.run(_verified())
    if as_json:
        say_json({"ok": not found, "lines": lines, "chains": chains, "faults": [vars(f) for f in found]})
    elif not found:
        say(f"{lines} lines in {chains} chains: nothing was altered.")
    for fault in () if as_json else found:
        typer.echo(f"signoff: {fault.why}", err=True)
    if found:
        raise typer.Exit(1)


async def _verified() -> tuple[int, int, list[Fault]]:
    async with desk(Settings()) as at, at.conn.transaction():
        await at.conn.execute("set transaction isolation level repeatable read read only")
        said = await at.conn.execute("select chain, n, hash from audit_heads")
        heads = {row["chain"]: (row["n"], row["hash"]) for row in await said.fetchall()}
        entries = [entry async for entry in _entries(at.conn, None)]
        chains = {entry.chain for entry in entries} | set(heads)
        return len(entries), len(chains), list(faults(entries, heads))


async def _entries(conn: AsyncConnection[Any], thread_id: str | None) -> AsyncIterator[Entry]:
    """Read the chains in order, page by page."""
    last: tuple[str, int] = ("", 0)
    while True:
        found = await conn.execute(
            _PAGE, {"chain": last[0], "n": last[1], "thread": thread_id, "most": _AT_ONCE}
        )
        rows = await found.fetchall()
        for row in rows:
            yield Entry(**row)
        if len(rows) < _AT_ONCE:
            return
        last = (rows[-1]["chain"], rows[-1]["n"])


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:  # altered beyond recognition: `verify` says so, and the text is what there is
        return body


_PAGE = """
select chain, n, body, hash from audit
where (chain, n) > (%(chain)s, %(n)s) and (%(thread)s::text is null or chain = %(thread)s)
order by chain, n limit %(most)s
"""
