"""What a workflow declares of its static breakpoints: what a card shows, and where an answer leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from bot.approvals.decision import Decision
from bot.approvals.request import ApprovalRequest

Show = tuple[str, ...] | type[BaseModel] | Callable[[Any], ApprovalRequest]


@dataclass(frozen=True, kw_only=True)
class Breakpoints:
    """How a static breakpoint (`interrupt_before`, `interrupt_after`) is asked about and answered.

    `show` is the part of the state that the card shows and lets edit: names of its fields, or a pydantic
    model whose fields are such names (its JSON Schema makes the form), or a function of the state that makes
    the whole request. Undeclared, the card tells nothing of the state.

    `answered` is what the guarded node is taken to have returned on a decision, a dict or a `Command`:
    before it, instead of running it; after it, on top of what it did return. None, or no function, means the
    usual way: an approval steps on after writing what was edited, a refusal ends the thread. A request that
    may be answered in words, or that has options, needs it.
    """

    show: Show = ()
    answered: Callable[[Decision], Any] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the state that are shown, where not a function makes the request."""
        match self.show:
            case tuple():
                return self.show
            case type() as model if issubclass(model, BaseModel):
                return tuple(model.model_fields)
            case _:
                return ()

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema of what is shown, where a model declares it, by the names that the state has."""
        match self.show:
            case type() as model if issubclass(model, BaseModel):
                return model.model_json_schema(by_alias=False)
            case _:
                return None

    @property
    def request(self) -> Callable[[Any], ApprovalRequest] | None:
        """The function that makes the whole request, where there is one."""
        return None if isinstance(self.show, tuple | type) else self.show
