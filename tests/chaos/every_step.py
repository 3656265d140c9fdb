"""A process dies at each step of a story, just before it or just after; the next goes on, and all ends alike.

`python -m tests.chaos.every_step` from the repository's root: some minutes a story.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))  # the names are the same as under pytest
sys.path.insert(0, str(Path(__file__).parent))

import structlog
from any_order import SETTINGS, mend, quiet
from busy_office import MODULES, SharedClock, world
from came_out import wrongs
from findable import forgotten, watching
from fixtures_house import PATIENCE, TOKEN, Row, Running
from mortal import Died, Life, process, steps_counted
from odd_office import ODD
from procrastinate.exceptions import ConnectorException
from psycopg import OperationalError
from psycopg.conninfo import make_conninfo
from stories import HAPPY, Act, Scene
from unhappy import UNHAPPY

from bot.emulator import Emulator
from bot.postgres import embedded
from bot.postgres.migrate import migrate

HOUSE = {"extra": MODULES + ODD, "SIGNOFF_API_TOKENS": f"tests:{TOKEN}", **SETTINGS}
STORIES = HAPPY | UNHAPPY
TRIES = 5
"""What fails while everybody is alive, on a busy machine, is done again so often."""


@dataclass(frozen=True)
class Came:
    """How a story came out: what is wrong in itself, and what must not depend on who died."""

    wrong: list[str]
    outcome: dict[str, Any]

    def unlike(self, whole: Came) -> list[str]:
        """Return a line for all that is wrong, or other than where nobody died."""
        other = [name for name, came in self.outcome.items() if came != whole.outcome[name]]
        return self.wrong + [f"{self.outcome[name]} and not {whole.outcome[name]}" for name in other]


async def tell(dsn: str, story: tuple[Act, ...], life: Life, *, at_once: bool = False) -> Came:
    """Tell a story on a migrated database; `at_once` has the next process go on before anything is mended."""
    left, time = list(story), SharedClock()
    world.anew()
    with steps_counted():
        async with Emulator(rate_limits=False, ack_seconds=PATIENCE, clock=time) as slack:
            scene = Scene(slack, time, life)
            async with process(life, dsn, slack, **HOUSE) as house:
                scene.enters(house)
                await scene.office.clocks[0].digest()
                life.counts = True
                async with watching(life, dsn) as lost:
                    await _goes_on(scene, left)
            scene.life = Life()
            async with process(scene.life, dsn, slack, **HOUSE) as house:
                scene.enters(house)
                await life.buried(house)
                lost += await forgotten(house)
                if not at_once:
                    await mend(scene.office, retries=False)
                    lost += await forgotten(house)
                await _goes_on(scene, left)
                lost += await forgotten(house)
                await quiet(scene.office, answers=False, halves=1)
                lost += await wrongs(house, scene.known, scene.deleted)
                return Came(lost, await _outcome(house))


async def _goes_on(scene: Scene, left: list[Act]) -> None:
    """Do what is left to do, up to the end or to the death at it."""
    tries = 0
    try:
        while left and not scene.life.over.is_set():
            done = await left[0](scene)
            tries = 0 if done else tries + 1
            if done:
                left.pop(0)
            elif tries == TRIES:
                raise AssertionError(f"nothing comes of it: {len(left)} acts are left")
    except (Died, OperationalError, ConnectorException):
        if not scene.life.over.is_set():
            raise


async def _outcome(house: Running) -> dict[str, Any]:
    said = [(m["channel"], re.sub("[0-9a-f-]{36}|[0-9]+", "#", m["text"])) for m in await _messages(house)]
    return {
        "threads": await house.rows("select status, error, result -> 'log' as log from threads"),
        "approvals": sorted(map(str, await house.rows(_APPROVALS))),
        "said": Counter(said),
        "effects": sorted(key.partition(":")[2] for key in world.effects),
    }


async def _messages(house: Running) -> list[Row]:
    """Return all messages but the digests, which come by the time of day."""
    everywhere = (m for place in house.slack.state.conversations for m in house.slack.messages(place))
    return [message for message in everywhere if "digest" not in message["text"]]


def deaths(life: Life, *, everywhere: bool) -> Iterator[tuple[str, Life]]:
    """Name each place to die at in a life that was lived to its end, and give one that ends there.

    Without `everywhere` only where somebody else can tell the difference: after what was committed or sent,
    and before a checkpoint, whose node has run by then.
    """
    for n, name in enumerate(life.steps):
        if everywhere or "checkpoint_" in name:
            yield f"before {n} ({name})", Life(n)
        if everywhere or n in life.telling:
            yield f"after {n} ({name})", Life(n, after=True)


def compared(story: str, once: Callable[[Life], Came], *, everywhere: bool, every: int) -> int:
    """Tell a story without a death, and with one at each place, or at every so-manyth; with 0 at none.

    Prints what came out wrong, and returns how often.
    """
    whole = once(life := Life())
    places = [*deaths(life, everywhere=everywhere)][::every] if every else []
    lived = [("nowhere", whole.wrong), *((where, once(died).unlike(whole)) for where, died in places)]
    bad = [(where, wrong) for where, wrong in lived if wrong]
    for where, wrong in bad:
        sys.stdout.write("\n".join([f"{story}, dead {where}: WRONG", *wrong, ""]))
    sys.stdout.write(f"{story}: dead at {len(places)} places, {len(bad)} wrong\n")
    return len(bad)


def main() -> None:
    """Tell each story with a death at each step; ends with 1 where one came out wrong."""
    from conftest import create, drop  # under pytest, another folder's may be called the same

    wanted = argparse.ArgumentParser(prog="python -m tests.chaos.every_step", description=__doc__)
    wanted.add_argument("--story", choices=STORIES, action="append", help="only this one; may be repeated")
    wanted.add_argument("--all", action="store_true", help="also where nobody else can tell a difference")
    wanted.add_argument(
        "--at-once",
        action="store_true",
        help="go on before anything is mended; who dies may make a difference then to an unhappy story",
    )
    wanted.add_argument(
        "--every",
        type=int,
        default=1,
        help="only at each so-manyth place; with 0 nobody dies",
    )
    given = wanted.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    directory = Path(tempfile.mkdtemp(prefix="signoff-chaos-"))
    with embedded.start(directory / "postgres", durable=False) as server:
        create(server.dsn, "chaos")
        asyncio.run(migrate(make_conninfo(server.dsn, dbname="chaos")))

        def once(story: str, life: Life) -> Came:
            name = f"chaos_{uuid4().hex[:12]}"
            create(server.dsn, name, "chaos")
            dsn = make_conninfo(server.dsn, dbname=name)
            came = asyncio.run(tell(dsn, STORIES[story], life, at_once=given.at_once))
            drop(server.dsn, name)
            return came

        stories = given.story or (HAPPY if given.at_once else STORIES)
        bad = sum(
            compared(one, partial(once, one), everywhere=given.all, every=given.every) for one in stories
        )
    shutil.rmtree(directory)
    sys.exit(bad > 0)


_APPROVALS = """
select request ->> 'title' as title, status, revision, proposal, edited_by,
       decision::jsonb - '{decided_at,votes}'::text[] as decision,
       (select array_agg(vote ->> 'user' || ' ' || (vote ->> 'verdict') order by vote ->> 'user')
        from jsonb_array_elements(decision::jsonb -> 'votes') as vote) as votes
from approvals
"""

if __name__ == "__main__":
    main()
