"""A workflow that asks whatever it is given, and the people of a house who answer it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict

from fixtures_house import (
    BUILDER,
    CLEO,
    DANA,
    FINANCE,
    FINN,
    GWEN,
    LENA,
    MAYA,
    OTTO,
    ROSA,
    XENO,
    Row,
    Running,
)
from langgraph.graph import END, START, StateGraph

from bot.approvals import ApprovalRequest, Policy, Sla, Workflow, ask
from bot.emulator.delivery import Ack
from bot.postgres.rows import Approval

EVERYBODY = (MAYA, FINN, DANA, CLEO, OTTO, ROSA, GWEN, BUILDER, LENA, XENO, "U12GHOST")
GROUPS = ("@finance-managers", "@finance-directors", "@compliance", "@nobody", "@nowhere")


class State(TypedDict, total=False):
    request: dict[str, Any]
    decision: dict[str, Any]


def review(state: State) -> State:
    return {"decision": ask(ApprovalRequest.model_validate(state["request"])).answer()}


builder = StateGraph(State)
builder.add_node("review", review)
builder.add_edge(START, "review")
builder.add_edge("review", END)

workflow = Workflow(
    name="asked",
    graph=builder,
    channel="#finance-approvals",
    # As loose as can be: each test tightens it.
    policy=Policy(approvers=(*EVERYBODY, *GROUPS), approvals=1, rejections=100, self_approval=True),
    sla=Sla(respond_within=timedelta(days=30)),
)
MODULE = "fixtures_decisions:workflow"

PAYMENT = {
    "vendor": "Acme",
    "amount": "12400.00",
    "seats": 40,
    "urgent": False,
    "pay_on": "2026-12-03",
    "category": "software",
}
PAYMENT_SCHEMA = {
    "type": "object",
    "properties": {
        "vendor": {"type": "string", "minLength": 1, "maxLength": 60},
        "amount": {"type": "string", "format": "decimal", "pattern": r"^\d+\.\d\d$"},
        "seats": {"type": "integer", "minimum": 1, "maximum": 500},
        "urgent": {"type": "boolean"},
        "pay_on": {"type": "string", "format": "date"},
        "category": {"type": "string", "enum": ["software", "travel", "meals"]},
    },
    "required": ["vendor", "amount", "seats", "urgent", "pay_on", "category"],
}


@dataclass(frozen=True)
class Asked:
    """One approval that waits in #finance-approvals, and what people do to it."""

    house: Running
    thread_id: str

    async def approval(self) -> Approval:
        return await self.house.approval(self.thread_id)

    async def click(self, user: str, action_id: str = "signoff.approve", **how: Any) -> Ack:
        """Click on the card as it stands in the channel now."""
        return await self.house.slack.click(user, self.card(), action_id, **how)

    def payload(self, user: str, action_id: str = "signoff.approve", **how: Any) -> Row:
        """Return the click on the card as it stands now, to be delivered when it is too late or elsewhere."""
        return copy.deepcopy(self.house.slack.click_payload(user, self.card(), action_id, **how))

    def card(self) -> Row:
        return self.house.card(FINANCE)

    async def open(self, user: str, action_id: str, **how: Any) -> Row:
        """Click what opens a modal, and return the modal when it is there."""
        before = len(self.house.slack.views(user))
        ack = await self.click(user, action_id, **how)
        assert ack.acked
        await self.house.slack.until(lambda: len(self.house.slack.views(user)) > before)
        return self.house.slack.views(user)[-1]

    async def told(self, user: str, count: int = 1) -> str:
        """Return what was said to this person alone, when there are `count` such messages."""
        slack = self.house.slack
        await slack.until(lambda: len(slack.ephemerals(user)) >= count)
        assert len(slack.ephemerals(user)) == count
        return str(slack.ephemerals(user)[-1]["text"])

    async def events(self) -> list[Row]:
        return await self.house.audit(self.thread_id)

    async def refusals(self) -> list[tuple[str, str]]:
        """Who was refused and why, as the audit has it."""
        refused = [event for event in await self.events() if event["event"] == "approval.refused"]
        return [(event["actor"], event["data"]["why"]) for event in refused]

    async def votes(self) -> dict[str, str]:
        """Who says what on the revision that is being decided."""
        rows = await self.house.rows(
            "select v.* from votes v join approvals using (approval_id, revision) where thread_id = %s",
            self.thread_id,
        )
        return {row["user_id"]: row["vote"]["verdict"] for row in rows}


async def asking(
    house: Running,
    *approvers: str,
    approvals: int = 1,
    rejections: int = 1,
    self_approval: bool = False,
    requester: str | None = ROSA,
    starter: str = "cli:test",
    **request: Any,
) -> Asked:
    """Let a thread ask `approvers`, and post its card."""
    policy = {
        "approvers": list(approvers),
        "approvals": approvals,
        "rejections": rejections,
        "self_approval": self_approval,
    }
    given = {"title": "Pay Acme 12,400.00 USD", "allow": ["approve", "reject"], **request, "policy": policy}
    thread_id = await house.run("asked", {"request": given}, requester, starter)
    thread = await house.thread(thread_id)
    assert thread.status == "waiting", thread.error
    return Asked(house, thread_id)


def editable(**more: Any) -> Row:
    """What a request with an editable payment adds."""
    return {
        "proposal": PAYMENT,
        "proposal_schema": PAYMENT_SCHEMA,
        "allow": ["approve", "reject", "edit"],
    } | more


def as_user(payload: Row, user: str, team: str | None = None) -> Row:
    """Return a payload as if another person had sent it, in the channel or not."""
    forged = copy.deepcopy(payload)
    forged["user"] |= {"id": user} | ({"team_id": team} if team else {})
    return forged
