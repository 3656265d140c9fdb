"""The twenty steps of a release, each a command with fixed arguments and a time limit, and where they run."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from workflows.command import Finished, TookTooLong, run
from workflows.folders import inside, own
from workflows.releases.builds import migrations
from workflows.releases.project import PROJECTS, write
from workflows.releases.sources import current

PROJECTS_VARIABLE = "SIGNOFF_PROJECTS"
"""Names the folder of the projects that may be released; unset, only the samples are there."""

_HERE = {"PYTHONPATH": str(Path(__file__).parents[1])}

Gate = Literal["migrate", "deploy", "announce"]


@dataclass(frozen=True)
class Step:
    """One step. `arguments` name places in braces; `gate` marks what cannot be taken back, and asks."""

    name: str
    arguments: tuple[str, ...]
    seconds: float = 60
    gate: Gate | None = None

    @property
    def id(self) -> str:
        return self.name.replace(" ", "_")


STEPS: tuple[Step, ...] = (
    Step("check out the sources", ("check_out", "{project}", "{source}")),
    Step("check the version", ("check_version", "{version}", "{production}")),
    Step("compile", ("compile_sources", "{source}")),
    Step("lint", ("lint", "{source}")),
    Step("check the annotations", ("check_annotations", "{source}")),
    Step("run the unit tests", ("unit_tests", "{source}"), seconds=300),
    Step("scan for secrets", ("scan_for_secrets", "{source}")),
    Step("check the dependencies", ("check_dependencies", "{source}")),
    Step("check the licence", ("check_licence", "{source}")),
    Step("build", ("build", "{source}", "{version}", "{artifact}")),
    Step("verify the build", ("verify_build", "{artifact}", "{version}")),
    Step("run the integration tests", ("integration_tests", "{artifact}"), seconds=300),
    Step("test the performance", ("performance_test", "{artifact}")),
    Step("deploy to staging", ("deploy", "{artifact}", "{digest}", "{version}", "{staging}", "any")),
    Step("smoke-test staging", ("smoke_test", "{staging}", "{version}")),
    Step("back up the database", ("back_up", "{database}", "{work}")),
    Step("migrate the schema", ("migrate", "{artifact}", "{digest}", "{database}"), gate="migrate"),
    Step(
        "deploy to production",
        ("deploy", "{artifact}", "{digest}", "{version}", "{production}", "newer"),
        gate="deploy",
    ),
    Step("smoke-test production", ("smoke_test", "{production}", "{version}")),
    Step("announce it", ("announce", "{announcements}", "{key}"), gate="announce"),
)

VERIFY = next(place for place, step in enumerate(STEPS) if step.name == "verify the build")
"""Where a build that is not the one that was shown starts again."""


class NoProject(Exception):
    """There is no project of that name; the text says where one would be."""


@dataclass(frozen=True)
class Places:
    """Where one release works, and the surroundings that all releases of a project share."""

    work: Path
    shared: Path
    project: Path
    version: str

    @property
    def artifact(self) -> Path:
        return self.work / "dist" / f"{self.version}.zip"

    @property
    def database(self) -> Path:
        return self.shared / "production.db"

    @property
    def production(self) -> Path:
        return self.shared / "production"

    def named(self, key: str) -> dict[str, str]:
        """Return what the arguments of steps may name."""
        return {
            "project": str(self.project),
            "source": str(self.work / "source"),
            "version": self.version,
            "artifact": str(self.artifact),
            "digest": digest(self.artifact) or "no build",
            "work": str(self.work),
            "database": str(self.database),
            "production": str(self.production),
            "staging": str(self.work / "staging"),
            "announcements": str(self.shared / "announcements"),
            "key": key,
        }


@dataclass(frozen=True)
class Ran:
    """How a step went: `told` is what it said, or why it failed."""

    ok: bool
    told: str


def places(project: str, version: str, thread: str) -> Places:
    """Find the folders of a release, made where they are missing; raises `NoProject`."""
    root = own("releases")
    work, shared = inside(root / "work", thread), inside(root / "environments", project)
    for folder in (work, shared):
        folder.mkdir(parents=True, exist_ok=True)
    return Places(work, shared, _sources(project), version)


def carried_out(step: Step, where: Places, key: str, given: str | None = None) -> Ran:
    """Run a step's command to its end, or to its time limit."""
    arguments = [argument.format_map(where.named(key)) for argument in step.arguments]
    argv = [sys.executable, "-P", "-s", "-B", "-m", "workflows.releases.tools", *arguments]
    text = given.encode() if given is not None else None
    try:
        done = run(argv, folder=where.work, seconds=step.seconds, given=text, environment=_HERE)
    except TookTooLong as error:
        return Ran(ok=False, told=str(error))
    return Ran(ok=done.code == 0, told=_last_line(done))


def digest(file: Path) -> str | None:
    """Return the SHA-256 of a build, or None where there is none (any more)."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def in_production(where: Places) -> dict[str, str]:
    """Return `version` and `digest` of what production runs now; empty where it runs nothing."""
    return current(where.production)


def pending(where: Places) -> dict[str, str]:
    """Return the migrations of the build that the production database has not seen, by name."""
    seen: set[str] = set()
    if where.database.exists():
        with closing(sqlite3.connect(f"file:{quote(str(where.database))}?mode=ro", uri=True)) as connection:
            marks = "select 1 from sqlite_master where name = 'schema_migrations'"
            if connection.execute(marks).fetchone():
                seen = {name for (name,) in connection.execute("select name from schema_migrations")}
    return {name: text for name, text in migrations(str(where.artifact)).items() if name not in seen}


def _sources(project: str) -> Path:
    chosen = os.environ.get(PROJECTS_VARIABLE)
    if chosen and (found := inside(Path(chosen).expanduser(), project)).is_dir():
        return found
    if project not in PROJECTS:
        raise NoProject(
            f"there is no project {project}; put it into the folder that {PROJECTS_VARIABLE} names"
        )
    folder = own("projects") / project
    write(project, folder)
    return folder


def _last_line(done: Finished) -> str:
    """Take what says most: the result of a step that went well, the reason of one that did not."""
    text = (done.out if done.code == 0 else done.err or done.out).decode(errors="replace").strip()
    return text.splitlines()[-1][:300] if text else f"ended with code {done.code}"
