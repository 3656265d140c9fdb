"""The request, version 1: what a workflow asks a person, as JSON that outsiders may write too."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bot.approvals.basis import LONGEST
from bot.approvals.canonical import canonical, payload_hash
from bot.approvals.circular import refuse_circular
from bot.approvals.errors import BadRequest
from bot.approvals.modelled import modelled, schema_of
from bot.approvals.policy import Policy
from bot.approvals.sla import Sla

Action = Literal["approve", "reject", "edit", "respond"]


class Option(BaseModel):
    """One of the answers to choose from; `id` comes back as the decision's `choice`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=100)
    label: str = Field(min_length=1, max_length=500)
    description: str | None = Field(default=None, max_length=2000)


class ApprovalRequest(BaseModel):
    """What is asked of people at one pause.

    `title` says the action and its scope in a line. `summary` is Markdown. `fields` are short facts shown
    beside it, `links` open the evidence. `proposal` is what will be done, editable where it is an object;
    it may be a pydantic model, a dataclass or plain JSON, with `proposal_schema` its JSON Schema. What
    `allow` leaves out is decided by the rest: options are chosen from, a proposal can be approved, rejected
    and edited, anything else approved and rejected. `destructive` draws Approve as dangerous; `risk="high"`
    asks to confirm. `policy` and `sla` may only tighten the workflow's. `basis` is a fingerprint of the world
    that it was made from: an answer is taken only while the node that asks still finds the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    signoff: Literal[1] = 1
    title: str = Field(min_length=1, max_length=2000)
    summary: str | None = None
    fields: dict[str, str] = Field(default_factory=dict, max_length=200)
    links: dict[str, str] = Field(default_factory=dict, max_length=50)
    proposal: Any = None
    proposal_schema: dict[str, Any] | None = None
    allow: tuple[Action, ...] = ()
    options: tuple[Option, ...] = Field(default=(), max_length=100)
    risk: Literal["low", "high"] = "low"
    destructive: bool = False
    auto: str | None = Field(default=None, min_length=1, max_length=500)
    policy: Policy | None = None
    sla: Sla | None = None
    basis: str | None = Field(default=None, min_length=1, max_length=LONGEST)

    @model_validator(mode="before")
    @classmethod
    def _unfold_models(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("proposal") is not None:
            refuse_circular("proposal", data["proposal"])
        if isinstance(data, dict) and (how := modelled(data.get("proposal"))):
            data = {**data, "proposal": how.plain(data["proposal"])}
            if data.get("proposal_schema") is None:
                data["proposal_schema"] = how.schema
        if isinstance(data, dict) and isinstance(model := data.get("proposal_schema"), type):
            data = {**data, "proposal_schema": schema_of(model)}
        return data

    @field_validator("title")
    @classmethod
    def _says_something(cls, title: str) -> str:
        if not title.strip():
            raise ValueError("a title must say what is asked")
        return title

    @field_validator("fields", mode="before")
    @classmethod
    def _as_text(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        return {key: _fact(value) for key, value in fields.items()}

    @field_validator("links")
    @classmethod
    def _web_addresses(cls, links: dict[str, str]) -> dict[str, str]:
        for label, url in links.items():
            if not url.startswith(("https://", "http://")):
                raise ValueError(f"the link {label!r} does not start with https://")
        return links

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if not self.allow:
            object.__setattr__(self, "allow", _default_actions(self))
        if not self.allow and not self.options:
            raise ValueError("nothing can be answered: name options or allow something")
        if "edit" in self.allow and not isinstance(self.proposal, dict):
            raise ValueError("only a proposal that is an object can be edited")
        if len({option.id for option in self.options}) < len(self.options):
            raise ValueError("two options have the same id")
        return self

    def payload(self) -> dict[str, Any]:
        """Return the normalised request as plain JSON: what is hashed, stored and shown.

        Raises `BadRequest` where the proposal is not plain JSON, too large or too deep.
        """
        return self.hashed()[0]

    def hashed(self) -> tuple[dict[str, Any], str]:
        """Return what `payload` does, and its hash."""
        dumped = self.model_dump(mode="json", exclude={"policy", "sla"})
        dumped["policy"] = self.policy and self.policy.model_dump(mode="json", exclude_unset=True)
        dumped["sla"] = self.sla and self.sla.model_dump(mode="json", exclude_unset=True)
        if self.basis is None:
            del dumped["basis"]  # what was asked before there was one keeps its hash
        return dumped, payload_hash(dumped)


def parse_request(payload: Any) -> ApprovalRequest:
    """Read a request that a graph sent; raises `BadRequest` naming the field that is wrong."""
    canonical(payload)
    try:
        return ApprovalRequest.model_validate(payload)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "request"
        raise BadRequest(f"The approval request is not valid: {where}: {first['msg']}.") from error


def _fact(value: Any) -> Any:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float() | Decimal() | date() | time() | UUID():
            return str(value)
        case Enum():
            return _fact(value.value)
        case _:
            return value


def _default_actions(request: ApprovalRequest) -> tuple[Action, ...]:
    if request.options:
        return ()
    if isinstance(request.proposal, dict):
        return ("approve", "reject", "edit")
    return ("approve", "reject")
