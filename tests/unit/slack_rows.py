"""Rows to draw: one approval in each state that it can be in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.models.blocks import Block

from bot.approvals.decision import By, Decision
from bot.approvals.policy import Policy, Vote
from bot.approvals.request import ApprovalRequest, Option
from bot.approvals.sla import Fallback, Sla
from bot.approvals.timeout import timed_out
from bot.emulator.blockkit import is_too_long, problems, view_problems
from bot.postgres.inbox import Inbox, Item
from bot.postgres.rows import Approval, Message, Thread

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
ANA, BOB, EVE = "U0ANA0001", "U0BOB0001", "U0EVE0001"
GROUPS = {"@finance-managers": "S01FINMGR"}

REQUEST = ApprovalRequest(
    title="Pay Acme 12,400.00 USD",
    summary="Invoice **4711** is due.",
    fields={"Vendor": "Acme"},
    links={"Invoice": "https://acme.example/4711"},
    proposal={"amount": 12400.0, "to": "Acme"},
)
OPTIONS = tuple(Option(id=f"o{n}", label=f"Option {n}", description=f"What {n} does") for n in range(3))


def inbox(waiting: Sequence[Item] = (), asked: Sequence[Item] = (), recent: Sequence[Item] = ()) -> Inbox:
    """Lists of which nothing was cut as they were read."""
    return Inbox(
        waiting=(*waiting,),
        asked=(*asked,),
        recent=(*recent,),
        now=NOW,
        waits=len(waiting),
        asks=len(asked),
    )


def thread(**changes: Any) -> Thread:
    values: dict[str, Any] = {
        "thread_id": "t1",
        "workflow": "expense",
        "input": {},
        "requester": ANA,
        "starter": f"slack:{ANA}",
        "status": "waiting",
        "wanted": 1,
        "reached": 1,
        "attempts": 0,
        "created_at": NOW,
    }
    return Thread(**dict.fromkeys(Thread.__dataclass_fields__) | values | changes)


def approval(request: ApprovalRequest = REQUEST, **changes: Any) -> Approval:
    values: dict[str, Any] = {
        "approval_id": "a1",
        "thread_id": "t1",
        "interrupt_id": "i1",
        "status": "pending",
        "revision": 1,
        "dialect": "signoff",
        "asked": request.payload(),
        "payload_hash": "h",
        "proposal": request.proposal,
        "policy": Policy(approvers=("@finance-managers", BOB), approvals=2),
        "sla": Sla(respond_within=timedelta(days=1)),
        "notices": (),
        "channel": "#finance-approvals",
        "delivery": "delivered",
        "delivered_at": NOW,
        "steps_done": 0,
        "due_at": NOW + timedelta(hours=5),
        "created_at": NOW,
        "changed": (),
        "asked_again": 0,
    }
    return Approval(**dict.fromkeys(Approval.__dataclass_fields__) | values | changes)


def vote(user: str, verdict: Any = "approve", **changes: Any) -> Vote:
    return Vote(user=user, verdict=verdict, at=NOW, standing="named", **changes)


def decision(
    verdict: Any = "approve", by: str = "human", users: Iterable[str] = (BOB,), **rest: Any
) -> Decision:
    chosen = rest.get("choice")
    votes = tuple(vote(user, verdict, choice=chosen) for user in users) if by == "human" else ()
    user = votes[-1].user if votes else None
    rest = {"proposal": REQUEST.proposal, "votes": votes} | rest
    return Decision(verdict=verdict, by=By(kind=by, user=user), decided_at=NOW, **rest)  # type: ignore[arg-type]


def decided(made: Decision, request: ApprovalRequest = REQUEST, **changes: Any) -> Approval:
    return approval(request, **{"status": "decided", "decision": made, "decided_at": NOW} | changes)


def expired(
    fallback: Fallback,
    request: ApprovalRequest = REQUEST,
    *,
    delivered: bool = True,
    votes: tuple[Vote, ...] = (),
) -> Approval:
    made = timed_out(request, fallback, delivered=delivered, at=NOW, votes=votes)
    return approval(
        request,
        status="expired",
        decision=made,
        decided_at=NOW,
        sla=Sla(respond_within=timedelta(days=1), fallback=fallback),
        delivery="delivered" if delivered else "failed",
        delivery_error=None if delivered else "channel_not_found",
    )


def states(request: ApprovalRequest = REQUEST) -> dict[str, Approval]:
    """Return the approval of `request` in every state, by name."""
    chosen = request.options[0].id if request.options else "gone"
    now_proposed = {**request.proposal, "more": 1} if isinstance(request.proposal, dict) else request.proposal
    human = {"proposal": request.proposal}
    return {
        "pending": approval(request),
        "undelivered": approval(request, delivery="failed", delivery_error="not_in_channel", due_at=None),
        "held": approval(request, due_at=NOW - timedelta(hours=1)),
        "edited": approval(request, proposal=now_proposed, edited_by=EVE, revision=2),
        "noticed": approval(request, notices=("policy.approvals: refused <!here>",) * 9),
        "escalated": approval(request, escalated=("@directors", EVE)),
        "approved": decided(decision(users=(BOB, EVE), **human), request),
        "edited and approved": decided(
            decision(proposal=now_proposed, edited=("more",)), request, proposal=now_proposed, edited_by=BOB
        ),
        "rejected": decided(decision("reject", comment="Not <!channel> now", **human), request),
        "answered": decided(decision("respond", text="Ask *finance*", **human), request),
        "chosen": decided(decision("choose", choice=chosen, **human), request),
        "by policy": decided(decision(by="policy", reason="under 500", **human), request),
        "timed out": expired(Fallback.reject(), request),
        "timed out, approved": expired(Fallback.approve(), request),
        "timed out, chosen": expired(Fallback.choose(chosen), request),
        "timed out, as drafted": expired(Fallback.as_drafted(), request),
        "timed out, cancelled": expired(Fallback.cancel(), request),
        "never delivered": expired(Fallback.as_drafted(), request, delivered=False),
        "cancelled": approval(request, status="cancelled", decided_at=NOW),
        "superseded": decided(decision(**human), request, status="superseded"),
        "orphaned": decided(decision(**human), request, status="orphaned"),
    }


PENDING = ("pending", "undelivered", "held", "edited", "noticed", "escalated")


def message(kind: Any, **body: Any) -> Message:
    values = {"message_id": f"{kind}:a1", "kind": kind, "body": body, "wanted": 3, "target": "C1"}
    return Message(**dict.fromkeys(Message.__dataclass_fields__) | values)  # type: ignore[arg-type]


def texts(value: Any) -> list[str]:
    """Return every text that a person can read, in order."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for key, item in value.items() if key != "text" or not own for text in texts(item)]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


def read(value: Any) -> str:
    return " ".join(texts(value))


def elements(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def actions(blocks: list[dict[str, Any]]) -> list[str]:
    return [element["action_id"] for element in elements(blocks)]


def judge(blocks: list[dict[str, Any]], surface: Any = "message") -> None:
    """Hold blocks against the emulator's rules, and against slack_sdk's as a second opinion."""
    assert problems(surface, blocks) == []
    assert surface != "message" or not is_too_long(blocks)
    for block in blocks:
        parsed = Block.parse(block)
        assert parsed is not None
        assert parsed.to_dict()["type"] == block["type"]


def judge_view(view: dict[str, Any]) -> None:
    assert view_problems(view, view["type"]) == []
    judge(view["blocks"], view["type"])
