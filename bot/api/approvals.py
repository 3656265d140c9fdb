"""`/v1/approvals`: read and list. Deciding is done in Slack, by people."""

from __future__ import annotations

import re
from typing import get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.api import paging
from bot.api.problems import Problem
from bot.api.shapes import approval_json
from bot.api.share import Share
from bot.approvals.states import ApprovalStatus
from bot.postgres import listing
from bot.postgres.listing import PAGE

_ID = re.compile(r"[0-9a-f]{32}")


class Approvals:
    def __init__(self, share: Share) -> None:
        self._share = share

    def routes(self) -> list[Route]:
        return [
            Route("/approvals", self.list, methods=["GET"]),
            Route("/approvals/{approval_id}", self.read, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        paging.only(request, "status", "cursor")
        status = paging.one_of(request, "status", get_args(ApprovalStatus))
        after = paging.after(request)
        async with self._share.connection() as conn:
            rows = await listing.approvals(conn, status=status, after=after, limit=PAGE + 1)
        return paging.page(rows, [approval_json(row) for row in rows], lambda row: row.mark)

    async def read(self, request: Request) -> Response:
        approval_id = str(request.path_params["approval_id"])
        shown = None
        if _ID.fullmatch(approval_id):
            async with self._share.connection() as conn:
                shown = await listing.approval(conn, approval_id)
        if shown is None:
            raise Problem(404, "not_found", "There is no such approval.")
        return JSONResponse(approval_json(shown))
