"""The fixture of tests: a house in which workflows are started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from bot.approvals.modelled import modelled
from bot.approvals.states import Autonomy
from bot.approvals.workflow import Reply, Workflow
from bot.engine.catalog import BareGraph, Entry, compiled, undeclared
from bot.intake import check, permitted
from bot.postgres.rows import Thread
from bot.testing.house import House
from bot.testing.people import named
from bot.testing.run import Run


class Signoff(House):
    """Runs workflows as Signoff does, without Slack and Postgres, and with a clock that tests move.

    `delivers` is whether cards arrive: set it to False, and the channel of what is asked then is not found.
    """

    def start(
        self,
        workflow: Any,
        given: BaseModel | dict[str, Any] | None = None,
        *,
        requester: str | None = None,
        approvers: Sequence[str] = (),
        reply: Reply | None = None,
        autonomy: Autonomy = "on_action",
    ) -> Run:
        """Start a workflow and run it to its first pause or its end.

        `given` is its input: JSON or its model. Raises `BadInput` where it does not fit, and `BadAutonomy`
        where the workflow does not allow that. A bare graph is taken as from SIGNOFF_WORKFLOWS, with
        `approvers` and `reply` in place of SIGNOFF_DEFAULT_….
        """
        if not isinstance(workflow, Workflow):
            workflow = undeclared("graph", workflow, BareGraph("#general", tuple(approvers), reply))
        allowed = permitted(workflow, autonomy)
        how = modelled(given)
        given = how.plain(given) if how else given or {}
        check(workflow, given)
        thread = self._thread(
            workflow, json.loads(json.dumps(given)), requester and named(requester), allowed
        )
        run = Run(self, Entry(workflow, compiled(workflow)), thread)
        self._runs.append(run)
        return run

    def _thread(
        self, workflow: Workflow, given: dict[str, Any], requester: str | None, autonomy: Autonomy
    ) -> Thread:
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
            autonomy=autonomy,
        )
