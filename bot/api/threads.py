"""`/v1/threads`: start, read, list and cancel."""

from __future__ import annotations

import re
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot import intake
from bot.api import paging
from bot.api.bodies import read_object
from bot.api.problems import Problem, invalid, unavailable
from bot.api.requester import BadRequester, SlackAway, check_requester
from bot.api.shapes import thread_json
from bot.api.share import Share
from bot.api.tokens import caller
from bot.approvals.states import Autonomy, ThreadStatus
from bot.facts import threads as facts
from bot.facts.threads import NoSuchThread, ThreadEnded
from bot.house import House
from bot.postgres import listing
from bot.postgres.listing import PAGE, Mark

Body = TypeVar("Body", bound=BaseModel)

_ID = re.compile(r"[0-9a-f-]{36}")
_TEXT = r"^[^\x00]*$"


class NewThread(BaseModel):
    """The body of `POST /v1/threads`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    workflow: str
    input: dict[str, Any]
    requester: str | None = None
    autonomy: Autonomy = "on_action"
    idempotency_key: str | None = Field(default=None, min_length=1, max_length=255, pattern=_TEXT)


class Cancellation(BaseModel):
    """The body of `POST /v1/threads/{id}/cancel`, which may be empty."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str | None = Field(default=None, min_length=1, max_length=1000, pattern=_TEXT)


class Threads:
    def __init__(self, house: House, share: Share) -> None:
        self._house = house
        self._share = share

    def routes(self) -> list[Route]:
        return [
            Route("/threads", self.start_or_list, methods=["GET", "POST"]),
            Route("/threads/{thread_id}", self.read, methods=["GET"]),
            Route("/threads/{thread_id}/cancel", self.cancel, methods=["POST"]),
        ]

    async def start_or_list(self, request: Request) -> Response:
        # One route, so that whoever uses another method is told both.
        return await (self.start if request.method == "POST" else self.list)(request)

    async def start(self, request: Request) -> Response:
        house = self._house
        wanted = _read(NewThread, await read_object(request))
        begin = self._begin(wanted, caller(request))
        if wanted.requester is not None:
            await self._check(wanted.requester)
        async with self._share.connection() as conn:
            thread_id = await facts.start(conn, house.queue, begin)
        return JSONResponse({"thread_id": thread_id}, status_code=202)

    async def read(self, request: Request) -> Response:
        thread_id = _thread_id(request)
        async with self._share.connection() as conn:
            try:
                thread = await facts.load(conn, thread_id)
            except NoSuchThread:
                raise _no_thread() from None
            approvals = await listing.approvals_of(conn, [thread_id])
        return JSONResponse(thread_json(thread, approvals[thread_id]))

    async def list(self, request: Request) -> Response:
        paging.only(request, "status", "workflow", "cursor")
        status = paging.one_of(request, "status", get_args(ThreadStatus))
        workflow = request.query_params.get("workflow") or None
        if workflow is not None and "\x00" in workflow:
            raise invalid("workflow", "is not a workflow's name")
        after = paging.after(request)
        async with self._share.connection() as conn:
            rows = await listing.threads(conn, status=status, workflow=workflow, after=after, limit=PAGE + 1)
            approvals = await listing.approvals_of(conn, [row.thread_id for row in rows])
        items = [thread_json(row, approvals[row.thread_id]) for row in rows]
        return paging.page(rows, items, lambda row: Mark(row.created_at, row.thread_id))

    async def cancel(self, request: Request) -> Response:
        house, thread_id = self._house, _thread_id(request)
        reason = _read(Cancellation, await read_object(request)).reason or "cancelled over the HTTP API"
        async with self._share.connection() as conn:
            try:
                await facts.cancel(conn, house.queue, thread_id, reason, caller(request))
            except NoSuchThread:
                raise _no_thread() from None
            except ThreadEnded as error:
                raise Problem(409, "thread_ended", str(error)) from None
        return JSONResponse({"thread_id": thread_id}, status_code=202)

    def _begin(self, wanted: NewThread, starter: str) -> facts.Start:
        try:
            return intake.begin(
                self._house.catalog,
                wanted.workflow,
                wanted.input,
                starter=starter,
                requester=wanted.requester,
                idempotency_key=wanted.idempotency_key,
                autonomy=wanted.autonomy,
            )
        except intake.UnknownWorkflow as error:
            raise Problem(404, "unknown_workflow", str(error), "workflow") from None
        except intake.BadAutonomy as error:
            raise invalid("autonomy", str(error)) from None
        except intake.BadInput as error:
            raise invalid(f"input.{error.field}".rstrip("."), str(error)) from None

    async def _check(self, requester: str) -> None:
        try:
            await check_requester(self._house, self._share, requester)
        except BadRequester as error:
            raise invalid("requester", str(error)) from None
        except SlackAway as error:
            raise unavailable("slack_away", str(error)) from None


def _read(model: type[Body], given: dict[str, Any]) -> Body:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise invalid(".".join(map(str, first["loc"])) or None, first["msg"]) from None


def _thread_id(request: Request) -> str:
    given = str(request.path_params["thread_id"])
    if not _ID.fullmatch(given):
        raise _no_thread()
    return given


def _no_thread() -> Problem:
    return Problem(404, "not_found", "There is no such thread.")
