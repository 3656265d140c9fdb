"""Chaos: threads, clicks, faults and kill -9 at random; then quiet, and everything must have come out right.

`python -m tests.chaos.kill --minutes 10` from the repository's root runs it for long.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the names are the same as under pytest

from datetime import timedelta

import psycopg
from town import ROLES, Town, town

from bot.commands.audit_trail import Entry, faults
from bot.emulator.errors import CannotDo
from bot.facts import threads
from bot.postgres import embedded, time_machine
from bot.postgres.migrate import migrate

FINANCE = "C01FINANCE"
MAYA, FINN, OTTO = "U01MAYA", "U02FINN", "U07OTTO"
AMOUNTS = ("84.00", "1240.00", "3100.00", "12400.00", "25000.00")
METHODS = ("chat.postMessage", "chat.update", "conversations.history", "*")
FAULTS = ("ratelimited", "server_error", "dropped", "posted_but_dropped")


class Wrong(AssertionError):
    """Something did not come out right; the text says what."""


async def storm(place: Town, seconds: float, dice: random.Random) -> None:
    """Let it all happen at once for so long."""
    tasks = [asyncio.create_task(act(place, dice)) for act in (_start_threads, _click, _click, _break, _kill)]
    done, running = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for task in done:
        task.result()


async def quiet(place: Town, dice: random.Random, seconds: float) -> None:
    """Break nothing any more, answer what is open, and wait until every thread has ended."""
    place.slack.faults.clear()
    await asyncio.gather(*(place.end(role) for role in ("worker-1", "worker-2")))
    async with place.pool.connection() as conn:  # the leases of those who died run out
        await time_machine.shift(conn, timedelta(minutes=6))
    await asyncio.gather(*(place.open(role) for role in ("worker-1", "worker-2")))
    async with asyncio.timeout(seconds):
        while await place.rows(_NOT_AT_REST):
            await _click_once(place, dice)
            await place.tend()
            await asyncio.sleep(0.1)


async def check(place: Town) -> Counter[str]:
    """Raise `Wrong` where something is; returns how many threads ended how."""
    ended = await place.rows("select thread_id, status, error, result from threads")
    for thread in ended:
        _want(
            thread["status"] == "done", f"thread {thread['thread_id']}: {thread['status']} {thread['error']}"
        )
    await _check_decisions(place)
    await _check_effects(place, ended)
    await _check_cards(place)
    heads = {row["chain"]: (row["n"], row["hash"]) for row in await place.rows("select * from audit_heads")}
    lines = [
        Entry(**row) for row in await place.rows("select chain, n, body, hash from audit order by chain, n")
    ]
    for fault in faults(lines, heads):
        raise Wrong(fault.why)
    return Counter(str(thread["result"]["result"]) for thread in ended)


async def _check_decisions(place: Town) -> None:
    for row in await place.rows(_DECISIONS):
        told = f"approval {row['approval_id']}: {dict(row)}"
        _want(row["status"] == "decided" and row["applied_at"] is not None, told)
        _want(row["decided"] == 1, f"decided {row['decided']} times: {told}")
        _want(row["votes"] == len(row["decision"]["votes"]), f"votes are not those of the decision: {told}")


async def _check_effects(place: Town, ended: list[dict[str, Any]]) -> None:
    paid = Counter(row["thread"] for row in await place.rows(_PAYMENTS))
    for thread in ended:
        wanted = 1 if thread["result"]["result"] == "paid" else 0
        _want(paid[thread["thread_id"]] == wanted, f"thread {thread['thread_id']}: {paid} payments")


async def _check_cards(place: Town) -> None:
    shown = Counter(
        message["metadata"]["event_payload"]["message_id"]
        for message in place.slack.messages(FINANCE)
        if message.get("metadata")
    )
    for row in await place.rows("select message_id, ts, error from messages where kind = 'card'"):
        _want(row["error"] is None, f"{row['message_id']}: {row['error']}")
        _want(shown[row["message_id"]] == 1, f"{row['message_id']} is shown {shown[row['message_id']]} times")
    for message in place.slack.messages(FINANCE):
        _want(not _buttons(message), f"a settled card has buttons: {message['text']}")


async def _start_threads(place: Town, dice: random.Random) -> None:
    for number in range(10_000):
        claim = {
            "vendor": f"Vendor {number}",
            "amount": dice.choice(AMOUNTS),
            "currency": "EUR",
            "date": "2026-11-09",
            "employee": "Rosa",
            "description": f"Invoice {number} of a busy day",
        }
        starting = asyncio.create_task(_start(place, claim))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await starting  # what the end of the storm cuts off may still begin, when all is counted already
            raise
        await asyncio.sleep(dice.uniform(0.1, 0.6))


async def _start(place: Town, claim: dict[str, Any]) -> None:
    async with place.pool.connection() as conn:
        await threads.start(conn, place.queue, threads.Start("expense", claim, "cli:chaos", "U05ROSA"))


async def _click(place: Town, dice: random.Random) -> None:
    while True:
        await _click_once(place, dice)
        await asyncio.sleep(dice.uniform(0.02, 0.3))


async def _click_once(place: Town, dice: random.Random) -> None:
    """Approve or reject something, at times twice at once, at times both people at once, or an outsider."""
    cards = [message for message in place.slack.messages(FINANCE) if _buttons(message)]
    if not cards:
        return
    card, user = dice.choice(cards), dice.choice((MAYA, MAYA, FINN, FINN, OTTO))
    with suppress(CannotDo, TimeoutError):
        if dice.random() < 0.15:
            await _reject(place, card, user)
        elif dice.random() < 0.3:
            both = (place.slack.click(who, card, "signoff.approve") for who in (MAYA, FINN))
            await asyncio.gather(*both, return_exceptions=True)
        else:
            await place.slack.click(user, card, "signoff.approve", times=dice.choice((1, 1, 2)))


async def _reject(place: Town, card: dict[str, Any], user: str) -> None:
    await place.slack.click(user, card, "signoff.reject")
    for view in place.slack.views(user)[-1:]:
        await place.slack.submit(user, view, {"words": "too much"})


async def _break(place: Town, dice: random.Random) -> None:
    while True:
        await asyncio.sleep(dice.uniform(0.2, 1.0))
        match dice.randrange(6):
            case 0:
                place.slack.drop_acks()
            case 1:
                await place.slack.disconnect(dice.choice(("refresh_requested", None)))
            case _:
                place.slack.fault(dice.choice(METHODS), dice.choice(FAULTS), times=dice.choice((1, 2)))


async def _kill(place: Town, dice: random.Random) -> None:
    while True:
        await asyncio.sleep(dice.uniform(1.0, 4.0))
        await place.kill(dice.choice(list(ROLES)))
        await place.tend()


def _buttons(message: dict[str, Any]) -> bool:
    return any(
        element.get("action_id") == "signoff.approve"
        for block in message.get("blocks", ())
        for element in block.get("elements", ())
    )


async def _told(dsn: str) -> str:
    """Tell, over a connection that had no part in it, how all threads stand and what is not at rest."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        found = [await (await conn.execute(query)).fetchall() for query in (_THREADS, _NOT_AT_REST)]
    return "threads: {}\nnot at rest: {}".format(*found)


def _want(right: object, otherwise: str) -> None:
    if not right:
        raise Wrong(otherwise)


async def chaos(dsn: str, logs: Path, seconds: float, seed: int) -> str:
    """Run it all on a migrated database; returns what happened in a line, raises where it came out wrong."""
    dice = random.Random(seed)
    async with town(dsn, logs) as place:
        try:
            await storm(place, seconds, dice)
            await quiet(place, dice, 300 + seconds)
            ended = await check(place)
        except BaseException:
            sys.stderr.write(f"{place.said()}\nseed {seed}, {place.kills} kills\n{await _told(dsn)}\n")
            raise
    return f"seed {seed}: {place.kills} kills, {sum(ended.values())} threads: {dict(ended)}"


def main() -> None:
    """Run it for as long as asked, on an embedded Postgres of its own."""
    wanted = argparse.ArgumentParser(prog="python -m tests.chaos.kill", description=__doc__)
    wanted.add_argument("--minutes", type=float, default=5)
    wanted.add_argument("--seed", type=int, default=int(time.time()))
    given = wanted.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="signoff-chaos-"))
    logs = directory / "logs"
    logs.mkdir()
    with embedded.start(directory / "postgres", durable=False) as server:
        asyncio.run(migrate(server.dsn))
        sys.stdout.write(asyncio.run(chaos(server.dsn, logs, given.minutes * 60, given.seed)) + "\n")
    shutil.rmtree(directory)


_NOT_AT_REST = """
select 'thread' as what, thread_id as id, status, error from threads
where status in ('running', 'waiting') or wanted > reached
union all
select 'message', message_id, kind, error from messages where wanted > drawn and error is null
"""

_THREADS = "select thread_id, status, wanted, reached, created_at::text from threads order by created_at"

_DECISIONS = """
select a.approval_id, a.status, a.applied_at, a.decision,
       (select count(*) from votes v where v.approval_id = a.approval_id) as votes,
       (select count(*) from audit where chain = a.thread_id and body::jsonb ->> 'event' = 'approval.decided'
        and body::jsonb -> 'data' ->> 'approval_id' = a.approval_id) as decided
from approvals a
"""

_PAYMENTS = "select split_part(key, ':', 1) as thread from sample_effects where kind = 'payment'"

if __name__ == "__main__":
    main()
