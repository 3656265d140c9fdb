"""`threads`, `show`, `retry`, `cancel`, `redraw`: what an operator sees of threads and mends by hand."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

from bot.approvals.states import ThreadStatus
from bot.commands.database import desk, operator
from bot.commands.printing import say, say_json, table
from bot.commands.story import read, tell
from bot.commands.told import Failed, WrongUsage
from bot.facts import threads as facts
from bot.settings import Settings

_COLUMNS = ("thread_id", "workflow", "status", "open", "requester", "starter", "created_at", "error")


def threads(status: str | None, workflow: str | None, limit: int, *, as_json: bool) -> None:
    """List the newest threads; `open` counts the approvals that wait."""
    rows = asyncio.run(_listed({"statuses": _statuses(status), "workflow": workflow, "limit": limit}))
    if as_json:
        say_json(rows)
    elif rows:
        heads = ("THREAD", "WORKFLOW", "STATUS", "OPEN", "REQUESTER", "STARTER", "STARTED (UTC)", "ERROR")
        table(heads, ([row[column] for column in _COLUMNS] for row in rows))
    elif status or workflow:
        say("No threads of that kind; `signoff threads` lists the newest of all.")
    else:
        say("No threads. `signoff start` begins one; `signoff workflows` lists what can be started.")


def show(thread_id: str, *, as_json: bool) -> None:
    """Tell everything about one thread."""
    story = asyncio.run(_read(thread_id))
    if as_json:
        say_json(story)
    else:
        say("\n".join(tell(story)))


def retry(thread_id: str) -> None:
    async def act() -> None:
        async with desk(Settings()) as at:
            await facts.retry(at.conn, at.queue, thread_id, operator())

    asyncio.run(act())
    say(f"Thread {thread_id} will be tried again; `signoff show {thread_id}` shows how it goes.")


def cancel(thread_id: str, reason: str) -> None:
    if not reason.strip():
        raise WrongUsage("--reason is empty: say why, its cards and the audit show it")

    async def act() -> None:
        async with desk(Settings()) as at:
            await facts.cancel(at.conn, at.queue, thread_id, reason.strip(), operator())

    asyncio.run(act())
    say(f"Thread {thread_id} is cancelled.")


def redraw(approval_id: str) -> None:
    """Draw an approval's messages again; what could not be posted goes where its workflow says by now."""
    from bot import logs
    from bot.engine.catalog import load
    from bot.house import bare_graph

    settings = Settings()
    logs.set_up(settings.log_format)
    entries = load(settings.workflows, bare_graph(settings)).entries
    channels = {name: entry.workflow.channel for name, entry in entries.items()}

    async def act() -> bool:
        async with desk(settings) as at:
            return await facts.redraw(at.conn, at.queue, approval_id, operator(), channels)

    if not asyncio.run(act()):
        raise Failed(f"There is no approval {approval_id}; `signoff show THREAD` lists a thread's.")
    say(f"The messages of approval {approval_id} will be drawn again.")


async def _listed(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    async with desk(Settings()) as at:
        found = await at.conn.execute(_LISTED, wanted)
        return await found.fetchall()


async def _read(thread_id: str) -> dict[str, Any]:
    async with desk(Settings()) as at:
        return await read(at.conn, thread_id)


def _statuses(given: str | None) -> list[str] | None:
    if given is None:
        return None
    wanted, known = [part.strip() for part in given.split(",") if part.strip()], get_args(ThreadStatus)
    if unknown := [part for part in wanted if part not in known]:
        raise WrongUsage(f"--status: {unknown[0]!r} is not one of {', '.join(known)}")
    return wanted


_LISTED = """
select t.thread_id, t.workflow, t.status, t.requester, t.starter, t.created_at, t.ended_at, t.error,
       (select count(*) from approvals a where a.thread_id = t.thread_id and a.status = 'pending') as open
from threads t
where (%(statuses)s::text[] is null or status = any(%(statuses)s))
  and (%(workflow)s::text is null or workflow = %(workflow)s)
order by created_at desc, thread_id limit %(limit)s
"""
