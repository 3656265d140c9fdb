"""What a process counts of its own work; how things stand is read from the database when it is asked for.

With PROMETHEUS_MULTIPROC_DIR set before the start, all processes of a machine count together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from slack_sdk.errors import SlackApiError

P = ParamSpec("P")
Result = TypeVar("Result")
Step = Callable[P, Coroutine[Any, Any, Result]]

REGISTRY = CollectorRegistry()
"""Ours alone: what a library registers in the client's global one is not served."""

DECISIONS = Counter("signoff_decisions", "Decisions made.", ["verdict", "kind"], registry=REGISTRY)
REFUSALS = Counter("signoff_refusals", "Clicks refused, by reason.", ["reason"], registry=REGISTRY)
CALLS = Counter("signoff_slack_calls", "Calls to Slack's Web API.", ["method", "outcome"], registry=REGISTRY)
JOBS = Counter("signoff_jobs", "Runs of advance and draw.", ["job", "outcome"], registry=REGISTRY)
ANSWERED = Histogram(
    "signoff_click_seconds",
    "From a click's arrival to its record, after which it is acknowledged at once.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 3.0),
    registry=REGISTRY,
)


def decided(verdict: str, kind: str) -> None:
    """Count a decision: its verdict, and whether a human, a policy or a timeout made it."""
    DECISIONS.labels(verdict, kind).inc()


def clicked(cast: Step[P, Result]) -> Step[P, Result]:
    """Time each click, and count those that are refused, by the answer's `why`."""

    @wraps(cast)
    async def counted(*args: P.args, **kwargs: P.kwargs) -> Result:
        with ANSWERED.time():
            answer = await cast(*args, **kwargs)
        why = getattr(answer, "why", None)  # `bot.facts`, which counts here too, cannot be imported
        if why is not None:
            REFUSALS.labels(why).inc()
        return answer

    return counted


def job(name: str) -> Callable[[Step[P, Result]], Step[P, Result]]:
    """Count the runs of a job, as done or raised."""

    def counting(run: Step[P, Result]) -> Step[P, Result]:
        @wraps(run)
        async def counted(*args: P.args, **kwargs: P.kwargs) -> Result:
            outcome = "raised"
            try:
                result = await run(*args, **kwargs)
                outcome = "done"
            finally:
                JOBS.labels(name, outcome).inc()
            return result

        return counted

    return counting


async def called(method: str, call: Awaitable[Result]) -> Result:
    """Make a call to Slack and count it under "ok", Slack's error code, or the exception's name."""
    outcome = "cancelled"
    try:
        result = await call
        outcome = "ok"
    except SlackApiError as error:
        outcome = _said(error.response)
        raise
    except Exception as error:
        outcome = type(error).__name__
        raise
    finally:
        CALLS.labels(method, outcome).inc()
    return result


def _said(response: Any) -> str:
    """Return Slack's error code, or the HTTP status where what answered was not Slack."""
    said = getattr(response, "data", response)
    if isinstance(said, dict) and said.get("error"):
        return str(said["error"])
    return str(getattr(response, "status_code", None) or getattr(response, "status", "unknown"))
