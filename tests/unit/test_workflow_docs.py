from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bot.approvals import ApprovalRequest, Decision, Policy, Sla

pytestmark = pytest.mark.usefixtures("ledger")

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()


BLOCK = re.compile(r"^ *```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE = [textwrap.dedent(block) for block in BLOCK.findall(PAGE)]
"""The Python of the page, in its order: the test in ten minutes, the workflow, the test of all that is."""


@pytest.fixture
def page(tmp_path):
    for name, code in zip(("test_discount.py", "discount.py", "test_more.py"), CODE, strict=True):
        (tmp_path / name).write_text(code)
    return tmp_path


@pytest.fixture
def workflow(page, monkeypatch):
    spec = importlib.util.spec_from_file_location("discount", page / "discount.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "discount", module)
    spec.loader.exec_module(module)
    return module.workflow


@pytest.fixture(autouse=True)
def leads(signoff):
    signoff.group("@finance-managers", "U01MAYA")


@pytest.fixture
def given():
    command, *same = re.findall(r"^ *signoff start discount (.*)$", PAGE, re.MULTILINE)
    assert all(one.startswith(command) or command.startswith(one) for one in same)
    return json.loads(shlex.split(command)[1])


def test_the_workflow_on_the_page_asks_and_does_what_was_approved(signoff, workflow, given, ledger):
    run = signoff.start(workflow, given)
    assert run.request.title == "Give Acme 25 % off"
    assert set(run.request.allow) == {"approve", "reject", "edit"}

    run.edit({"months": 6}, by="U01MAYA")

    assert run.state["outcome"] == "Acme pays 25 % less for 6 months."
    run.again("apply")
    assert [effect.data for effect in ledger.effects] == [{"percent": 25, "months": 6}]


def test_the_workflow_on_the_page_does_nothing_when_refused(signoff, workflow, given, ledger):
    run = signoff.start(workflow, given)
    run.reject(by="U01MAYA")
    assert run.state["outcome"] == "No discount for Acme: U01MAYA said no."
    assert ledger.effects == []


def test_the_workflow_on_the_page_does_nothing_when_unanswered(signoff, workflow, given, ledger):
    run = signoff.start(workflow, given)
    run.time_out()
    assert run.state["outcome"] == "No discount for Acme: nobody answered in time."
    assert ledger.effects == []


def test_the_workflow_on_the_page_leaves_small_ones_to_policy(signoff, workflow, given):
    run = signoff.start(workflow, given | {"percent": 5})
    assert run.decisions[0].reason == "10 % or less"
    assert run.state["outcome"] == "Acme pays 5 % less for 12 months."


def test_the_tests_on_the_page_pass_in_a_folder_of_their_own(page):
    plugin = ("-p", "no:signoff", "-p", "bot.testing.plugin")  # the same, however this checkout was installed
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "-p", "no:cacheprovider", str(page)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, cwd=page)
    assert "3 passed" in told.stdout, told.stdout


def test_a_module_of_the_folder_one_stands_in_is_found(page):
    code = "import sys; sys.path[:] = [p for p in sys.path if p]; from bot.cli import app; app()"
    told = subprocess.run(
        [sys.executable, "-c", code, "workflows", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=page,
        env=os.environ | {"SIGNOFF_WORKFLOWS": "discount:workflow"},
    )
    assert '"discount"' in told.stdout, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("heading", "model"),
    [("## The request", ApprovalRequest), ("## The decision", Decision)],
)
def test_the_page_names_every_key_of_the_contract(heading, model):
    section = PAGE.split(f"\n{heading}\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE))))
    assert named | {"signoff"} == set(model.model_fields)


@pytest.mark.parametrize("model", [Policy, Sla])
def test_the_page_names_every_field_of_policy_and_sla(model):
    assert [name for name in model.model_fields if f"`{name}`" not in PAGE] == []
