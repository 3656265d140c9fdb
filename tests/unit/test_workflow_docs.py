from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from effect_ledger import Ledger

from bot.approvals import ApprovalRequest, Decision, Policy, Sla
from workflows import effects

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()


@pytest.fixture(autouse=True)
def ledger(monkeypatch):
    ledger = Ledger()
    monkeypatch.setattr(effects, "record", ledger.record)
    return ledger


@pytest.fixture
def workflow(tmp_path, monkeypatch):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "discount.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("discount", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "discount", module)
    spec.loader.exec_module(module)
    return module.workflow


@pytest.fixture(autouse=True)
def leads(signoff):
    signoff.group("@sales-leads", "U01MAYA")


@pytest.fixture
def given():
    (command,) = re.findall(r"^signoff start discount (.*)$", PAGE, re.MULTILINE)
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
