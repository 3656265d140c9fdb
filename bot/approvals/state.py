"""A state's contract: the model that a kept one must fit, its version, and how an older one is mended."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.approvals.errors import SignoffError

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns a state of one version into one of the next; it gets a copy, with fields the graph no longer has."""

MOST_NAMED = 6
"""Fields that one line names."""


class Misfit(SignoffError):
    """What a thread kept does not fit the deployed model; its text names the fields, and what mends it."""


@dataclass(frozen=True)
class Older:
    """All fields of a state that an older version wrote, those included that the graph no longer has.

    `updated` says that what mends it has been sent already, to wait there for the end of the step.
    """

    stored: dict[str, Any]
    updated: bool


@dataclass(frozen=True)
class StateContract:
    """The pydantic model of a graph's state, and the way to it from the versions before."""

    model: type[BaseModel]
    version: int = 1
    migrate: Mapping[int, Migration] = field(default_factory=dict)

    def mended(self, values: dict[str, Any], version: int, older: Older | None) -> dict[str, Any]:
        """Return the fields that a migration changes, none where none is due; raises `Misfit`.

        `values` are the fields that the deployed graph knows, as a checkpoint of this `version` has them.
        """
        if version > self.version:
            raise Misfit(
                f"The state is of version {version}, and the deployed code knows {self.version}; "
                "deploy the newer code again."
            )
        new = self._migrated(older.stored, version) if older and not older.updated else {}
        problems = list(self._problems({**values, **new}))
        if problems:
            raise Misfit(
                f"The state does not fit the deployed code: {_listed(problems)}. {self._mend(version)}"
            )
        return {key: value for key, value in new.items() if not _same(values, key, value)}

    def _migrated(self, stored: dict[str, Any], version: int) -> dict[str, Any]:
        steps = range(version, self.version)
        if any(step not in self.migrate for step in steps):
            return {}
        state = copy.deepcopy(stored)
        for step in steps:
            try:
                state = self.migrate[step](state)
            except Exception as error:
                raise Misfit(
                    f"The migration from version {step} of the state raised {type(error).__name__}: {error}"
                ) from error
        return state

    def _problems(self, values: dict[str, Any]) -> Iterator[str]:
        nested = list(_drifted(values, ""))
        yield from nested
        if not nested:
            yield from _errors(self.model, values, "")

    def _mend(self, version: int) -> str:
        if version < self.version:
            return f"Declare migrate={{{version}: …}}, or deploy code that fits."
        return f"Deploy code that fits, or declare state_version={self.version + 1} with a migration."


def _drifted(value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong in model instances, at any depth: the checkpointer builds them without a check."""
    match value:
        case BaseModel():
            fields = {**vars(value), **(value.model_extra or {})}
            inner = list(_drifted(fields, path))
            yield from inner or _errors(type(value), fields, path)
        case dict():
            for key, item in value.items():
                yield from _drifted(item, f"{path}.{key}" if path else str(key))
        case list() | tuple():
            for place, item in enumerate(value):
                yield from _drifted(item, f"{path}[{place}]")


def _errors(model: type[BaseModel], values: dict[str, Any], path: str) -> Iterator[str]:
    try:
        model.model_validate(values, by_alias=True, by_name=True)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            place = ".".join(str(part) for part in (path, *problem["loc"]) if part != "")
            yield f"{place or 'the whole'}: {problem['msg']}"


def _listed(problems: list[str]) -> str:
    more = len(problems) - MOST_NAMED
    return "; ".join(problems[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _same(values: dict[str, Any], key: str, value: Any) -> bool:
    return key in values and type(values[key]) is type(value) and bool(values[key] == value)
