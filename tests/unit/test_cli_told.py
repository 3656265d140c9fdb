from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import subprocess
import sys
from asyncio import CancelledError
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import structlog
from pydantic import ValidationError
from typer.testing import CliRunner

from bot import logs
from bot.approvals.errors import SignoffError
from bot.cli import app
from bot.commands.audit_trail import Entry, faults
from bot.commands.checkup import tokens
from bot.commands.database import operator
from bot.commands.demo import beside
from bot.commands.printing import lines, say_json, shown
from bot.commands.told import WrongUsage, read_text, told
from bot.demo.moves import HOME, next_working_day
from bot.settings import Settings


def chain(name: str, *bodies: str) -> list[Entry]:
    made, previous = [], ""
    for n, data in enumerate(bodies, 1):
        body = json.dumps({"n": n, "data": data, "chain": name})
        previous = hashlib.sha256((previous + body).encode()).hexdigest()
        made.append(Entry(name, n, body, previous))
    return made


def head(entries: list[Entry]) -> dict[str, tuple[int, str]]:
    return {entries[-1].chain: (entries[-1].n, entries[-1].hash)}


def altered(entry: Entry, **changes: object) -> Entry:
    return Entry(**(vars(entry) | changes))


def test_a_whole_chain_has_no_fault():
    entries = chain("t1", "a", "b", "c")

    assert list(faults(entries, head(entries))) == []


def test_the_first_altered_line_is_named_and_the_later_ones_are_not():
    entries = chain("t1", "a", "b", "c", "d")
    entries[1] = altered(entries[1], body=entries[1].body.replace('"b"', '"B"'))
    entries[3] = altered(entries[3], body=entries[3].body.replace('"d"', '"D"'))

    (fault,) = faults(entries, head(entries))

    assert (fault.chain, fault.n) == ("t1", 2)
    assert "line 2 was altered" in fault.why


def test_a_line_that_was_altered_with_its_own_hash_still_breaks_the_chain():
    entries = chain("t1", "a", "b", "c")
    whole = head(entries)
    entries[0] = chain("t1", "A")[0]

    (fault,) = faults(entries, whole)

    assert fault.n == 2


@pytest.mark.parametrize(("gone", "n"), [(0, 1), (1, 2)])
def test_a_missing_line_is_named(gone: int, n: int):
    entries = chain("t1", "a", "b", "c")
    whole = head(entries)
    del entries[gone]

    (fault,) = faults(entries, whole)

    assert fault.n == n
    assert "missing" in fault.why


def test_a_chain_that_was_cut_off_is_told_by_its_head():
    entries = chain("t1", "a", "b", "c")

    (fault,) = faults(entries[:2], head(entries))

    assert (fault.chain, fault.n) == ("t1", 3)


def test_a_chain_that_is_gone_altogether_is_told_by_its_head():
    others, gone = chain("t1", "a"), chain("t2", "a", "b")

    (fault,) = faults(others, head(others) | head(gone))

    assert fault.chain == "t2"
    assert "2 lines are gone" in fault.why


def test_a_chain_that_was_put_in_the_place_of_another_is_a_fault():
    entries = [altered(entry, chain="t1") for entry in chain("t2", "a", "b")]

    (fault,) = faults(entries, head(entries))

    assert (fault.chain, fault.n) == ("t1", 1)
    assert "line 1 was written elsewhere" in fault.why


def test_a_chain_whose_lines_are_gone_is_a_fault_even_if_its_head_was_told_to_expect_none():
    (fault,) = faults([], {"t1": (0, "")})

    assert fault.why == "chain t1: all its lines are gone"


def test_a_chain_without_a_head_is_a_fault():
    (fault,) = faults(chain("t1", "a"), {})

    assert "head is gone" in fault.why


def test_errors_are_one_line_with_the_exit_code_of_their_kind():
    assert told(SignoffError("It is so.\nDo this.")) == ("It is so. Do this.", 1)
    assert told(WrongUsage("--x: no")) == ("--x: no", 2)
    line, code = told(psycopg.OperationalError("connection refused\n\tIs the server running?"))
    assert code == 1
    assert "\n" not in line
    assert "DATABASE_URL" in line


def test_a_setting_that_cannot_be_read_is_named_without_its_value(monkeypatch):
    monkeypatch.setenv("PORT", "sesame")
    with pytest.raises(ValidationError) as caught:
        Settings()

    line, code = told(caught.value)

    assert code == 2
    assert line.startswith("PORT: ")
    assert "sesame" not in line


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "mysql://u:sesame@host/db", "postgresql://"),
        ("SIGNOFF_DIRECT_DATABASE_URL", "sesame", "postgresql://"),
        ("SLACK_API_URL", "sesame", "https://slack.com/api/"),
        ("SIGNOFF_DIGEST_TIMES", "09:00,9am", "'9am' is not a time of day"),
        ("SIGNOFF_DIGEST_TIMES", "09:00+02:00", "is not a time of day"),
        ("SIGNOFF_TIMEZONE", "Mars/Base", "Europe/Berlin"),
        ("SIGNOFF_GRACE", "10", "PT10M"),
        ("SIGNOFF_GRACE", "-PT1M", "PT10M"),
        ("PORT", "65536", "65535"),
        ("SIGNOFF_LOG_LEVEL", "loud", "'warning'"),
        ("SIGNOFF_DEFAULT_REPLY", "yes", "'bool'"),
        ("SIGNOFF_API_TOKENS", "sesame", "each must be name:token"),
        ("SIGNOFF_API_TOKENS", "ci:sesame-old,ci:sesame-new", "each name may appear only once"),
        ("DATABASE_URL", "postgresql://u:p@sesame@host/db", "%40"),
        ("DATABASE_URL", "postgresql://u:sesame/x@host/db", "%2F"),
        ("DATABASE_URL", "postgresql://u:p\udcffsesame@host/db", "postgresql://"),
        ("SIGNOFF_SWEEP_SECONDS", "inf", "3600"),
        ("SIGNOFF_ENCRYPTION_KEY", "sesame", "encrypt the database's disk"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_where_it_is_read(monkeypatch, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()

    line, _ = told(caught.value)

    assert line.startswith(f"{name}: ")
    assert says in line
    assert "sesame" not in line
    assert "Value error" not in line


def test_what_is_called_like_a_setting_and_is_none_of_signoff_is_not_read(monkeypatch):
    for name in ("LOG_LEVEL", "LOG_FORMAT", "TIMEZONE", "CONCURRENCY", "API_TOKENS", "WORKFLOWS"):
        monkeypatch.setenv(name, "ci:another-products")

    assert Settings().model_fields_set == set()


def test_a_secret_is_read_without_the_line_end_of_the_file_that_it_came_from(monkeypatch):
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, " sesame\n")
    read = Settings()

    for secret in (read.slack_bot_token, read.slack_app_token, read.slack_signing_secret):
        assert secret is not None
        assert secret.get_secret_value() == "sesame"


def test_a_secret_of_nothing_but_space_is_none(monkeypatch):
    monkeypatch.setenv("SLACK_SIGNING_SECRET", " \n")

    assert Settings().slack_signing_secret is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "\udcff"), "not UTF-8"),
        (("cancel", "x", "--reason", "caf\udce9"), "not UTF-8"),
        (("emulator", "--port", "99999"), "65535"),
        (("demo", "--port", "-1"), "--port"),
        (("emulator", "--request-url", "127.0.0.1:3000"), "--request-url: write the whole address"),
        (("manifest", "--url", "signoff.example.com"), "--url: 'signoff.example.com' is not an address"),
        (("worker", "--queues", "threads,message"), "'message' is not one of threads, messages"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(words, says):
    done = CliRunner().invoke(app, list(words))

    assert done.exit_code == 2
    assert says in done.output
    assert "--debug" not in done.output


def test_a_folder_for_metrics_that_is_set_to_nothing_is_unset(tmp_path):
    environ = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": "",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    script = "from bot.cli import app\ntry: app(['manifest'])\nexcept SystemExit: pass\nimport bot.metrics"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environ, capture_output=True)

    assert list(tmp_path.iterdir()) == []


def test_what_the_demo_says_to_type_in_another_terminal_leads_to_the_demo():
    folder = Path("/Users/maya/Library/Application Support/signoff/demo")

    assert beside(folder, {}) == f"export SIGNOFF_HOME='{folder}'"
    real = {"DATABASE_URL": "postgresql://db/real"}
    assert beside(Path("/srv/demo"), real) == "unset DATABASE_URL; export SIGNOFF_HOME=/srv/demo"


def test_input_from_a_stdin_that_is_closed_is_wrong_usage(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(WrongUsage, match="stdin is closed"):
        read_text("-")


def test_of_several_errors_of_a_process_the_first_is_told():
    both = ExceptionGroup("two", [ExceptionGroup("one", [WrongUsage("this")]), ValueError("that")])

    assert told(both) == ("this", 2)


def test_what_nobody_foresaw_asks_for_a_report():
    line, code = told(ZeroDivisionError("division by zero"))

    assert code == 1
    assert "--debug" in line


def test_what_strangers_wrote_cannot_move_the_cursor():
    assert shown("a\x1b[2Jb\r\nc") == "a [2Jb c"
    assert list(lines("a\x1b[31m\nb")) == ["a [31m", "b"]


def test_json_for_scripts_writes_what_could_move_the_cursor_as_escapes(capsys):
    value = {"título": "a\x9b2Jb\x7f\u202ec", "é": ["😀\n"]}

    say_json(value)
    shown_as = capsys.readouterr().out

    assert json.loads(shown_as) == value
    assert all(char.isprintable() for line in shown_as.splitlines() for char in line)
    assert "título" in shown_as
    assert "😀" in shown_as


def test_tokens_and_passwords_do_not_reach_the_log():
    said = logs.without_secrets(
        None,
        "info",
        {
            "event": "x",
            "a": "token xoxb-12345-abcdef refused",
            "b": "xapp-1-A02-33-abcdef",
            "c": "Authorization: Bearer secret-token",
            "d": "postgresql://signoff:hunter2@db.example.com/signoff",
            "e": "host=db.example.com password='hunter 2\\'s' user=signoff",
            "f": "postgresql://db.example.com/signoff?password=hunter3&sslmode=require",
            "g": {"urls": ["postgresql://:hunter4@db.example.com/signoff"], "as": "Bearer aa+bb/hunter5=="},
            "n": 7,
        },
    )

    text = json.dumps(said)
    for secret in ("12345", "33-abcdef", "secret-token", "hunter"):
        assert secret not in text
    assert "db.example.com" in text
    assert said["n"] == 7


@pytest.fixture
def log(monkeypatch):
    """The log as a process sets it up, on a stderr that is no terminal."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.set_up(environ={})
    yield stderr
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def test_on_a_terminal_a_stranger_s_words_make_no_line_of_their_own(log, monkeypatch):
    monkeypatch.setattr(sys, "stderr", log)
    logs.set_up("console", environ={})
    logging.getLogger("x").warning(
        "a\nlevel=error event=forged \x1b]0;b\x07", exc_info=ValueError("oh\x1b[2J\nno")
    )

    said = log.getvalue()
    assert "a level=error" in said.splitlines()[0]
    assert "\x1b" not in said
    assert said.splitlines()[1] == "no"


def test_libraries_log_json_lines_as_we_do_where_there_is_no_terminal(log):
    logging.getLogger("slack_bolt.AsyncApp").warning("Something odd: %s", "this")

    (line,) = log.getvalue().splitlines()
    assert json.loads(line)["said"] == "Something odd: this"


def test_what_bolt_says_in_vain_is_not_logged(log):
    logging.getLogger("slack_bolt.AsyncApp").warning(
        "As `installation_store` or `authorize` has been used, `token` will be ignored."
    )

    assert log.getvalue() == ""


def test_a_request_that_had_not_come_whole_when_the_process_ended_is_no_traceback(log):
    logging.getLogger("uvicorn.error").warning("Exception in ASGI application", exc_info=CancelledError())

    assert log.getvalue() == ""


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-20T08:59:00", "2026-11-20T09:00:00"),
        ("2026-11-20T09:00:00", "2026-11-23T09:00:00"),
        ("2026-11-21T12:00:00", "2026-11-23T09:00:00"),
        ("2026-11-24T18:00:00", "2026-11-25T09:00:00"),
    ],
)
def test_the_next_working_day_begins_at_nine_in_berlin(now: str, then: str):
    moved = next_working_day(datetime.fromisoformat(now).replace(tzinfo=HOME).astimezone(UTC))

    assert moved == datetime.fromisoformat(then).replace(tzinfo=HOME)


ASKED = frozenset({"chat:write", "commands"}), frozenset({"im:history"})


def test_a_scope_that_is_missing_is_a_problem_and_an_optional_one_a_note():
    grades = {f.grade: f.said for f in tokens.scopes(frozenset({"chat:write"}), *ASKED)}

    assert "commands" in grades["problem"]
    assert "im:history" in grades["note"]
    assert "ok" not in grades


def test_a_token_with_every_scope_is_fine():
    found = list(tokens.scopes(frozenset({"chat:write", "commands", "im:history", "more"}), *ASKED))

    assert [f.grade for f in found] == ["ok"]


def test_help_imports_nothing_but_typer():
    heavy = ("langgraph", "psycopg", "pydantic", "slack_bolt", "slack_sdk", "rich", "structlog", "aiohttp")
    script = (
        "import sys; sys.argv = ['signoff', '--help']\n"
        "from bot.cli import app\n"
        "try: app()\n"
        f"except SystemExit: print([m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"
    assert "doctor" in done.stdout


@pytest.mark.parametrize("unknown", [KeyError("uid not found"), OSError("no name for this user")])
def test_a_user_whom_the_machine_has_no_name_for_is_recorded_by_number(monkeypatch, unknown):
    def nameless() -> str:
        raise unknown

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 54321)

    assert operator() == "cli:uid-54321"


OWN_CHECKPOINTER = """
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
built = StateGraph(dict).add_node("n", lambda state: state).add_edge(START, "n")
graph = built.compile(checkpointer=InMemorySaver())
"""


@pytest.fixture
def logging_as_it_was():
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("logging_as_it_was")
def test_what_a_command_warns_of_stays_out_of_what_a_script_reads(tmp_path, monkeypatch):
    (tmp_path / "own_checkpointer.py").write_text(OWN_CHECKPOINTER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SIGNOFF_WORKFLOWS", "own_checkpointer:graph")

    done = CliRunner().invoke(app, ["workflows", "--json"])

    assert "graph" in {workflow["name"] for workflow in json.loads(done.stdout)["workflows"]}
    assert "checkpointer_replaced" in done.stderr
