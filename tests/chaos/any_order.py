"""Anything in any order, in time that is ours; then quiet, and everything must have come out right.

`python -m tests.chaos.any_order --runs 200` from the repository's root runs it for long.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))  # the names are the same as under pytest
sys.path.insert(0, str(Path(__file__).parent))

import structlog
from busy_office import HOUR, MINUTE, MODULES, SharedClock, world
from came_out import NOT_AT_REST, wrongs
from findable import watching
from fixtures_house import DANA, MAYA, OTTO, PATIENCE, Running, running_house
from mortal import Life, steps_counted
from psycopg import OperationalError
from psycopg.conninfo import make_conninfo
from whims import Office, elements

from bot.emulator import Emulator
from bot.emulator.errors import CannotDo
from bot.facts import dead_jobs, threads
from bot.postgres import embedded
from bot.postgres.migrate import migrate
from bot.roles.slack import drained

SETTINGS = {"SIGNOFF_DIGEST_TIMES": "09:00,17:00", "SIGNOFF_TIMEZONE": "Europe/Berlin"}
SECOND = timedelta(seconds=1)


async def any_order(dsn: str, seed: int, steps: int) -> tuple[list[str], list[str]]:
    """Let so many things happen on a migrated database; returns what is wrong after it, and what was done."""
    dice, time = random.Random(seed), SharedClock()
    world.anew()
    async with (
        Emulator(rate_limits=False, ack_seconds=PATIENCE, clock=time) as slack,
        running_house(dsn, slack=slack, extra=MODULES, **SETTINGS) as house,
        _another(house) if dice.random() < 0.4 else _nobody() as other,
    ):
        office = Office(house, time, dice, other)
        await office.clocks[0].digest()
        await office.clocks[0].probe()
        for _ in range(steps):
            await office.act()
        await quiet(office, answers=dice.random() < 0.5)
        wrong = await wrongs(house, office.known, office.deleted)
        return [*office.complaints, *wrong], office.done


async def watched(dsn: str, seed: int, steps: int) -> tuple[list[str], list[str]]:
    """Do as `any_order`, and look after each step of anybody at what would be forgotten if all died then."""
    life = Life()
    life.counts = True
    with steps_counted():
        async with watching(life, dsn) as forgotten:
            wrong, done = await life.does(any_order(dsn, seed, steps))
    return forgotten + wrong, done


@asynccontextmanager
async def _another(house: Running) -> AsyncIterator[Running]:
    """A second worker on the same database and the same Slack."""
    async with running_house(house.dsn, slack=house.slack, socket=False, extra=MODULES, **SETTINGS) as other:
        yield other


@asynccontextmanager
async def _nobody() -> AsyncIterator[None]:
    yield None


async def quiet(office: Office, *, answers: bool, halves: int = 2) -> None:
    """Break nothing any more, mend what failed, and let time pass until everything has ended."""
    office.done.append("-- quiet")
    office.slack.faults.clear()
    world.troubles.clear()
    office.deploy_all()
    await mend(office)
    if answers:
        await _answer(office)
    for _ in range(60):
        await turn(office, 50 * SECOND)
        left = await office.house.rows(NOT_AT_REST)
        if not left:
            break
        if all(row["status"] == "waiting" for row in left):
            await office.pass_time(2 * HOUR)
            await office.house.slack_was_reachable()
            await turn(office, SECOND)
    for _ in range(halves):
        await office.pass_time(12 * HOUR)
        await turn(office, MINUTE)
        await turn(office, MINUTE)


async def mend(office: Office, *, retries: bool = True) -> None:
    """Find what was cut, and what a worker left behind that died; have what failed tried again, too."""
    queue = office.house.house.queue
    for house in filter(None, (office.house, office.other)):
        for pool in (house.house.work, house.house.listening):
            with suppress(OperationalError):
                await pool.check()
    await dead_jobs.clear_stalled(queue, 0)
    await turn(office, MINUTE)
    failed = await office.house.rows("select thread_id from threads where status = 'failed'")
    for row in failed if retries else ():
        async with office.house.house.work.connection() as conn:
            await threads.retry(conn, queue, row["thread_id"], "cli:ops")


async def _answer(office: Office) -> None:
    """Let dutiful people say yes to all that they are shown."""
    for _ in range(4):
        for card in office.cards():
            yes = [e["action_id"] for e in elements(card) if e["action_id"].startswith(YES)]
            for user in (MAYA, DANA, OTTO) if yes else ():
                with suppress(CannotDo):
                    await office.slack.click(user, card, yes[0])
        await turn(office, MINUTE)


async def turn(office: Office, by: timedelta) -> None:
    await drained()
    await office.pass_time(by)
    clock = office.clocks[0]
    await clock.probe()
    await clock.tick()
    await clock.upkeep()
    await office.drain()


def main() -> None:
    """Run it as often as asked, on an embedded Postgres of its own; ends with 1 where something was wrong."""
    from conftest import create, drop  # under pytest, another folder's may be called the same

    wanted = argparse.ArgumentParser(prog="python -m tests.chaos.any_order", description=__doc__)
    wanted.add_argument("--runs", type=int, default=100)
    wanted.add_argument("--steps", type=int, default=70)
    wanted.add_argument("--seed", type=int, default=1, help="of the first run; each further one has the next")
    given = wanted.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.disable(logging.WARNING)
    directory = Path(tempfile.mkdtemp(prefix="signoff-chaos-"))
    bad = 0
    with embedded.start(directory / "postgres", durable=False) as server:
        create(server.dsn, "chaos")
        asyncio.run(migrate(make_conninfo(server.dsn, dbname="chaos")))
        for seed in range(given.seed, given.seed + given.runs):
            name = f"chaos_{uuid4().hex[:12]}"
            create(server.dsn, name, "chaos")
            wrong, done = asyncio.run(watched(make_conninfo(server.dsn, dbname=name), seed, given.steps))
            drop(server.dsn, name)
            bad += bool(wrong)
            told = [*done, *wrong] if wrong else []
            sys.stdout.write("\n".join([*told, f"seed {seed}: {'WRONG' if wrong else 'right'}"]) + "\n")
    shutil.rmtree(directory)
    sys.exit(bad > 0)


YES = ("signoff.approve", "signoff.choose.0")

if __name__ == "__main__":
    main()
