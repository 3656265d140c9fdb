from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from bot import logs
from bot.cli import app
from bot.commands import audit
from bot.commands.checkup.postgres import examine
from bot.commands.database import Database
from workflows import effects
from workflows.expense import samples

HOTEL = json.dumps(samples["hotel"])


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


Signoff = Callable[..., Awaitable[Done]]


@pytest.fixture
def signoff(database: str, monkeypatch) -> Signoff:
    """Type a command, with nothing set but the database."""
    for name in [name for name in os.environ if name.startswith(("SLACK_", "SIGNOFF_"))]:
        if name != effects.VARIABLE:  # a house beside us needs it
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setattr(logs, "set_up", lambda *_: None)  # it is for a whole process: other tests' too

    async def typed(*words: str, stdin: str | None = None) -> Done:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(words), input=stdin)
        return Done(result.exit_code, result.stdout, result.stderr)

    return typed


async def started(signoff: Signoff, *more: str) -> str:
    done = await signoff("start", "expense", "--input", HOTEL, *more)
    assert done.code == 0, done.err
    return done.out.strip()


async def test_start_prints_the_id_of_a_thread_that_threads_lists(signoff):
    thread_id = await started(signoff, "--requester", "U05ROSA")

    (row,) = json.loads((await signoff("threads", "--json")).out)
    assert row["thread_id"] == thread_id
    assert (row["workflow"], row["status"], row["requester"]) == ("expense", "running", "U05ROSA")
    assert row["starter"].startswith("cli:")
    assert thread_id in (await signoff("threads")).out


async def test_the_story_tells_a_runs_autonomy(signoff):
    thread_id = await started(signoff, "--autonomy", "step_by_step")

    assert "autonomy: step_by_step" in (await signoff("show", thread_id)).out


async def test_input_may_come_from_stdin_or_a_file(signoff, tmp_path):
    (tmp_path / "hotel.json").write_text(HOTEL)

    assert (await signoff("start", "expense", "--input", "-", stdin=HOTEL)).code == 0
    assert (await signoff("start", "expense", "--input", f"@{tmp_path}/hotel.json")).code == 0
    assert (await signoff("start", "expense", "--input", "@nowhere.json")).code == 2
    without = await signoff("start", "expense", "--input", f"{tmp_path}/hotel.json")
    assert (without.code, f"did you mean @{tmp_path}/hotel.json?" in without.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "nosuch", "--input", "{}"), "expense, "),
        (("start", "expense", "--input", "{"), "not JSON"),
        (("start", "expense", "--input", "[]"), "JSON object"),
        (("start", "expense", "--input", '{"vendor": "x"}'), "amount"),
        (("start", "expense", "--input", HOTEL, "--requester", "rosa"), "Slack user id"),
        (("start", "expense", "--input", HOTEL, "--autonomy", "full"), "it allows on_action, step_by_step"),
        (("threads", "--status", "asleep"), "asleep"),
        (("cancel", "t", "--reason", " "), "reason"),
    ],
)
async def test_wrong_usage_is_one_line_with_code_2_and_changes_nothing(signoff, words, said):
    done = await signoff(*words)

    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert said in done.err
    assert json.loads((await signoff("threads", "--json")).out) == []


@pytest.mark.parametrize(
    "words", [("show", "x"), ("retry", "x"), ("cancel", "x", "--reason", "y"), ("redraw", "x")]
)
async def test_what_is_not_there_is_said_in_one_line_with_code_1(signoff, words):
    done = await signoff(*words)

    assert done.code == 1
    assert done.err.startswith("signoff: There is no ")
    assert len(done.err.strip().splitlines()) == 1


async def test_threads_can_be_listed_by_status_and_workflow(signoff):
    thread_id = await started(signoff)

    assert thread_id in (await signoff("threads", "--status", "running,waiting")).out
    assert thread_id not in (await signoff("threads", "--status", "done")).out
    other = (await signoff("threads", "--workflow", "incident")).out
    assert thread_id not in other
    assert "No threads of that kind" in other


async def test_cancel_is_recorded_with_who_and_why(house, signoff):
    thread_id = await house.run("expense", samples["hotel"], "U05ROSA")

    assert (await signoff("cancel", thread_id, "--reason", "Paid by card")).code == 0

    story = json.loads((await signoff("show", thread_id, "--json")).out)
    assert story["thread"]["cancel_reason"] == "Paid by card"
    (line,) = [line for line in story["audit"] if line["event"] == "thread.cancel"]
    assert line["actor"].startswith("cli:")
    await house.drain()
    told = (await signoff("show", thread_id)).out
    assert "expense, cancelled" in told
    assert "closed why: Paid by card" in told
    assert "Error" not in told


async def test_show_tells_a_failed_thread_with_its_traceback_and_retry_mends_it(signoff, database):
    thread_id = await started(signoff)
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "update threads set status = 'failed', error = %s, traceback = %s, ended_at = signoff_now()",
            ("ValueError: no\x1b[2J money", 'Traceback:\n  File "x.py"\nValueError: no money'),
        )

    told = (await signoff("show", thread_id)).out
    assert 'File "x.py"' in told
    assert "\x1b" not in told
    assert (await signoff("retry", thread_id)).code == 0
    (row,) = json.loads((await signoff("threads", "--json")).out)
    assert (row["status"], row["error"]) == ("running", None)
    assert "not failed" in (await signoff("retry", thread_id)).err


async def test_show_tells_the_whole_story_of_a_decided_thread(house, signoff, database):
    thread_id = await house.run("expense", samples["hotel"], "U05ROSA")
    await house.click("U01MAYA", "C01FINANCE", "signoff.approve")
    await house.drain()

    told = (await signoff("show", thread_id)).out

    for part in (
        "expense, done",
        "Pay Hotel Adler",
        "U01MAYA approve",
        "approve by human U01MAYA",
        "C01FINANCE",
    ):
        assert part in told
    assert "the chain is whole" in told


async def test_redraw_wants_every_message_of_an_approval_drawn_again(house, signoff):
    thread_id = await house.run("expense", samples["hotel"], "U05ROSA")
    approval = await house.approval(thread_id)

    assert (await signoff("redraw", approval.approval_id)).code == 0

    wanted = "select message_id from messages where approval_id = %s and wanted > drawn"
    assert await house.rows(wanted, approval.approval_id)


async def test_redraw_posts_a_card_that_had_no_place_where_its_workflow_says_by_now(house, signoff):
    thread_id = await house.run("expense", samples["hotel"], "U05ROSA")
    approval_id = (await house.approval(thread_id)).approval_id
    async with house.house.work.connection() as conn:
        await conn.execute("update approvals set channel = '#typo' where approval_id = %s", (approval_id,))
        await conn.execute(
            "update messages set target = '#typo', channel_id = null, ts = null, error = 'channel_not_found'"
            " where approval_id = %s and kind = 'card'",
            (approval_id,),
        )

    assert (await signoff("redraw", approval_id)).code == 0

    assert (await house.approval(thread_id)).channel == "#finance-approvals"


async def test_verify_proves_the_trail_and_names_the_first_altered_line(signoff, database):
    thread_id = await started(signoff)
    await signoff("cancel", thread_id, "--reason", "no")
    assert (await signoff("audit", "verify")).code == 0

    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("update audit set body = replace(body, 'cli:', 'api:') where n = 2")

    done = await signoff("audit", "verify")
    assert done.code == 1
    assert f"chain {thread_id}: line 2 was altered" in done.err
    report = json.loads((await signoff("audit", "verify", "--json")).out)
    assert (report["ok"], report["faults"][0]["n"]) == (False, 2)


HOSTILE = '{"at": "\\r", "event": "\\r", "actor": "\\r", "data": {}}'


async def test_a_thread_whose_trail_is_gone_without_a_trace_is_named(signoff, database):
    thread_id = await started(signoff)
    with psycopg.connect(database) as conn:
        conn.execute("delete from audit")
        conn.execute("delete from audit_heads")

    done = await signoff("audit", "verify")

    assert done.code == 1
    assert f"chain {thread_id}: all its lines are gone" in done.err
    assert "all its lines are gone" in (await signoff("show", thread_id)).out


async def test_an_altered_trail_cannot_say_in_the_terminal_that_it_was_not(signoff, database):
    thread_id = await started(signoff)
    with psycopg.connect(database) as conn:
        conn.execute("update audit set body = %s", (HOSTILE,))
        conn.execute("update audit_heads set chain = E'\\rnothing was altered'")

    verified, story = await signoff("audit", "verify"), await signoff("show", thread_id)

    assert (verified.code, "\r" in verified.err) == (1, False)
    assert "line 1 was altered" in story.out
    assert "\r" not in story.out


async def test_show_tells_a_thread_whose_line_of_a_change_was_altered(signoff, database):
    thread_id = await started(signoff)
    body = '{"at": 1, "event": "thread.resumed", "actor": "x", "data": {"changes": [1]}}'
    with psycopg.connect(database) as connection:
        connection.execute("update audit set body = %s", (body,))

    done = await signoff("show", thread_id)

    assert done.code == 0, done.err
    assert 'thread.resumed  x  {"changes": [1]}' in done.out


@pytest.mark.parametrize("body", ["gone", "{}", "[1]", '{"data": 1}', '"\\u001b[2J"', "[" * 100_000])
async def test_show_tells_a_thread_whose_trail_was_altered_beyond_recognition(signoff, database, body):
    thread_id = await started(signoff)
    with psycopg.connect(database) as connection:
        connection.execute("update audit set body = %s where chain = %s", (body, thread_id))

    done = await signoff("show", thread_id)

    assert done.code == 0, done.err
    assert "line 1 was altered" in done.out
    assert "not a line of Signoff's: " in done.out
    assert "\x1b" not in done.out


async def test_verify_reads_a_trail_of_any_length_page_by_page(signoff, database, monkeypatch):
    monkeypatch.setattr(audit, "_AT_ONCE", 2)
    threads = [await started(signoff) for _ in range(4)]
    for thread_id in threads:
        await signoff("cancel", thread_id, "--reason", "no")
    whole = json.loads((await signoff("audit", "verify", "--json")).out)
    assert (whole["ok"], whole["lines"], whole["chains"]) == (True, 8, 4)

    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("delete from audit where chain = %s", [threads[0]])
        conn.execute("delete from audit where chain = %s and n = 2", [threads[1]])

    report = json.loads((await signoff("audit", "verify", "--json")).out)
    assert (report["lines"], report["chains"]) == (5, 4)
    assert {fault["chain"] for fault in report["faults"]} == set(threads[:2])


async def test_export_gives_what_proves_the_chain(signoff):
    thread_id = await started(signoff)
    await started(signoff)

    lines = [json.loads(line) for line in (await signoff("audit", "export")).out.splitlines()]
    only = [
        json.loads(line)
        for line in (await signoff("audit", "export", "--thread", thread_id)).out.splitlines()
    ]

    assert {line["chain"] for line in only} == {thread_id}
    assert len({line["chain"] for line in lines}) == 2
    assert only[0]["body"]["event"] == "thread.started"
    assert only[0]["n"] == 1


async def test_workflows_lists_the_catalog_with_its_schemas(signoff, monkeypatch):
    monkeypatch.setenv("SIGNOFF_WORKFLOWS", "no.such:thing")

    listed = json.loads((await signoff("workflows", "--json")).out)

    by_name = {workflow["name"]: workflow for workflow in listed["workflows"]}
    assert "amount" in by_name["expense"]["input"]["required"]
    assert "no.such:thing" in listed["problems"]
    assert "vendor" in (await signoff("workflows")).out


async def test_a_database_that_lacks_migrations_is_refused_and_mended(signoff, empty_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", empty_database)

    refused = await signoff("threads")
    assert refused.code == 1
    assert "signoff migrate" in refused.err
    assert "0001_signoff.sql" in (await signoff("migrate")).out
    assert "up to date" in (await signoff("migrate")).out
    assert (await signoff("threads")).code == 0


async def test_a_database_that_is_away_is_one_line(signoff, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://signoff:hunter2@127.0.0.1:1/signoff")

    done = await signoff("threads")

    assert done.code == 1
    assert len(done.err.strip().splitlines()) == 1
    assert "DATABASE_URL" in done.err
    assert "hunter2" not in done.err


async def test_doctor_says_what_is_not_set_and_how_to_mend_it(signoff):
    done = await signoff("doctor")

    assert done.code == 1
    for variable in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SIGNOFF_OPS_CHANNEL"):
        assert variable in done.out


async def test_doctor_tells_where_an_embedded_postgres_is_for_whoever_has_sql_to_run(database):
    found = Database(database, database, cast("Any", object()))

    findings = [finding.said async for finding in examine(found)]
    assert database in findings[0]


async def test_doctor_goes_on_where_the_database_s_user_lacks_the_rights(signoff, monkeypatch, database):
    role = f"limited_{os.getpid()}"
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f"create role {role} login")
        try:
            monkeypatch.setenv("DATABASE_URL", make_conninfo(database, user=role))
            done = await signoff("doctor")
        finally:
            conn.execute(f"drop role {role}")

    assert done.code == 1
    assert "permission denied" in done.out
    assert "Give DATABASE_URL's user the rights" in done.out
    assert "SLACK_BOT_TOKEN is not set" in done.out


async def test_doctor_finds_what_is_wrong_in_slack(signoff, monkeypatch):
    from bot.emulator import Emulator

    async with Emulator() as slack:
        for name, value in slack.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SIGNOFF_OPS_CHANNEL", "#signoff-ops")
        assert (await signoff("doctor")).code == 0

        slack.state.set_group("S03ONCALL", "U08GWEN")
        slack.state.bot_scopes.discard("im:write")
        monkeypatch.setenv("SIGNOFF_OPS_CHANNEL", "#secret")
        monkeypatch.setenv("SIGNOFF_WORKFLOWS", "workflows.expense:builder")
        found = json.loads((await signoff("doctor", "--json")).out)["findings"]

    problems = " | ".join(finding["said"] for finding in found if finding["grade"] == "problem")
    for part in ("@on-call", "im:write", "#secret", "builder: nobody may decide", "builder has no channel"):
        assert part in problems
    assert all(finding["mend"] for finding in found if finding["grade"] == "problem")


async def test_doctor_names_the_setting_that_leads_elsewhere(signoff, monkeypatch, database):
    from bot.emulator import Emulator

    async def problems(**changed: str) -> str:
        with monkeypatch.context() as changes:
            for name, value in changed.items():
                changes.setenv(name, value)
            found = json.loads((await signoff("doctor", "--json")).out)["findings"]
        return " | ".join(f"{one['said']}: {one['mend']}" for one in found if one["grade"] == "problem")

    async with Emulator() as slack:
        for name, value in slack.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SIGNOFF_OPS_CHANNEL", "#signoff-ops")
        monkeypatch.setenv("DATABASE_URL", database)
        page = await problems(SLACK_API_URL=slack.api_url.removesuffix("api/"))
        unmarked = await problems(SIGNOFF_OPS_CHANNEL="signoff-ops")
        direct = await problems(SIGNOFF_DIRECT_DATABASE_URL="postgresql://127.0.0.1:1/signoff")

    assert "SLACK_BOT_TOKEN" not in page
    assert "SLACK_API_URL" in page
    assert "Write #signoff-ops" in unmarked
    assert "Check SIGNOFF_DIRECT_DATABASE_URL" in direct


async def test_a_token_that_slack_refuses_is_not_blamed_on_the_requester(signoff, monkeypatch):
    from bot.emulator import Emulator

    async with Emulator() as slack:
        for name, value in slack.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-revoked")
        done = await signoff("start", "expense", "--input", HOTEL, "--requester", "U05ROSA")

    assert done.code == 1
    assert "invalid_auth" in done.err
    assert "signoff doctor" in done.err
    assert "does not know" not in done.err


async def test_a_requester_whom_slack_does_not_know_starts_nothing(signoff, monkeypatch):
    from bot.emulator import Emulator

    async with Emulator() as slack:
        for name, value in slack.environment().items():
            monkeypatch.setenv(name, value)
        refused = await signoff("start", "expense", "--input", HOTEL, "--requester", "U99NOBODY")
        bot = await signoff("start", "expense", "--input", HOTEL, "--requester", "U09BOTT")
        stranger = await signoff("start", "expense", "--input", HOTEL, "--requester", "U11XENO")
        assert (await signoff("start", "expense", "--input", HOTEL, "--requester", "U05ROSA")).code == 0

    assert (refused.code, bot.code, stranger.code) == (2, 2, 2)
    assert "another Slack workspace" in stranger.err
    assert "U99NOBODY" in refused.err
    assert len(json.loads((await signoff("threads", "--json")).out)) == 1
