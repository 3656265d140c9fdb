"""`doctor`: look at the whole set-up and say how to mend what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import typer

from bot import logs
from bot.approvals.errors import SignoffError
from bot.commands.checkup import catalog as workflows
from bot.commands.checkup import postgres, tokens
from bot.commands.checkup.finding import Finding, problem
from bot.commands.checkup.workspace import Workspace
from bot.commands.database import Database, database
from bot.commands.printing import say, say_json
from bot.commands.told import one_line
from bot.engine.catalog import Catalog, load
from bot.house import bare_graph
from bot.settings import Settings
from bot.slack.app import web_client
from bot.slack.workspace.directory import Unreachable

_MARK = {"ok": "ok  ", "note": "note", "problem": "!!  "}


def doctor(*, as_json: bool) -> None:
    """Print every finding; the exit code is 1 where there is a problem."""
    settings = Settings()
    logs.set_up(settings.log_format)
    findings = asyncio.run(_examined(settings))
    problems = sum(finding.grade == "problem" for finding in findings)
    if as_json:
        say_json({"ok": not problems, "findings": [vars(finding) for finding in findings]})
    else:
        _tell(findings, problems)
    if problems:
        raise typer.Exit(1)


async def _examined(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    try:
        with database(settings) as found:
            findings += [finding async for finding in postgres.examine(found)]
            return [*findings, *await _beyond(settings, found)]
    except SignoffError as error:  # no embedded server can run here
        findings.append(problem(postgres.PART, one_line(str(error)), "Set DATABASE_URL."))
    return [*findings, *await _beyond(settings, None)]


async def _beyond(settings: Settings, found: Database | None) -> list[Finding]:
    catalog = load(settings.workflows, bare_graph(settings))
    findings = [*tokens.examine_settings(settings), *workflows.examine(catalog)]
    if settings.slack_bot_token is None:
        return findings
    try:
        async for finding in _in_slack(settings, catalog, found):
            findings.append(finding)  # noqa: PERF401  what was found stays, when Slack stops answering
    except Unreachable as error:
        why = one_line(str(error)) or type(error).__name__
        mend = "Check the network and SLACK_API_URL; nothing is lost while Slack is away."
        findings.append(problem(tokens.PART, f"Slack did not answer: {why}", mend))
    return findings


async def _in_slack(settings: Settings, catalog: Catalog, found: Database | None) -> AsyncIterator[Finding]:
    token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
    client = web_client(token, settings.slack_api_url, patient=True)
    refused = False
    async for finding in tokens.examine(client, settings, found.dsn if found else None):
        refused = refused or finding.said.startswith(("Slack refuses SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN is"))
        yield finding
    if not refused:
        async for finding in workflows.examine_in(Workspace(client), catalog, settings):
            yield finding


def _tell(findings: Iterable[Finding], problems: int) -> None:
    for finding in findings:
        say(f"{_MARK[finding.grade]}  {finding.part}: {one_line(finding.said)}")
        if finding.mend:
            say(f"      {one_line(finding.mend)}")
    say(f"{problems} to fix." if problems else "All is well.")
