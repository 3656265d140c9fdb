"""`/healthz`: the process answers. `/readyz`: what it needs is there, and what is missing is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.approvals.errors import SignoffError
from bot.house import House
from bot.postgres.away import DatabaseAway
from bot.postgres.migrate import check

CLOCK_SILENT = timedelta(seconds=90)
"""The clock looks at Slack every ten seconds, and after a minute without an answer says that Slack is away;
where nothing was noted for longer, it is probably not running."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be. Only what keeps this process from serving makes it unready."""

    part: str
    problem: str
    serving: bool = False


async def healthz(_: Request) -> Response:
    return JSONResponse({"ok": True})


class Readiness:
    def __init__(self, house: House) -> None:
        self._house = house

    async def readyz(self, _: Request) -> Response:
        """Answer 200 or 503, with `{"ready", "problems": [{"part", "problem"}], "warnings": […]}`."""
        findings = [finding async for finding in self._findings()]
        ready = all(finding.serving for finding in findings)
        answer = {
            "ready": ready,
            "problems": [_json(finding) for finding in findings if not finding.serving],
            "warnings": [_json(finding) for finding in findings if finding.serving],
        }
        return JSONResponse(answer, 200 if ready else 503)

    async def _findings(self) -> AsyncIterator[Finding]:
        if not self._house.settings.ops_channel:
            yield Finding("ops_channel", "SIGNOFF_OPS_CHANNEL is not set")
        if missing := self._house.badge.missing:
            yield Finding("slack", f"Slack has not yet said who we are ({missing})")
        for source, problem in self._house.catalog.problems.items():
            yield Finding("workflows", f"{source}: {problem}", serving=True)
        try:
            async with self._house.listening.connection() as conn:
                await check(conn)
                found = await conn.execute(_STANDING)
                row = await found.fetchone()
        except SignoffError as error:
            yield Finding("migrations", str(error))
        except DatabaseAway:
            yield Finding("database", "The database does not answer")
        else:
            for finding in _standing(row or {}):
                yield finding


def _standing(row: dict[str, Any]) -> Iterator[Finding]:
    silent, checked_at = row.get("silent"), row.get("checked_at")
    if checked_at is None:
        yield Finding("clock", "Nobody has checked yet whether Slack answers; is the clock running?", True)
    elif row["ok_since"] is None:  # first: in an outage the clock has nothing to note
        yield Finding("slack", f"Slack has not answered since {checked_at:%Y-%m-%dT%H:%M:%SZ}")
    elif silent is not None and silent > CLOCK_SILENT:
        yield Finding("clock", f"The clock has been silent since {checked_at:%Y-%m-%dT%H:%M:%SZ}", True)
    if row.get("ops_error"):
        yield Finding("ops_channel", f"The last message to ops was not delivered: {row['ops_error']}")


def _json(finding: Finding) -> dict[str, str]:
    return {"part": finding.part, "problem": finding.problem}


_STANDING = """
select w.ok_since, w.checked_at at time zone 'UTC' as checked_at, signoff_now() - w.checked_at as silent,
       (select f.error from messages f
        where f.error is not null and f.digested_in is null and f.kind in ('ops', 'digest')
          and not exists (select 1 from messages later where later.kind in ('ops', 'digest')
                          and later.created_at > f.created_at and later.drawn > 0 and later.error is null)
        order by f.created_at desc limit 1) as ops_error
from slack_workspace w
"""
