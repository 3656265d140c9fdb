"""What on-call reads before a step that cannot be taken back: a function of what was worked out before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bot.approvals import ApprovalRequest
from workflows.releases.steps import STEPS, Gate


class Announcement(BaseModel):
    """What the public will read, and whoever approves may rewrite."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=3000, title="Announcement")


class World(BaseModel):
    """What an approval is about, and what must still be so when it arrives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str | None
    production: str | None


def gate_request(
    gate: Gate,
    project: str,
    version: str,
    world: World,
    *,
    at: int,
    told: Sequence[str],
    pending: dict[str, str],
    announcement: str,
    asked_again: str | None,
) -> ApprovalRequest:
    """Ask for the step at place `at`; `told` are the steps so far in a line each."""
    common: dict[str, Any] = {
        "title": _title(gate, project, version, world, pending),
        "fields": {
            "Step": f"{at + 1} of {len(STEPS)}",
            "Build": (world.digest or "")[:12],
            "In production now": world.production or "nothing",
        },
    }
    match gate:
        case "migrate":
            statements = "\n".join(f"-- {name}\n{text.strip()}" for name, text in pending.items())
            summary = _paragraphs(asked_again, f"```\n{statements[:1500]}\n```", _steps(told))
            return ApprovalRequest(**common, summary=summary, risk="high", destructive=True)
        case "deploy":
            return ApprovalRequest(
                **common, summary=_paragraphs(asked_again, _steps(told)), risk="high", destructive=True
            )
        case "announce":
            why = f"{version} is in production and answers. What is announced cannot be called back."
            return ApprovalRequest(
                **common, summary=_paragraphs(asked_again, why), proposal=Announcement(text=announcement)
            )


def _title(gate: Gate, project: str, version: str, world: World, pending: dict[str, str]) -> str:
    match gate:
        case "migrate":
            count = f"{len(pending)} migration{'s' if len(pending) != 1 else ''}"
            return f"Migrate the production database of {project} for {version}: {count}"
        case "deploy":
            return f"Deploy {project} {version} to production, in place of {world.production or 'nothing'}"
        case "announce":
            return f"Announce {project} {version} to the public"


def _steps(told: Sequence[str]) -> str:
    return "\n".join(["What ran so far:", *(f"{n}. {line}" for n, line in enumerate(told, 1))])


def _paragraphs(*parts: str | None) -> str:
    return "\n\n".join(part for part in parts if part)
