from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from pydantic import ValidationError

from bot.testing import Run
from workflows import release
from workflows.command import TookTooLong
from workflows.release import Release, samples, workflow
from workflows.releases import builds, checks, steps
from workflows.releases.builds import apply_migrations
from workflows.releases.sources import Failed
from workflows.releases.steps import STEPS, Ran, places
from workflows.releases.tools import COMMANDS, main

pytestmark = pytest.mark.usefixtures("ledger")

STARTS_A_PROGRAM_OF_ITS_OWN = ("unit_tests", "integration_tests", "performance_test", "smoke_test")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_SAMPLES", str(tmp_path))
    monkeypatch.delenv("SIGNOFF_PROJECTS", raising=False)
    return tmp_path


@pytest.fixture
def ran(monkeypatch):
    """Run the commands in this process, but for those that would import the project; list what ran."""
    ran: list[str] = []

    def carried_out(step, where, key, given=None):
        name, *arguments = (part.format_map(where.named(key)) for part in step.arguments)
        ran.append(step.name)
        if name in STARTS_A_PROGRAM_OF_ITS_OWN:
            return Ran(ok=True, told="ok")
        if name == "announce":
            file = where.shared / "announced.txt"
            file.write_text(given)
            return Ran(ok=True, told=file.name)
        try:
            return Ran(ok=True, told=COMMANDS[name](*arguments))
        except Failed as error:
            return Ran(ok=False, told=str(error))

    monkeypatch.setattr(release, "carried_out", carried_out)
    return ran


@pytest.fixture
def started(signoff):
    signoff.group("@on-call", "U04OKEY")

    def started(**changes) -> Run:
        return signoff.start(workflow, samples["shop"] | changes)

    return started


@pytest.fixture
def at_deployment(started):

    def at_deployment(**changes) -> Run:
        return started(**changes).approve(by="U04OKEY")

    return at_deployment


def where(run: Run):
    return places(run.state["project"], run.state["version"], run.thread_id)


def deployed(run: Run) -> str | None:
    return steps.in_production(where(run)).get("version")


def migrated(run: Run) -> list[str]:
    with closing(sqlite3.connect(where(run).database)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master")]
        if "schema_migrations" not in tables:
            return []
        return [name for (name,) in connection.execute("select name from schema_migrations order by name")]


def test_twenty_steps_run_as_programs_and_three_of_them_ask(started, folder, ledger):
    run = started()
    assert run.request.title == "Migrate the production database of shop for 1.0.0: 2 migrations"
    assert "create index orders_by_customer" in run.request.summary
    assert "6. run the unit tests: 2 tests passed" in run.request.summary
    assert (run.request.fields["Step"], migrated(run)) == ("17 of 20", [])

    run.approve(by="U04OKEY")
    assert run.request.title == "Deploy shop 1.0.0 to production, in place of nothing"
    assert (migrated(run), deployed(run)) == (["001_orders.sql", "002_orders_by_customer.sql"], None)

    run.approve(by="U04OKEY")
    assert run.request.title == "Announce shop 1.0.0 to the public"
    assert deployed(run) == "1.0.0"

    run.edit({"text": "Better discounts!"}, by="U04OKEY")
    assert run.state["outcome"] == "shop 1.0.0 is released and announced: 20 steps ran."
    assert len(run.state["told"]) == len(STEPS) == 20
    (announcement,) = (folder / "releases" / "environments" / "shop" / "announcements").iterdir()
    assert announcement.read_text() == "Better discounts!"
    assert [effect.key.partition(":")[2] for effect in ledger.effects] == [
        "migrate_the_schema",
        "deploy_to_production",
        "announce_it",
    ]


def test_a_step_that_fails_stops_the_release_and_says_which(signoff, ledger):
    run = signoff.start(workflow, samples["broken"])
    assert not run.pauses
    assert run.state["result"] == "failed"
    assert "stopped at step 6 of 20, run the unit tests: failed, 1 of 2 tests failed" in run.state["outcome"]
    assert "test_a_discount_is_rounded" in run.state["outcome"]
    assert run.state["outcome"].endswith("Nothing irreversible was done.")
    assert ledger.effects == []


def test_what_cannot_be_undone_is_drawn_so_and_cannot_be_edited(started, ran):
    run = started()
    for _ in range(2):
        assert (run.request.risk, run.request.destructive, run.request.allow) == (
            "high",
            True,
            ("approve", "reject"),
        )
        run.approve(by="U04OKEY")
    assert (run.request.destructive, "edit" in run.request.allow) == (False, True)


def test_a_rejected_migration_leaves_everything_as_it_was(started, ran, ledger):
    run = started().reject("not on a Friday", by="U04OKEY")
    assert run.state["result"] == "rejected"
    assert run.state["outcome"] == (
        "shop 1.0.0 stopped at step 17 of 20, migrate the schema: rejected by U04OKEY: not on a Friday. "
        "Nothing irreversible was done."
    )
    assert (migrated(run), deployed(run), ledger.effects) == ([], None, [])


def test_a_rejected_deployment_says_that_the_schema_was_migrated(at_deployment, ran):
    run = at_deployment().reject(by="U04OKEY")
    assert run.state["outcome"].endswith("Done before: migrate the schema.")
    assert deployed(run) is None


def test_a_rejected_announcement_leaves_the_release_in_place(at_deployment, ran, folder):
    run = (at_deployment()).approve(by="U04OKEY").reject(by="U04OKEY")
    assert run.state["result"] == "released unannounced"
    assert deployed(run) == "1.0.0"
    assert "announce it" not in ran


@pytest.mark.parametrize(("delivered", "why"), [(True, "nobody answered"), (False, "could not be delivered")])
def test_an_unanswered_question_stops_the_release_and_is_told_as_no_no(
    signoff, at_deployment, ran, delivered, why
):
    signoff.delivers = delivered
    run = at_deployment().time_out()
    assert run.state["result"] == "expired"
    assert why in run.state["outcome"]
    assert "rejected" not in run.state["outcome"]
    assert deployed(run) is None


def test_a_build_that_changed_while_people_thought_is_checked_and_asked_about_again(at_deployment, ran):
    run = at_deployment()
    shown = run.request.fields["Build"]
    source = where(run).work / "source"
    (source / "LICENSE").write_text("Another licence.\n")
    builds.build(str(source), "1.0.0", str(where(run).artifact))
    ran.clear()

    run.approve(by="U04OKEY")

    assert run.pauses
    assert deployed(run) is None
    assert run.request.title.startswith("Deploy shop 1.0.0")
    assert run.request.fields["Build"] != shown
    assert f"not {shown} that you were shown" in run.request.summary
    assert ran[0] == "verify the build"
    assert "migrate the schema" not in ran

    run.approve(by="U04OKEY")
    assert deployed(run) == "1.0.0"
    assert "shown" not in run.request.summary


def test_a_build_that_is_damaged_meanwhile_stops_the_release(at_deployment, ran):
    run = at_deployment()
    with where(run).artifact.open("r+b") as file:
        file.seek(60)
        file.write(b"?")

    run.approve(by="U04OKEY")

    assert run.state["result"] == "failed"
    assert "stopped at step 11 of 20, verify the build: failed, LICENSE is damaged" in run.state["outcome"]
    assert run.state["outcome"].endswith("Done before: migrate the schema.")
    assert deployed(run) is None


def test_a_build_that_is_gone_is_made_anew_and_asked_about_again(at_deployment, ran):
    run = at_deployment()
    shown = run.request.fields["Build"]
    where(run).artifact.unlink()
    ran.clear()

    run.approve(by="U04OKEY")

    assert run.pauses
    assert ran[0] == "check out the sources"
    assert "it was made again" in run.request.summary
    assert run.request.fields["Build"] == shown
    assert deployed(run) is None


def test_another_release_that_came_first_is_told_and_never_overwritten(at_deployment, started, ran):
    run = at_deployment()
    other = started(version="1.1.0")
    assert other.request.title.startswith("Deploy shop 1.1.0")  # no migration was left to ask about
    other.approve(by="U04OKEY")
    assert deployed(run) == "1.1.0"

    run.approve(by="U04OKEY")
    assert "Production runs 1.1.0 now" in run.request.summary
    assert run.request.title == "Deploy shop 1.0.0 to production, in place of 1.1.0"

    run.approve(by="U04OKEY")
    assert "1.1.0 is there, and 1.0.0 is not newer" in run.state["outcome"]
    assert deployed(run) == "1.1.0"


def test_an_announcement_of_what_was_replaced_meanwhile_is_asked_about_again(signoff, at_deployment, ran):
    run = at_deployment().approve(by="U04OKEY")
    other = signoff.start(workflow, samples["shop"] | {"version": "2.0.0"})
    other.approve(by="U04OKEY")

    run.approve(by="U04OKEY")

    assert run.pauses
    assert "Production runs 2.0.0 now" in run.request.summary
    assert "announce it" not in ran


def test_an_empty_announcement_is_asked_about_again(at_deployment, ran):
    run = at_deployment().approve(by="U04OKEY")
    run.edit({"text": " "}, by="U04OKEY")
    assert "What was approved is not an announcement" in run.request.summary


def test_an_older_version_is_stopped_before_anybody_is_asked(at_deployment, started, ran):
    at_deployment(version="1.2.0").approve(by="U04OKEY")
    run = started(version="1.1.9")
    assert not run.pauses
    assert "1.1.9 is not newer than 1.2.0" in run.state["outcome"]


@pytest.mark.parametrize("gate", [0, 1])
def test_a_second_run_of_what_cannot_be_undone_does_it_once(started, ran, ledger, gate):
    run = started()
    for _ in range(gate + 1):
        run.approve(by="U04OKEY")
    run.reject("that will do", by="U04OKEY")
    before = (migrated(run), deployed(run), len(ledger.effects))

    run.again("carry_out")

    assert (migrated(run), deployed(run), len(ledger.effects)) == before


def test_a_run_that_starts_again_asks_for_the_same(at_deployment, ran):
    run = at_deployment()
    where(run).artifact.unlink()
    run.ask_again()


def test_a_project_that_is_not_there_is_said_so(started):
    run = started(project="nowhere")
    assert run.state["result"] == "failed"
    assert "there is no project nowhere" in run.state["outcome"]


def test_a_project_of_ones_own_is_released_from_its_folder(started, ran, tmp_path, monkeypatch):
    from workflows.releases.project import write

    monkeypatch.setenv("SIGNOFF_PROJECTS", str(tmp_path / "own"))
    write("shop", tmp_path / "own" / "till")
    (tmp_path / "own" / "till" / "migrations" / "003_more.sql").write_text("create table more (x text);\n")
    run = started(project="till")
    assert run.request.title == "Migrate the production database of till for 1.0.0: 3 migrations"


def test_a_step_that_takes_too_long_is_a_failed_step(monkeypatch, folder):
    def slow(*arguments, **about):
        raise TookTooLong("python was stopped after 60 s")

    monkeypatch.setattr(steps, "run", slow)
    ran = steps.carried_out(STEPS[0], places("shop", "1.0.0", "thread"), "t:x")
    assert ran == Ran(ok=False, told="python was stopped after 60 s")


def test_only_what_cannot_be_undone_asks():
    assert [step.name for step in STEPS if step.gate] == [
        "migrate the schema",
        "deploy to production",
        "announce it",
    ]


def test_a_backup_never_replaces_an_earlier_one(tmp_path):
    for _ in range(2):
        builds.back_up(str(tmp_path / "production.db"), str(tmp_path))
    assert sorted(file.name for file in tmp_path.glob("backup-*")) == ["backup-1.db", "backup-2.db"]


def test_the_same_sources_make_the_same_build(tmp_path):
    from workflows.releases.project import write

    write("shop", tmp_path / "source")
    first = builds.build(str(tmp_path / "source"), "1.0.0", str(tmp_path / "1.zip"))
    (tmp_path / "source" / "shop" / "orders.py").touch()
    assert builds.build(str(tmp_path / "source"), "1.0.0", str(tmp_path / "2.zip")) == first
    assert builds.build(str(tmp_path / "source"), "1.0.1", str(tmp_path / "3.zip")) != first


def test_a_build_that_is_not_the_approved_one_is_neither_deployed_nor_migrated(tmp_path):
    from workflows.releases.project import write

    write("shop", tmp_path / "source")
    artifact = str(tmp_path / "1.zip")
    builds.build(str(tmp_path / "source"), "1.0.0", artifact)
    with pytest.raises(Failed, match="that was approved"):
        builds.deploy(artifact, "0" * 64, "1.0.0", str(tmp_path / "there"), "newer")
    with pytest.raises(Failed, match="that was approved"):
        builds.migrate(artifact, "0" * 64, str(tmp_path / "a.db"))
    assert not (tmp_path / "there").exists()
    assert not (tmp_path / "a.db").exists()


def test_a_migration_that_breaks_leaves_no_half(tmp_path):
    from workflows.releases.project import write

    write("shop", tmp_path / "source")
    broken = "create table half (x text);\ncreate table half (x text);\n"
    (tmp_path / "source" / "migrations" / "003_broken.sql").write_text(broken)
    artifact = str(tmp_path / "1.zip")
    builds.build(str(tmp_path / "source"), "1.0.0", artifact)
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            apply_migrations(connection, artifact)
        tables = {
            name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        }
        assert tables == {"schema_migrations", "orders"}
        assert connection.execute("select count(*) from schema_migrations").fetchone() == (2,)


@pytest.mark.parametrize(
    ("file", "text", "check", "why"),
    [
        ("shop/bad.py", "try:\n    x = 1\nexcept:\n    x = 2\n", "lint", r"bad\.py:3: bare except"),
        ("shop/bad.py", "def f():\n    return 1\n", "check_annotations", r"bad\.py:1 f"),
        ("shop/bad.py", "import requests\n", "check_dependencies", "imports requests"),
        ("shop/bad.txt", "AKIA" + "A" * 16, "scan_for_secrets", "looks like a secret"),
        ("LICENSE", " \n", "check_licence", "no licence"),
        ("shop/bad.py", "def f(:\n", "compile_sources", "does not compile"),
    ],
)
def test_each_check_finds_what_it_is_for(tmp_path, capsys, file, text, check, why):
    from workflows.releases.project import write

    write("shop", tmp_path)
    getattr(checks, check)(str(tmp_path))
    (tmp_path / file).write_text(text)
    with pytest.raises(Failed, match=why):
        getattr(checks, check)(str(tmp_path))


def test_a_command_tells_why_it_failed_and_ends_with_1(tmp_path, capsys):
    assert main("verify_build", str(tmp_path / "none.zip"), "1.0.0") == 1
    assert "none.zip" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "value"),
    [("project", "../etc"), ("version", "1.0"), ("version", "v1.0.0"), ("notes", "x" * 3000), ("steps", 3)],
)
def test_a_release_that_makes_no_sense_is_refused_by_field(field, value):
    with pytest.raises(ValidationError) as refusal:
        Release.model_validate(samples["shop"] | {field: value})
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]
