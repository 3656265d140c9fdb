"""Stories of one thread, act by act: what programs, people and the clock do, and whether they saw it done."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from any_order import mend, turn
from busy_office import HOUR, MINUTE, PAYMENT, PAYMENT_SCHEMA, Known, SharedClock, world
from fixtures_house import MAYA, OTTO, ROSA, Row, Running, api_client
from mortal import Life
from whims import Office, elements

from bot.approvals import Workflow
from bot.emulator import Emulator
from bot.engine.catalog import Entry, compiled
from bot.roles.slack import drained

LOOKED_AFTER = 6 * MINUTE
"""Until what has no job of its own was looked after."""


@dataclass
class Scene:
    """Where a story is told, and the process that is alive there."""

    slack: Emulator
    time: SharedClock
    life: Life
    office: Office = field(init=False)
    known: list[Known] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    deployed: dict[str, Workflow | None] = field(default_factory=dict)

    @property
    def house(self) -> Running:
        return self.office.house

    def enters(self, house: Running) -> None:
        self.office = Office(house, self.time, random.Random(0))
        self.known += self.office.known
        self.office.known = self.known
        for name, workflow in self.deployed.items():
            self.deploys(name, workflow)

    def deploys(self, name: str, workflow: Workflow | None) -> None:
        """Have this workflow under its name, or none, in the process that is alive and in all that come."""
        self.deployed[name] = workflow
        entries = self.house.house.catalog.entries
        entries.pop(name, None)
        if workflow is not None:
            entries[name] = Entry(workflow, compiled(workflow))


Act = Callable[[Scene], Awaitable[bool]]
"""What somebody does; False where they saw it fail, and do it again."""


def starts(workflow: str, *nodes: list[Row], autonomy: str = "on_action") -> Act:
    """A program starts a thread over HTTP, under one key however often it tries."""

    async def act(scene: Scene) -> bool:
        asks = dict(zip(("left", "right", "last"), nodes, strict=False))
        wanted = {"workflow": workflow, "input": {"asks": asks}, "requester": ROSA, "idempotency_key": "once"}
        wanted["autonomy"] = autonomy
        async with api_client(scene.house) as client:
            answer = await scene.life.does(client.post("/v1/threads", json=wanted))
        return answer.status_code == 202

    return act


async def works(scene: Scene) -> bool:
    """The worker does what there is to do."""
    await scene.life.does(scene.house.drain())
    return True


async def ticks(scene: Scene) -> bool:
    """The clock does all that it does."""
    clock = scene.office.clocks[0]
    for sweep in (clock.probe, clock.tick, clock.upkeep):
        await scene.life.does(sweep())
    return True


def passes(by: timedelta) -> Act:
    """Time passes; for the first of it with everything running."""

    async def act(scene: Scene) -> bool:
        await turn(scene.office, LOOKED_AFTER)
        await scene.office.pass_time(by - LOOKED_AFTER)
        await scene.house.slack_was_reachable()
        scene.office.clocks[0]._ticked_at = scene.time.seconds()
        return True

    return act


def moves(title: str) -> Act:
    """The world that a workflow looks at changes."""

    async def act(_: Scene) -> bool:
        world.heads[title] = 1
        return True

    return act


def clicks(user: str, title: str, action: str = "signoff.approve", *, option: str = "", **typed: str) -> Act:
    """Somebody clicks, where there is still something to click, and fills in the form that opens."""

    async def act(scene: Scene) -> bool:
        if typed and (views := scene.slack.views(user)):
            inputs = [block for block in views[-1]["blocks"] if block["type"] == "input"]
            values = {block["block_id"]: typed[block["element"]["type"]] for block in inputs}
            ack = await scene.slack.submit(user, views[-1], values)
            await drained()
            return ack.acked and not ack.field_errors
        if (card := await _card(scene, title, action)) is None:
            return True
        (element, *_) = [e for e in elements(card) if e["action_id"] == action]
        picked = [o["value"] for o in element.get("options", ()) if option in o["text"]["text"]]
        ack = await scene.slack.click(user, card, action, **({"option": picked[0]} if picked else {}))
        await drained()
        return ack.acked and not typed

    return act


async def _card(scene: Scene, title: str, action: str) -> Row | None:
    """Find the card with this button; one that is not there may come when all is mended."""
    for _ in range(2):
        for card in scene.office.cards():
            if title in str(card["blocks"]) and action in {e["action_id"] for e in elements(card)}:
                return card
        await mend(scene.office, retries=False)
    return None


def asked(title: str, moves: str = "still", *, editable: bool = False) -> Row:
    proposal = {"proposal": PAYMENT, "proposal_schema": PAYMENT_SCHEMA} if editable else {}
    allow = ["approve", "reject", *(["edit"] if editable else ())]
    return {"title": title, "moves": moves, "allow": allow, **proposal}


ONE, TWO = asked("Pay 1."), asked("Pay 2.")
YES, YES_TOO = (clicks(MAYA, "Pay 1."), works), (clicks(OTTO, "Pay 1."), works)
EDITS = clicks(MAYA, "Pay 1.", "signoff.edit", number_input="41", plain_text_input="Bolt & Co")
REJECTS = clicks(OTTO, "Pay 2.", "signoff.reject", plain_text_input="too much")
HAPPY: dict[str, tuple[Act, ...]] = {
    "approved": (starts("one_rejects", [ONE]), works, *YES),
    "approved by two": (starts("two_approves", [ONE]), works, *YES, *YES_TOO),
    "edited": (starts("one_rejects", [asked("Pay 1.", editable=True)]), works, EDITS, works),
    "rejected": (starts("one_rejects", [TWO]), works, REJECTS, works),
    "expired": (
        *(starts("two_drafted", [asked("Pay 1.", editable=True)]), works),
        *(passes(HOUR / 2 + MINUTE), ticks, works, *YES),
        *(passes(HOUR / 2), ticks, works, passes(HOUR), ticks, works, passes(12 * HOUR), ticks, works),
    ),
    "asked twice": (starts("one_rejects", [ONE, TWO]), works, *YES, clicks(OTTO, "Pay 2."), works),
    "moved": (starts("one_rejects", [asked("Pay 1.", "basis")]), works, moves("Pay 1."), *YES, *YES),
    "side by side": (
        *(starts("one_cancels", [asked("Pay 1.", "drifts")], [TWO]), works),
        *(moves("Pay 1."), REJECTS, works, *YES),
    ),
}
