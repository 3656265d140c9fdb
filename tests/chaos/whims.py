"""Everything that people, operators, machines and networks may do in an office, each of it at a whim."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from busy_office import HOUR, MINUTE, SHAPES, WORKFLOWS, Known, SharedClock, world
from fixtures_house import CLEO, DANA, FINANCE, FINN, GWEN, LENA, MAYA, OTTO, ROSA, Row, Running
from procrastinate.exceptions import ConnectorException
from psycopg import OperationalError

from bot.approvals.states import Autonomy
from bot.clock import Clock
from bot.emulator.errors import CannotDo, SlackError
from bot.engine.catalog import Catalog, Entry
from bot.facts import threads
from bot.roles.slack import drained
from bot.slack.token import Token

PEOPLE = (MAYA, FINN, DANA, CLEO, OTTO, ROSA, GWEN, LENA)
MAY_LEAVE = (MAYA, FINN, DANA, OTTO)
METHODS = ("chat.postMessage", "chat.update", "users.info", "views.open", "conversations.history", "*")
FAULTS = ("ratelimited", "server_error", "dropped", "posted_but_dropped")
REFUSED = (
    CannotDo,
    SlackError,
    threads.ThreadEnded,
    threads.NothingToRetry,
    threads.NoSuchThread,
    OperationalError,
    ConnectorException,
)
"""What an act may come to: somebody could not do it, or a connection was cut."""


class Office:
    """Does things at random; what it did is in `done`, for whoever wants to know how it came to this."""

    def __init__(
        self, house: Running, clock: SharedClock, dice: random.Random, other: Running | None = None
    ) -> None:
        self.house, self.slack, self.dice, self.other = house, house.slack, dice, other
        self.time = clock
        self.clocks = [Clock(house.house, clock.seconds) for _ in range(2)]
        self.done: list[str] = []
        self.known: list[Known] = []
        self.deleted: set[str] = set()
        self.complaints: list[str] = []
        # Not every run has a bit of everything: what is rare together would else never meet.
        self.acts = {
            act: weight * (1 if weight > 5 else dice.choice((0, 1, 1, 4))) for act, weight in ACTS.items()
        }
        self.faulty = 0
        self._copies: list[Row] = []
        self._missing: dict[str, Entry] = {}
        self._titles = 0
        self._draining = asyncio.Lock()
        self.note_people()

    def note_people(self) -> None:
        groups = {group.id: group.users for group in self.slack.state.groups.values()}
        gone = frozenset(user.id for user in self.slack.state.users.values() if user.deleted)
        self.known.append(Known(self.time(), groups, gone))

    async def act(self) -> None:
        """Let one thing happen, or two or three at once."""
        count = self.dice.choices((1, 2, 3), (6, 3, 1))[0]
        acts = self.dice.choices(list(self.acts), list(self.acts.values()), k=count)
        await asyncio.gather(*(self._do(act) for act in acts))

    async def _do(self, act: Callable[[Office], Awaitable[str]]) -> None:
        name = act.__name__
        with suppress(*REFUSED):
            self.done.append(f"  {name} …")
            told = await act(self)
            self.done.append(f"{name}: {told}")

    # People

    def cards(self) -> list[Row]:
        """Everything with buttons that anybody can see."""
        places = (FINANCE, *PEOPLE)
        return [m for place in places for m in self.slack.messages(place) if elements(m)]

    async def click(self) -> str:
        cards = self.cards()
        if not cards:
            return "nothing to click"
        card = self.dice.choice(cards)
        user, found = self._who(card), elements(card)
        element = self.dice.choice(found + [e for e in found if e["action_id"] == "signoff.approve"] * 2)
        action, how = element["action_id"], self._how(element)
        if self.dice.random() < 0.5:
            self._copies.append(copy.deepcopy(self.slack.click_payload(user, card, action, **how)))
        heard, spell = await self._heard(user), self.healthy()
        ack = await self.slack.click(user, card, action, times=self.dice.choice((1, 1, 1, 2)), **how)
        await drained()
        told = f"{user} {action} {how} {element.get('value')} acked={ack.acked}"
        well = spell == self.healthy() != -1
        if well and await self._heard(user) == heard and not await self._stands(user, element):
            self.complaints.append(f"nothing came of it: {told}")
        return told

    def healthy(self) -> int:
        """Which spell of health this is; -1 in none."""
        broken = self.slack.faults.down or any(self.slack.faults._waiting.values())
        return -1 if broken else self.faulty

    async def _heard(self, user: str) -> tuple[int, ...]:
        """Count what a person was told, and what the audit tells of them."""
        (row,) = await self.house.rows(
            "select count(*) as n from audit where body::jsonb ->> 'actor' = %s", user
        )
        return (
            row["n"],
            len(self.slack.ephemerals(user)),
            len(self.slack.messages(user)),
            *(hash(v["hash"]) for v in self.slack.views(user)),
        )

    async def _stands(self, user: str, element: Row) -> bool:
        """Whether exactly this is what the person had said already."""
        token = Token.parse((element.get("value") or "").partition("#")[0])
        rows = await self.house.rows(
            "select vote from votes where user_id = %s and approval_id = %s",
            user,
            token.approval_id if token else "",
        )
        return any(row["vote"]["verdict"] in ("approve", "choose") for row in rows)

    def _who(self, card: Row) -> str:
        if card["channel"].startswith("D"):
            return "U" + card["channel"][1:]
        return self.dice.choice(PEOPLE + (MAYA, DANA, OTTO) * 4)

    def _how(self, element: Row) -> Row:
        options = element.get("options")
        return {"option": self.dice.choice(options)["value"]} if options else {}

    async def click_old(self) -> str:
        """Slack repeats a click, or somebody has an old copy before them."""
        if not self._copies:
            return "none"
        payload = self.dice.choice(self._copies)
        ack = await self.slack.deliver(payload, times=self.dice.choice((1, 2)))
        return f"{payload['user']['id']} {payload['actions'][0]['action_id']} acked={ack.acked}"

    async def submit(self) -> str:
        open_views = [(user, self.slack.views(user)[-1]) for user in PEOPLE if self.slack.views(user)]
        open_views = [(user, view) for user, view in open_views if view.get("submit")]
        if not open_views:
            return "no form"
        user, view = self.dice.choice(open_views)
        values = {b["block_id"]: self._typed(b) for b in view["blocks"] if b["type"] == "input"}
        values = {name: value for name, value in values.items() if value is not None}
        ack = await self.slack.submit(user, view, values, times=self.dice.choice((1, 1, 2)))
        return f"{user} {view['callback_id']} {values} acked={ack.acked} {ack.field_errors}"

    def _typed(self, block: Row) -> Any:
        match block["element"]["type"]:
            case "number_input":
                return str(self.dice.choice((1, 2, 40, 1000)))
            case "plain_text_input":
                return self.dice.choice(("Acme", "Bolt & Co", "no", "yes"))
            case _:
                return None

    async def close(self) -> str:
        users = [user for user in PEOPLE if self.slack.views(user)]
        if not users:
            return "no form"
        user = self.dice.choice(users)
        await self.slack.close(user, self.slack.views(user)[-1], cleared=self.dice.random() < 0.5)
        return user

    async def open_home(self) -> str:
        user = self.dice.choice(PEOPLE)
        await self.slack.open_home(user)
        return user

    async def click_home(self) -> str:
        homes = [(user, home) for user in PEOPLE if (home := self.slack.home(user)) and elements(home)]
        if not homes:
            return "no home"
        user, home = self.dice.choice(homes)
        element = self.dice.choice(elements(home))
        await self.slack.click(
            user, home["id"], element["action_id"], block_id=element["block_id"], **self._how(element)
        )
        return f"{user} {element['action_id']}"

    async def list_them(self) -> str:
        user = self.dice.choice(PEOPLE)
        await self.slack.command(user, FINANCE, "/approvals", self.dice.choice(("", "help")))
        return user

    # Workflows, and those who run them

    async def start(self) -> str:
        asks = {
            node: [self._request() for _ in range(self.dice.choice(counts))]
            for node, counts in {"left": (1, 1, 2), "right": (0, 1), "last": (0, 0, 1)}.items()
        }
        workflow = self.dice.choice(WORKFLOWS).name
        requester = self.dice.choice((ROSA, ROSA, MAYA, None))
        starter = self.dice.choice(("cli:test", "slack:" + FINN))
        autonomy: Autonomy = self.dice.choice(("on_action", "on_action", "on_action", "step_by_step"))
        begin = threads.Start(workflow, {"asks": asks}, starter, requester, autonomy=autonomy)
        async with self.house.house.work.connection() as conn:
            thread_id = await threads.start(conn, self.house.house.queue, begin)
        counts = [len(asks[node]) for node in asks]
        return f"{workflow} {autonomy} {thread_id[:8]} {requester} {starter} {counts}"

    def _request(self) -> Row:
        self._titles += 1
        request = {
            "title": f"Pay {self._titles:03}.",
            "moves": self.dice.choice(("still", "still", "basis", "drifts")),
        }
        return request | copy.deepcopy(self.dice.choice(SHAPES))

    def _title(self) -> str:
        return f"Pay {self.dice.randint(1, max(self._titles, 1)):03}."

    async def _thread(self, *statuses: str) -> str | None:
        rows = await self.house.rows(
            "select thread_id from threads where status = any(%s) order by created_at, thread_id",
            list(statuses),
        )
        return self.dice.choice(rows)["thread_id"] if rows else None

    async def cancel(self) -> str:
        thread_id = await self._thread("running", "waiting", "done")
        if thread_id is None:
            return "none"
        await self._cancel(thread_id)
        return thread_id[:8]

    async def _cancel(self, thread_id: str) -> None:
        async with self.house.house.work.connection() as conn:
            await threads.cancel(conn, self.house.house.queue, thread_id, "not needed", "cli:ops")

    async def retry(self) -> str:
        thread_id = await self._thread("failed", "orphaned", "waiting", "running")
        if thread_id is None:
            return "none"
        async with self.house.house.work.connection() as conn:
            await threads.retry(conn, self.house.house.queue, thread_id, "cli:ops")
        return thread_id[:8]

    async def redraw(self) -> str:
        rows = await self.house.rows("select approval_id from approvals order by approval_id")
        if not rows:
            return "none"
        approval_id = self.dice.choice(rows)["approval_id"]
        async with self.house.house.work.connection() as conn:
            await threads.redraw(conn, self.house.house.queue, approval_id, "cli:ops")
        return approval_id[:8]

    async def deploy(self) -> str:
        """What is deployed forgets a workflow, or has all of them again."""
        if self._missing:
            self.deploy_all()
            return "all"
        name = self.dice.choice(WORKFLOWS).name
        for catalog in self._catalogs():
            self._missing[name] = catalog.entries.pop(name)
        return f"all but {name}"

    def deploy_all(self) -> None:
        for catalog in self._catalogs():
            catalog.entries.update(self._missing)
        self._missing.clear()

    def _catalogs(self) -> list[Catalog]:
        return [running.house.catalog for running in (self.house, self.other) if running is not None]

    async def drain(self) -> str:
        async with self._draining:
            await self.house.drain()
        return "drained"

    async def drain_together(self) -> str:
        """Two workers in processes of their own, as far as they know."""
        if self.other is None:
            return "alone"
        async with self._draining:
            await asyncio.gather(self.house.drain(), self.other.drain())
        return "drained"

    async def die(self) -> str:
        """A worker stops in the middle."""
        async with self._draining:
            draining = asyncio.create_task(self.house.house.worker.drain())
            await asyncio.sleep(self.dice.random() * 0.1)
            draining.cancel()
            with suppress(asyncio.CancelledError):
                await draining
        return "stopped"

    async def cut(self) -> str:
        """The database, or the network before it, drops a connection."""
        self.faulty += 1
        await self.house.rows(CUT, str(self.dice.random()), self.dice.choice((1, 1, 3)))
        return ""

    async def tick(self) -> str:
        await self.dice.choice(self.clocks).tick()
        return "tock"

    async def probe(self) -> str:
        await self.dice.choice(self.clocks).probe()
        return "probed"

    async def upkeep(self) -> str:
        await self.dice.choice(self.clocks).upkeep()
        return "kept"

    async def minutes(self) -> str:
        by = self.dice.choice((MINUTE / 10, MINUTE, 6 * MINUTE, 20 * MINUTE))
        await self.pass_time(by)
        return str(by)

    async def hours(self) -> str:
        """Time passes with the clocks running, and Slack there, or without."""
        by = self.dice.choice((HOUR / 2, HOUR, 3 * HOUR))
        await self.pass_time(by)
        if kept := self.dice.random() < 0.7 and not self.slack.faults.down:
            await self.house.slack_was_reachable()
            for clock in self.clocks:
                clock._ticked_at = self.time.seconds()
            await self.clocks[0].tick()
        return f"{by} {'with' if kept else 'without'} clocks"

    async def pass_time(self, by: timedelta) -> None:
        await self.house.pass_time(by)
        self.time.ahead += by

    async def race(self) -> str:
        """Many at one approval at the same moment, which may be the moment when its time is up."""
        rows = await self.house.rows(DELIVERED)
        if not rows:
            return "none"
        row = self.dice.choice(rows)
        if self.dice.random() < 0.4 and row["due_at"] > row["now"]:
            early = timedelta(milliseconds=self.dice.choice((300, 100, 20, -1)))
            await self.pass_time(row["due_at"] - row["now"] - early)
            await self.house.slack_was_reachable()
        ends = {
            "cancel": lambda: self._cancel(row["thread_id"]),
            "tick": self.clocks[0].tick,
            "tick too": self.clocks[1].tick,
            "drain": self.drain,
            "moves": self._moves(row["title"]),
            "upkeep": self.upkeep,
            "group": self.group_changes,
        }
        if cards := self._votable(row["approval_id"]):
            for n, user in enumerate(self.dice.sample((MAYA, DANA, OTTO, FINN, MAYA), 3)):
                ends[f"{n} {user}"] = self._says(user, self.dice.choice(cards))
        wanted = self.dice.sample(list(ends), min(len(ends), self.dice.randint(2, 5)))
        came = await asyncio.gather(*(ends[name]() for name in wanted), return_exceptions=True)
        for error in came:
            if isinstance(error, BaseException) and not isinstance(error, REFUSED):
                raise error
        return f"{row['title']} {wanted}"

    def _votable(self, approval_id: str) -> list[Row]:
        """The cards of an approval on which one can say yes at once."""
        return [card for card in self.cards() if approval_id in str(card["blocks"]) and _yes(card)]

    def _moves(self, title: str) -> Callable[[], Awaitable[Any]]:
        async def move() -> None:
            world.heads[title] = world.heads.get(title, 0) + 1

        return move

    def _says(self, user: str, card: Row) -> Callable[[], Awaitable[Any]]:
        """Whoever it is, or whose direct copy it is, says yes, or picks an option."""
        who = "U" + card["channel"][1:] if card["channel"].startswith("D") else user
        action = self.dice.choice(_yes(card))
        return lambda: self.slack.click(who, card, action)

    # What goes wrong

    async def fault(self) -> str:
        self.faulty += 1
        method, kind = self.dice.choice(METHODS), self.dice.choice(FAULTS)
        self.slack.fault(method, kind, times=self.dice.choice((1, 1, 2, 3)))
        return f"{method} {kind}"

    async def slack_goes(self) -> str:
        self.faulty += 1
        self.slack.faults.down = self.dice.random() < 0.5
        return "down" if self.slack.faults.down else "up"

    async def delete(self) -> str:
        cards = self.slack.messages(FINANCE)
        if not cards:
            return "none"
        card = self.dice.choice(cards)
        self.deleted.add(
            card["metadata"]["event_payload"]["message_id"] if card.get("metadata") else card["ts"]
        )
        self.slack.delete_message(FINANCE, card["ts"])
        return card["text"][:60]

    async def move_world(self) -> str:
        title = self._title()
        world.heads[title] = self.dice.randint(0, 3)
        return f"{title} {world.heads[title]}"

    async def trouble(self) -> str:
        where = f"{self.dice.choice(('before', 'after'))} {self._title()}"
        world.troubles[where] = self.dice.choice((1, 2, 4))
        return f"{where} {world.troubles[where]}"

    async def someone_goes(self) -> str:
        user = self.slack.state.users[self.dice.choice(MAY_LEAVE)]
        self.slack.state.set_user(replace(user, deleted=not user.deleted))
        self.note_people()
        return f"{user.id} {'comes' if user.deleted else 'goes'}"

    async def voter_goes(self) -> str:
        """Somebody votes where it takes two, and has left when the next one does."""
        rows = await self.house.rows(OF_TWO)
        votable = [cards for row in rows if (cards := self._votable(row["approval_id"]))]
        if not votable:
            return "none"
        cards = self.dice.choice(votable)
        first, second = self.dice.sample((MAYA, DANA, OTTO), 2)
        await self._says(first, cards[0])()
        user = self.slack.state.users[first]
        self.slack.state.set_user(replace(user, deleted=True))
        self.note_people()
        if self.dice.random() < 0.7:
            await self.pass_time(18 * MINUTE)
        await self._says(second, self.dice.choice(cards))()
        return f"{first}, then {second}"

    async def group_changes(self) -> str:
        group = self.dice.choice(("S01FINMGR", "S02FINDIR", "S04COMPLY"))
        members = self.dice.sample((MAYA, FINN, DANA, CLEO), self.dice.randint(0, 3))
        self.slack.state.set_group(group, *members)
        self.note_people()
        return f"{group} {members}"


ACTS: dict[Callable[[Office], Awaitable[str]], int] = {
    Office.click: 40,
    Office.submit: 24,
    Office.drain: 16,
    Office.drain_together: 5,
    Office.die: 2,
    Office.cut: 1,
    Office.start: 8,
    Office.race: 8,
    Office.click_old: 5,
    Office.tick: 8,
    Office.minutes: 4,
    Office.hours: 1,
    Office.probe: 4,
    Office.upkeep: 5,
    Office.fault: 4,
    Office.move_world: 5,
    Office.group_changes: 3,
    Office.someone_goes: 3,
    Office.voter_goes: 4,
    Office.close: 1,
    Office.open_home: 2,
    Office.click_home: 4,
    Office.list_them: 1,
    Office.cancel: 2,
    Office.retry: 2,
    Office.redraw: 1,
    Office.deploy: 2,
    Office.slack_goes: 2,
    Office.delete: 2,
    Office.trouble: 3,
}


def elements(message: Row) -> list[Row]:
    """The elements of a message or a view that do something, each with its block's id."""
    return [
        {**element, "block_id": block["block_id"]}
        for block in message.get("blocks", ())
        if block["type"] == "actions"
        for element in block["elements"]
        if element.get("action_id", "").startswith("signoff.") and not element.get("url")
    ]


def _yes(card: Row) -> list[str]:
    ways = ("signoff.approve", "signoff.choose.0", "signoff.choose.1")
    return [element["action_id"] for element in elements(card) if element["action_id"] in ways]


DELIVERED = """
select approval_id, thread_id, due_at, request ->> 'title' as title, signoff_now() as now
from approvals where status = 'pending' and delivered_at is not null order by created_at, approval_id
"""

OF_TWO = """
select approval_id from approvals
where status = 'pending' and delivered_at is not null and (policy ->> 'approvals')::int = 2
order by created_at, approval_id
"""

CUT = """
select pg_terminate_backend(pid)
from (select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and application_name <> 'onlooker'
      order by md5(pid::text || %s) limit %s) as some_of_them
"""
