"""Acts in which something goes wrong besides the death: in a node, in Slack, in what is deployed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from any_order import SETTINGS
from busy_office import MINUTE, MODULES, world
from fixtures_house import FINANCE, MAYA, api_client, running_house
from stories import Act, Scene, ticks, works

from bot.approvals import Workflow
from bot.emulator.faults import FaultKind
from bot.facts import threads
from bot.roles.slack import drained


def stumbles(where: str, times: int = 1) -> Act:
    """What a node does there raises from now on, so often; with 0 it is mended."""

    async def act(_: Scene) -> bool:
        world.troubles[where] = times
        return True

    return act


def waits(by: timedelta) -> Act:
    """Time passes, and nothing is done in it."""

    async def act(scene: Scene) -> bool:
        await scene.office.pass_time(by)
        if not scene.slack.faults.down:
            await scene.house.slack_was_reachable()
            scene.office.clocks[0]._ticked_at = scene.time.seconds()
        return True

    return act


def later(by: timedelta = MINUTE) -> tuple[Act, ...]:
    """Time passes, and then everybody does what there is to do."""
    return (waits(by), ticks, works)


async def cancels(scene: Scene) -> bool:
    """A program calls the thread off."""
    (row,) = await scene.house.rows("select thread_id from threads")
    async with api_client(scene.house) as client:
        answer = await scene.life.does(client.post(f"/v1/threads/{row['thread_id']}/cancel"))
    return answer.status_code in (202, 409)


async def retries(scene: Scene) -> bool:
    """An operator has what failed, or is held, tried again."""
    (row,) = await scene.house.rows("select thread_id from threads")

    async def retry() -> None:
        with suppress(threads.NothingToRetry):
            async with scene.house.house.work.connection() as conn:
                await threads.retry(conn, scene.house.house.queue, row["thread_id"], "cli:ops")

    await scene.life.does(retry())
    return True


def deploys(name: str, workflow: Workflow | None = None) -> Act:
    """From now on every worker has this workflow under its name; or it is missing in all."""

    async def act(scene: Scene) -> bool:
        scene.deploys(name, workflow)
        return True

    return act


async def works_twice(scene: Scene) -> bool:
    """Two workers do what there is to do, with two jobs for it; the other one never dies."""
    house = scene.house
    async with running_house(house.dsn, slack=scene.slack, socket=False, extra=MODULES, **SETTINGS) as other:
        await house.execute(TWICE)
        mine, _ = await asyncio.gather(
            scene.life.does(house.drain()), other.house.worker.drain(), return_exceptions=True
        )
    if isinstance(mine, BaseException):
        raise mine
    return True


def slack_fails(method: str, kind: FaultKind, times: int = 1) -> Act:
    async def act(scene: Scene) -> bool:
        scene.slack.fault(method, kind, times=times)
        return True

    return act


def slack_is(*, down: bool) -> Act:
    async def act(scene: Scene) -> bool:
        scene.slack.faults.down = down
        return True

    return act


async def deletes(scene: Scene) -> bool:
    """Somebody deletes the card in the channel."""
    for card in scene.house.cards(FINANCE)[:1]:
        scene.deleted.add(card["metadata"]["event_payload"]["message_id"])
        scene.slack.delete_message(FINANCE, card["ts"])
    return True


def leaves(user: str) -> Act:
    async def act(scene: Scene) -> bool:
        scene.slack.state.set_user(replace(scene.slack.state.users[user], deleted=True))
        scene.office.note_people()
        return True

    return act


async def opens_home(scene: Scene) -> bool:
    """Somebody looks at their Home, and it is kept up to date from then on."""
    await scene.slack.open_home(MAYA)
    await drained()
    return True


def grouped(group: str, *members: str) -> Act:
    async def act(scene: Scene) -> bool:
        scene.slack.state.set_group(group, *members)
        scene.office.note_people()
        return True

    return act


TWICE = """
insert into procrastinate_jobs (queue_name, task_name, args, priority)
select 'threads', 'signoff.advance', jsonb_build_object('thread_id', thread_id), 0 from threads
"""
