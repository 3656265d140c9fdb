"""The house in a test: who works there, what time it is, and the workflows that run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar
from uuid import uuid4

from pydantic import BaseModel

from bot.approvals.workflow import Reply, Workflow
from bot.engine.catalog import BareGraph, Entry, compiled, undeclared
from bot.intake import check
from bot.postgres.rows import Thread
from bot.testing.people import People, named
from bot.testing.run import Run

MONDAY = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)
"""When tests begin, unless they move the clock first: a working day in January, and no holiday."""

T = TypeVar("T")


class Signoff:
    """Runs workflows as Signoff does, without Slack and Postgres, and with a clock that tests move.

    `delivers` is whether cards arrive: set it to False, and the channel of what is asked then is not found.
    """

    def __init__(self) -> None:
        self.now = MONDAY
        self.delivers = True
        self.people = People()
        self._runs: list[Run] = []
        self._loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def start(
        self,
        workflow: Any,
        given: BaseModel | dict[str, Any] | None = None,
        *,
        requester: str | None = None,
        approvers: Sequence[str] = (),
        reply: Reply | None = None,
    ) -> Run:
        """Start a workflow and run it to its first pause or its end.

        `given` is its input: JSON or its model. Raises `BadInput` where it does not fit. A bare graph is
        taken as from SIGNOFF_WORKFLOWS, with `approvers` and `reply` in place of SIGNOFF_DEFAULT_….
        """
        if not isinstance(workflow, Workflow):
            workflow = undeclared("graph", workflow, BareGraph("#general", tuple(approvers), reply))
        given = given.model_dump(mode="json") if isinstance(given, BaseModel) else given or {}
        check(workflow, given)
        thread = self._thread(workflow, json.loads(json.dumps(given)), requester and named(requester))
        run = Run(self, Entry(workflow, compiled(workflow)), thread)
        self._runs.append(run)
        return run

    def group(self, handle: str, *users: str) -> None:
        """Say who is in a user group (`@finance-managers`); what no test says is in no group."""
        self.people.form(handle, users)

    def person(
        self,
        user: str,
        *,
        guest: bool = False,
        bot: bool = False,
        deactivated: bool = False,
        team: str = "",
    ) -> None:
        """Say that somebody is no ordinary member: a guest, an app, deactivated, or of another workspace."""
        self.people.describe(user, guest=guest, bot=bot, deactivated=deactivated, team=team)

    def move_clock(self, by: timedelta) -> None:
        """Let time pass for everything that runs: reminders, escalations and deadlines, each in its turn."""
        self.until(self.now + by)

    def until(self, moment: datetime) -> None:
        """Let time pass until an aware moment; raises ValueError for one that has passed."""
        if moment.tzinfo is None or moment < self.now:
            raise ValueError(
                f"the clock stands at {self.now:%Y-%m-%d %H:%M %Z} and goes on to aware moments alone"
            )
        while (run := self._next(moment)) and run.next_at is not None:
            self.now = max(self.now, run.next_at)
            run.tick()
        self.now = moment

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, in a loop of its own, also where the test itself is a coroutine."""
        if not _in_a_loop():
            return self._loop.run(work)
        with ThreadPoolExecutor(1) as aside:
            return aside.submit(self._loop.run, work).result()

    def _next(self, moment: datetime) -> Run | None:
        due = [run for run in self._runs if run.next_at is not None and run.next_at <= moment]
        return min(due, key=lambda run: run.next_at or moment, default=None)

    def _thread(self, workflow: Workflow, given: dict[str, Any], requester: str | None) -> Thread:
        return Thread(
            thread_id=str(uuid4()),
            workflow=workflow.name,
            input=given,
            requester=requester,
            starter=f"slack:{requester}" if requester else "api:pytest",
            status="running",
            wanted=1,
            reached=0,
            attempts=0,
            retry_at=None,
            cancel_reason=None,
            result=None,
            error=None,
            traceback=None,
            created_at=self.now,
            ended_at=None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.close()


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
