"""What the API answers when it does not do what was asked: one shape, and nothing of our insides."""

from __future__ import annotations

import json
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.postgres.away import DatabaseAway

log = structlog.get_logger("signoff.api")

RETRY_SECONDS = 5


class Problem(Exception):
    """A request that is not carried out, and the one answer to it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers

    def response(self) -> Response:
        """Return `{"error": {"code", "message", "field"?}}`.

        In ASCII: what was sent may be quoted in it, and need not be text that can be encoded.
        """
        error = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return Response(
            json.dumps({"error": error}), self.status, self.headers, media_type="application/json"
        )


def invalid(field: str | None, message: str) -> Problem:
    """Return the answer to a value that is wrong: 422, with the field where it is one's."""
    return Problem(422, "invalid", message, field)


def unavailable(code: str, message: str) -> Problem:
    """Return the answer to what may work soon: 503, with the time to wait."""
    return Problem(503, code, message, headers={"Retry-After": str(RETRY_SECONDS)})


def too_large(most: int) -> Problem:
    return Problem(413, "too_large", f"The body is larger than {most:,} bytes.")


def too_slow(seconds: float) -> Problem:
    """Return the answer to a body that is not waited for any longer, on a connection that ends with it."""
    return Problem(
        408, "too_slow", f"The body took longer than {seconds:g} seconds.", headers={"Connection": "close"}
    )


async def on_problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)  # noqa: S101  registered for it
    return problem.response()


async def on_http(request: Request, error: Exception) -> Response:
    """Word what the router refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it
    match error.status_code:
        case 404:
            problem = Problem(404, "not_found", "There is no such address.")
        case 405:
            message = f"{request.method} is not what this address takes."
            problem = Problem(405, "method_not_allowed", message, headers=dict(error.headers or {}))
        case status:
            problem = Problem(status, "refused", error.detail)
    return problem.response()


async def on_database_away(request: Request, error: Exception) -> Response:
    log.warning("database_away", path=request.url.path, why=str(error))
    return unavailable(
        "database_away", "The database did not answer, so it is not known whether this was done."
    ).response()


async def on_bug(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return Problem(500, "internal", "This is a fault in Signoff; its log says more.").response()


HANDLERS: dict[Any, Any] = {
    Problem: on_problem,
    HTTPException: on_http,
    **dict.fromkeys(DatabaseAway, on_database_away),
    Exception: on_bug,
}
