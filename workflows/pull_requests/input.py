"""What starts a review, and the form a reviewer decides with."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from workflows.pull_requests.diff import parsed
from workflows.pull_requests.edits import Finding

_REFERENCE = re.compile(r"[A-Za-z0-9_][\w./+-]*", re.ASCII)


def _is_reference(name: str) -> str:
    if not _REFERENCE.fullmatch(name) or ".." in name or name.endswith((".", "/", ".lock")) or "//" in name:
        raise ValueError("write the name of a branch, or a commit")
    return name


def _is_diff(text: str) -> str:
    parsed(text)
    return text


Reference = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_is_reference)]


class PullRequest(BaseModel):
    """A diff, or a branch to take it from.

    `repository` is a name in the folder of repositories, `branch` what is reviewed and committed to, `base`
    where it comes from: a branch or a commit. With a base the diff is worked out from the repository, each
    time anew; without, `diff` is held against the branch as it stands.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=200)
    diff: Annotated[str, Field(max_length=300_000), AfterValidator(_is_diff)] | None = None
    repository: str | None = Field(default=None, min_length=1, max_length=200)
    branch: Reference | None = None
    base: Reference | None = None

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if (self.repository is None) != (self.branch is None):
            raise ValueError("repository and branch go together")
        if self.base is not None and self.repository is None:
            raise ValueError("a base needs a repository and a branch")
        if self.diff is None and self.base is None:
            raise ValueError("send a diff, or a repository with a branch and a base")
        return self


def proposal(changes: list[Finding], declined: list[str], message: str) -> dict[str, Any]:
    """Return the proposal: a yes or no for each change, and the message of the commit."""
    wanted = {f"change_{n}": one.identity not in declined for n, one in enumerate(changes, 1)}
    return {**wanted, "message": message}


def proposal_schema(changes: list[Finding]) -> dict[str, Any]:
    """Return its JSON Schema, in which every change is labelled with its place and its rule."""
    wanted = {
        f"change_{n}": {
            "type": "boolean",
            "title": f"{n}. {one.where[-90:]}: {one.rule}",
            "description": one.problem,
        }
        for n, one in enumerate(changes, 1)
    }
    message = {"type": "string", "title": "Message of the commit", "minLength": 1, "maxLength": 500}
    return {
        "type": "object",
        "properties": {**wanted, "message": message},
        "required": [*wanted, "message"],
        "additionalProperties": False,
    }


def chosen(approved: Any, changes: list[Finding]) -> tuple[list[Finding], str]:
    """Return the changes that were left in and the message; raises ValueError for any other proposal."""
    keys = {f"change_{n}" for n in range(1, len(changes) + 1)}
    if not isinstance(approved, dict) or set(approved) != keys | {"message"}:
        raise ValueError("what was approved is not the list that was asked about")
    message = approved["message"]
    if (
        not isinstance(message, str)
        or not message.strip()
        or any(type(approved[key]) is not bool for key in keys)
    ):
        raise ValueError("what was approved is neither yes nor no, or has no message")
    return [one for n, one in enumerate(changes, 1) if approved[f"change_{n}"]], message.strip()
