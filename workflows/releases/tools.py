"""The commands of a release, as a program: `python -m workflows.releases.tools NAME ARGUMENT…`."""

from __future__ import annotations

import sqlite3
import sys
import zipfile
from collections.abc import Callable

from workflows.releases import builds, checks
from workflows.releases.sources import Failed

COMMANDS: dict[str, Callable[..., str]] = {
    command.__name__: command
    for command in (
        checks.check_out,
        checks.check_version,
        checks.compile_sources,
        checks.lint,
        checks.check_annotations,
        checks.unit_tests,
        checks.scan_for_secrets,
        checks.check_dependencies,
        checks.check_licence,
        builds.build,
        builds.verify_build,
        builds.integration_tests,
        builds.performance_test,
        builds.back_up,
        builds.migrate,
        builds.deploy,
        builds.smoke_test,
        builds.announce,
    )
}


def main(name: str, *arguments: str) -> int:
    """Run one command; what it says goes to stdout, why it failed to stderr with code 1."""
    try:
        sys.stdout.write(COMMANDS[name](*arguments) + "\n")
    except (Failed, OSError, ValueError, KeyError, SyntaxError, sqlite3.Error, zipfile.BadZipFile) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
