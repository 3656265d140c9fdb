"""What a node raised, as the rows keep it, and when to try again."""

from __future__ import annotations

import asyncio
import random
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from langgraph.errors import is_invalid_resume
from psycopg import OperationalError
from pydantic import ValidationError

from bot.approvals.errors import SignoffError
from bot.engine.plain import as_text
from bot.logs import masked

LONGEST_BACKOFF = timedelta(minutes=5)

_QUOTED = re.compile(r", input_value=.*, input_type=")


class NodeRaised(Exception):
    """The workflow's own code raised, and the thread's connection is still good: it is its error, `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def declared() -> Iterator[None]:
    """Run functions that a workflow declares: where a database of its own goes away, it is not ours."""
    try:
        yield
    except OperationalError as error:
        raise NodeRaised(error) from error


def backoff(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: doubling, scattered, five minutes at most."""
    return min(timedelta(seconds=2 ** min(attempts, 10) * random.uniform(0.5, 1)), LONGEST_BACKOFF)  # noqa: S311


def gives_up(error: BaseException, attempts: int, retries: int) -> bool:
    """Say whether it is not tried again: what we refused stays refused, and the rest has had its chances."""
    return isinstance(error, SignoffError) or is_invalid_resume(error) or attempts > retries


def line(error: BaseException) -> str:
    """Say it in one line, which ops read in Slack: its type and its first line, or a refusal's own words."""
    text: str = masked(as_text(_misfit(error) if isinstance(error, ValidationError) else str(error)))
    said = text.strip().splitlines()
    if isinstance(error, SignoffError):
        return said[0][:500] if said else type(error).__name__
    return f"{type(error).__name__}: {said[0][:500]}" if said else type(error).__name__


def _misfit(error: ValidationError) -> str:
    """Say which field of which model does not fit; pydantic's own first line only counts them."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = "".join(f"{part}: " for part in (error.title, ".".join(str(key) for key in first["loc"])) if part)
    others = error.error_count() - 1
    return f"{where}{own_words(first['msg'])}" + (f" (and {others} more)" if others else "")


def own_words(told: str) -> str:
    """Return what a validator said, without the kind of error that pydantic puts before it."""
    return told.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def why_refused(error: BaseException) -> str:
    """Say in one line, for people in Slack, what is wrong with an answer that did not fit its model."""
    if not isinstance(error, ValidationError):
        return line(error)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = "".join(f"{key}." for key in first["loc"])[:-1]
    words = own_words(first["msg"])
    said: str = masked(as_text(f"{where}: {words}" if where else words))
    return " ".join(said.split())[:300] or type(error).__name__


def trace(error: BaseException) -> str:
    """Return the traceback; of a long one its end, where the error is.

    Without the values that pydantic quotes: they may be what nobody is to read, and stand in the input.
    """
    told: str = masked(as_text("".join(traceback.format_exception(error))))
    return _QUOTED.sub(", input_type=", told)[-20_000:]


def is_cancelled() -> bool:
    """Whether it is us who are to stop, and not only something that a node waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
