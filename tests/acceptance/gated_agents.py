"""LangChain agents as anybody writes them, who have never heard of Signoff."""

from __future__ import annotations

from typing import Annotated, Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import Field
from scripted import Script

ran: list[tuple[str, Any]] = []
"""What the tools did; each test empties it."""


@tool
def wire(amount: float, to: str) -> str:
    """Move money."""
    ran.append(("wire", (amount, to)))
    return "wired"


@tool
def mail(to: str) -> str:
    """Send a mail."""
    ran.append(("mail", to))
    return "mailed"


def agent(mode: str, *calls: dict[str, Any]) -> Any:
    """Return a compiled agent whose tools are gated, with a checkpointer of its own as tutorials have it."""
    return create_agent(
        Script(calls=list(calls)),
        [wire, mail],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"wire": True, "mail": True}, interrupt_mode=mode)],
        checkpointer=InMemorySaver(),
    )


WIRE = {"name": "wire", "args": {"amount": 12.5, "to": "Acme"}}
MAIL = {"name": "mail", "args": {"to": "rosa@example.com"}}

payer = agent("batched", WIRE)
both = agent("batched", WIRE, MAIL)
one_by_one = agent("per_call", WIRE, MAIL)


@tool
def refund(amount: Annotated[float, Field(multiple_of=5)], to: str) -> str:
    """Give money back, in steps of five."""
    ran.append(("refund", (amount, to)))
    return "refunded"


refunder = create_agent(
    Script(calls=[{"name": "refund", "args": {"amount": 20, "to": "Rosa"}}]),
    [refund],
    middleware=[HumanInTheLoopMiddleware(interrupt_on={"refund": True}, interrupt_mode="per_call")],
    checkpointer=InMemorySaver(),
)
