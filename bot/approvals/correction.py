"""A correction: declared fields of a waiting thread's state, as they are and as a person put them right."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from bot.approvals.changes import Change, changes
from bot.approvals.confidential import confidential, veiled_changes
from bot.approvals.state import Misfit

_JSON = (str, int, float, list, dict, type(None))


@dataclass(frozen=True)
class Correction:
    """What may be corrected: the fields' JSON Schema, their `values` at the pause, as `fixed` `by` whom.

    `closed` says that an update of the state goes to its graph, and this with it: no other could land in the
    step.
    """

    schema: dict[str, Any]
    values: dict[str, Any]
    fixed: dict[str, Any] | None = None
    by: str | None = None
    closed: bool = False

    @classmethod
    def of(cls, row: dict[str, Any] | None) -> Self | None:
        """Read what was stored, by code that may have been older or newer."""
        if row is None:
            return None
        return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name in row})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def now(self) -> dict[str, Any]:
        """The fields as they are to be when the graph goes on."""
        return self.values if self.fixed is None else self.fixed

    @property
    def changes(self) -> tuple[Change, ...]:
        return changes(self.values, self.now)

    @property
    def told(self) -> tuple[Change, ...]:
        """The changes as everybody may read them."""
        return veiled_changes(self.changes, confidential(self.schema))

    def put_right(self, values: dict[str, Any], by: str) -> Correction:
        return replace(self, fixed=values, by=by)

    def close(self) -> Correction | None:
        """Return what is left to show once it is closed: nothing, where nobody has corrected anything."""
        return None if self.by is None else replace(self, closed=True)


def landing(model: type[BaseModel], correction: Correction, state: dict[str, Any]) -> dict[str, Any]:
    """Return the corrected fields for the state, each in the form in which the state holds it.

    Raises `Misfit` where they do not fit the declared model after all.
    """
    now = correction.now
    changed = [key for key in now if now[key] != correction.values.get(key)]
    if not changed:
        return {}
    try:
        fitting = model.model_validate(
            {key: now[key] for key in now if now[key] is not None or key in changed}, by_name=True
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise Misfit(
            f"The correction by {correction.by} does not fit: {place}: {first['msg']}. "
            "Deploy a model that takes it, or cancel the thread."
        ) from error
    plain = fitting.model_dump(mode="json", by_alias=False)
    return {
        key: plain[key] if isinstance(state.get(key), _JSON) else getattr(fitting, key) for key in changed
    }
