"""Pages: `{"items": […], "next_cursor": …}`, the cursor an opaque mark of where the page ended."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse

from bot.api.problems import invalid
from bot.postgres.listing import PAGE, Mark

Row = TypeVar("Row")
Word = TypeVar("Word", bound=str)

_CURSOR = re.compile(r"(\S{10,40}) ([0-9a-f-]{32,36})")


def page(rows: Sequence[Row], items: Sequence[Any], mark: Callable[[Row], Mark]) -> JSONResponse:
    """Answer with `items`; `rows` are what they were made of, one more than a page where there is a next."""
    following = cursor(mark(rows[PAGE - 1])) if len(rows) > PAGE else None
    return JSONResponse({"items": list(items)[:PAGE], "next_cursor": following})


def cursor(mark: Mark) -> str:
    text = f"{mark.created_at.isoformat()} {mark.last_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after(request: Request) -> Mark | None:
    """Read the request's cursor; raises a `Problem` (422) for one that we did not make."""
    given = request.query_params.get("cursor")
    if not given:
        return None
    mark = _mark(given)
    if mark is None:
        raise invalid("cursor", "This cursor is not from this API; take it from next_cursor.")
    return mark


def _mark(given: str) -> Mark | None:
    try:
        text = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
        found = _CURSOR.fullmatch(text)
        at = found and datetime.fromisoformat(found[1])
    except ValueError:
        return None
    return Mark(at, found[2]) if found and at and at.tzinfo else None


def only(request: Request, *names: str) -> None:
    """Raise a `Problem` (422) for a parameter that there is not, or that is there twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names:
            raise invalid(name, f"is not a parameter of this list; it takes: {', '.join(names)}")
        if given.count(name) > 1:
            raise invalid(name, "is given more than once")


def one_of(request: Request, name: str, allowed: Sequence[Word]) -> Word | None:
    """Read a parameter that has to be one of a few words; raises a `Problem` (422)."""
    given = request.query_params.get(name)
    if not given:
        return None
    for word in allowed:
        if word == given:
            return word
    raise invalid(name, f"is not one of: {', '.join(allowed)}")
