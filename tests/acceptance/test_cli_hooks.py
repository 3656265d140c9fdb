from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.commands.running import take_tokens
from bot.manifest import manifest

ROOT = Path(__file__).parents[2]
HOOKS = json.loads((ROOT / ".slack" / "hooks.json").read_text())["hooks"]
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def hook(name: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a hook as the Slack CLI does: split at spaces, no shell, in the project's folder."""
    python, *words = HOOKS[name].split()
    assert python == "python3"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLACK_", "SIGNOFF_"))}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=clean | environ, capture_output=True, text=True, check=False
    )


def test_the_slack_cli_gets_the_manifest_as_json():
    assert json.loads(hook("get-manifest").stdout) == manifest()


def test_the_slack_cli_can_start_it():
    done = hook("start", PORT="no port")  # so that it ends where its settings are read

    assert done.returncode == 2
    assert done.stderr.startswith("signoff: PORT")


def test_the_slack_clis_tokens_are_taken_where_none_are_set():
    environ = {"SLACK_CLI_XOXB": "xoxb-cli", "SLACK_CLI_XAPP": "xapp-cli", "SLACK_APP_TOKEN": "xapp-set"}

    take_tokens(environ)

    assert environ["SLACK_BOT_TOKEN"] == "xoxb-cli"
    assert environ["SLACK_APP_TOKEN"] == "xapp-set"


def test_nothing_is_taken_where_the_slack_cli_gives_nothing():
    environ: dict[str, str] = {}

    take_tokens(environ)

    assert environ == {}


def test_the_procfile_has_the_release_and_the_roles():
    assert list(PROCFILE) == ["release", "web", "worker", "clock"]


@pytest.mark.parametrize("name", PROCFILE)
def test_a_runners_shell_becomes_the_role_so_that_the_runner_sees_when_it_has_drained(name, tmp_path):
    signoff = tmp_path / "signoff"
    signoff.write_text('#!/bin/sh\necho "$$"')
    signoff.chmod(0o755)

    with subprocess.Popen(
        ["/bin/sh", "-c", PROCFILE[name]], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, stdout=subprocess.PIPE
    ) as runners:
        said, _ = runners.communicate()

    assert int(said) == runners.pid
