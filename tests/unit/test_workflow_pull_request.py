from __future__ import annotations

import pytest
from pydantic import ValidationError

from bot.testing import Run
from workflows import pull_request
from workflows.pull_request import samples, workflow
from workflows.pull_requests.input import PullRequest
from workflows.pull_requests.repository import TRAILER, Blob, GitFailed, Moved, Repository, create

pytestmark = pytest.mark.usefixtures("ledger")

RULES = [
    "unused import",
    "unused import",
    "mutable default",
    "None by equality",
    "debugging",
    "bare except",
    "annotations",
    "debugging",
    "annotations",
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_SAMPLES", str(tmp_path))
    monkeypatch.delenv("SIGNOFF_REPOSITORIES", raising=False)
    monkeypatch.delenv("SIGNOFF_CHAT_MODEL", raising=False)
    return tmp_path


@pytest.fixture
def repository(folder) -> Repository:
    return Repository(folder / "repositories" / "shop.git")


@pytest.fixture
def started(signoff):
    signoff.group("@on-call", "U04OKEY")

    def started(sample: str = "branch", **changes) -> Run:
        return signoff.start(workflow, samples[sample] | changes)

    return started


def push(repository: Repository, text: str | None = None, path: str = "orders.py") -> str:
    """Let somebody else commit to the branch."""
    head = repository.head("baskets")
    now = repository.blob(head, "orders.py").content.decode()
    content = (text if text is not None else now + "\n\nVERSION: int = 2\n").encode()
    return repository.commit("baskets", head, {path: Blob("100644", content)}, "Somebody else's")


def source(repository: Repository) -> str:
    return repository.blob(repository.head("baskets"), "orders.py").content.decode()


def test_the_reviewer_sees_each_defect_with_its_place_and_its_mending(started):
    request = (started()).request

    assert request.title == "Commit 9 changes to baskets of shop.git: Baskets and loading"
    labels = [field["title"] for field in list(request.proposal_schema["properties"].values())[:-1]]
    assert [label.partition(": ")[2] for label in labels] == RULES
    assert labels[3] == "4. orders.py:14: None by equality"
    assert "-    if item == None:\n+    if item is None:" in request.summary
    assert request.fields["Found by"] == "fixed rules"
    assert set(request.allow) == {"approve", "reject", "edit"}


def test_a_secret_is_told_of_without_being_told(started):
    request = (started()).request
    assert "`orders.py:35` secret: looks like a password" in request.summary
    assert "correct-horse" not in request.summary
    assert request.risk == "high"


def test_an_approved_list_becomes_one_commit_on_the_branch(started, repository, ledger):
    run = started()
    parent = repository.head("baskets")

    run.approve(by="U04OKEY")

    commit = repository.head("baskets")
    assert run.state["outcome"] == (
        f"Committed 9 changes to baskets of shop.git as {commit[:10]}, approved by U04OKEY."
    )
    assert repository.made_by(f"{run.thread_id}:commit", "baskets", parent) == commit
    assert "def add(order, item, basket=None):" in source(repository)
    assert "import os" not in source(repository)
    (effect,) = ledger.effects
    assert effect.data.items() >= {"commit": commit, "branch": "baskets"}.items()


def test_what_the_reviewer_strikes_out_is_not_committed(started, repository):
    run = started()
    run.edit({"change_1": False, "change_5": False, "message": "Mend most of it"}, by="U04OKEY")

    assert run.state["outcome"].startswith("Committed 7 changes")
    assert "import os" in source(repository)
    assert 'print("added", item)' in source(repository)
    assert "if item is None:" in source(repository)
    log = repository._git("log", "-1", "--format=%s|%an|%ae", "refs/heads/baskets").out.decode().strip()
    assert log == "Mend most of it|Signoff|signoff@localhost"


def test_the_commit_is_made_by_whom_the_environment_names(started, repository, monkeypatch):
    monkeypatch.setenv("SIGNOFF_GIT_AUTHOR", "Review Bot <review@example.com>")
    started().approve(by="U04OKEY")
    log = repository._git("log", "-1", "--format=%an|%ce", "refs/heads/baskets").out.decode().strip()
    assert log == "Review Bot|review@example.com"


def test_with_everything_struck_out_nothing_is_committed(started, repository, ledger):
    run = started()
    before = repository.head("baskets")
    run.edit({f"change_{n}": False for n in range(1, 10)}, by="U04OKEY")

    assert run.state["result"] == "rejected"
    assert run.state["outcome"] == "Nothing was changed: U04OKEY struck out every change."
    assert repository.head("baskets") == before
    assert ledger.effects == []


def test_a_branch_that_moved_is_looked_at_anew_and_asked_about_again(started, repository, ledger):
    run = started()
    moved = push(repository)

    run.edit({"change_1": False, "message": "Mend it"}, by="U04OKEY")

    assert run.pauses
    assert ledger.effects == []
    assert repository.head("baskets") == moved
    assert f"to {moved[:10]} since you were asked" in run.request.summary
    assert run.request.fields["Commit"] == moved[:10]
    assert run.request.proposal["change_1"] is False
    assert run.request.proposal["message"] == "Mend it"

    run.approve(by="U04OKEY")

    assert run.state["result"] == "committed"
    assert "VERSION: int = 2" in source(repository)
    assert "import os" in source(repository)


def test_a_branch_that_was_mended_meanwhile_leaves_nothing_to_do(started, repository, ledger):
    run = started()
    push(repository, '"""Orders of the shop."""\n')
    run.approve(by="U04OKEY")
    assert run.state["result"] == "nothing to change"
    assert ledger.effects == []


def test_a_branch_that_moves_between_look_and_commit_is_never_overwritten(started, repository, monkeypatch):
    run = started()
    monkeypatch.setattr(pull_request, "_moved", lambda state: None)
    moved = push(repository)

    run.approve(by="U04OKEY")

    assert run.pauses
    assert "moved just now" in run.request.summary
    assert repository.head("baskets") == moved


def test_a_branch_that_is_gone_by_then_is_said_so(started, folder, ledger, monkeypatch):
    monkeypatch.setenv("SIGNOFF_REPOSITORIES", str(folder))
    repository = create(folder / "own.git")
    first = repository.written(None, {"a.py": Blob("100644", b"x = 1\n")}, "One")
    repository.point("main", first, away_from=None)
    repository.point("work", first, away_from=None)
    repository.commit("work", first, {"a.py": Blob("100644", b"x = 1\nprint(x)\n")}, "Two")
    run = started(repository="own.git", branch="work")
    repository._git("update-ref", "-d", "refs/heads/work")

    run.approve(by="U04OKEY")

    assert run.state["outcome"] == "Not reviewed: own.git has no branch work."
    assert ledger.effects == []


def test_a_second_run_of_the_commit_commits_once(started, repository, ledger):
    run = started()
    run.approve(by="U04OKEY")
    commit = repository.head("baskets")

    run.again("apply")

    assert repository.head("baskets") == commit
    assert run.state["commit"] == commit
    assert (ledger.attempts, len(ledger.effects)) == (2, 1)


def test_a_crash_before_the_ledger_finds_the_commit_even_under_later_ones(started, repository, ledger):
    run = started()
    run.approve(by="U04OKEY")
    commit = repository.head("baskets")
    ledger.effects.clear()
    later = push(repository)

    run.again("apply")

    assert repository.head("baskets") == later
    assert run.state["commit"] == commit
    assert ledger.effects[0].data["commit"] == commit


def test_a_rejection_commits_nothing(started, repository, ledger):
    run = started()
    before = repository.head("baskets")
    run.reject("leave it to Rosa", by="U04OKEY")
    assert run.state["outcome"] == "Nothing was changed: rejected by U04OKEY: leave it to Rosa."
    assert (repository.head("baskets"), ledger.effects) == (before, [])


@pytest.mark.parametrize(("delivered", "why"), [(True, "nobody answered"), (False, "could not be delivered")])
def test_an_unanswered_review_commits_nothing_and_is_told_as_no_no(
    signoff, started, repository, ledger, delivered, why
):
    signoff.delivers = delivered
    run = started().time_out()
    assert run.state["result"] == "expired"
    assert why in run.state["outcome"]
    assert "rejected" not in run.state["outcome"]
    assert ledger.effects == []


def test_a_run_that_starts_again_asks_for_the_same(started, repository):
    run = started()
    push(repository)
    run.ask_again()


def test_an_answer_that_is_not_the_list_is_asked_about_again(careless_form, started, repository, ledger):
    run = started()
    run.edit({"change_1": "yes"}, by="U04OKEY")
    assert run.pauses
    assert "Please look again" in run.request.summary
    assert ledger.effects == []


def test_a_diff_alone_is_reviewed_and_recommended(started, ledger):
    run = started("diff")
    assert run.request.title == "Recommend 9 changes to the author: Baskets and loading"
    run.edit({"change_2": False}, by="U04OKEY")
    assert run.state["result"] == "recommended"
    assert ledger.effects[0].kind == "review"
    assert len(ledger.effects[0].data["changes"]) == 8
    run.again("apply")
    assert len(ledger.effects) == 1


def test_a_diff_that_is_fine_asks_nobody(signoff, ledger):
    diff = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    run = signoff.start(workflow, {"title": "Two", "diff": diff})
    assert not run.pauses
    assert run.state["outcome"].startswith("Nothing to change in Two")
    assert ledger.effects == []


def test_a_diff_that_does_not_lead_to_the_branch_is_not_reviewed(started):
    run = started(base=None, diff="--- a/orders.py\n+++ b/orders.py\n@@ -1 +1 @@\n-a\n+nothing like it\n")
    assert run.state["result"] == "not reviewed"
    assert "does not lead to what baskets holds of orders.py" in run.state["outcome"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"base": "nowhere"}, "no such branch or commit"),
        ({"repository": "../outside"}, "does not lie in"),
        ({"repository": "other.git"}, "no repository other.git"),
    ],
)
def test_what_cannot_be_read_is_said_and_asks_nobody(started, changes, why):
    run = started(**changes)
    assert not run.pauses
    assert run.state["result"] == "not reviewed"
    assert why in run.state["outcome"]


def test_a_branch_that_somebody_works_on_is_left_alone(started, folder, monkeypatch):
    monkeypatch.setenv("SIGNOFF_REPOSITORIES", str(folder))
    work = create(folder / "bare.git")
    head = work.written(None, {"a.py": Blob("100644", b"x = 1\n")}, "One")
    work.point("main", head, away_from=None)
    work._git("worktree", "add", "--quiet", str(folder / "tree"), "main")

    run = started(repository="tree", branch="main", base="main")

    assert "is checked out" in run.state["outcome"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"diff": "hello"}, "diff"),
        ({"diff": "--- a/x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n"}, "diff"),
        ({"branch": "--upload-pack=x"}, "branch"),
        ({"branch": "a..b"}, "branch"),
        ({"base": "-x"}, "base"),
        ({"branch": None}, ""),
        ({"base": None}, ""),
    ],
)
def test_a_pull_request_that_makes_no_sense_is_refused_by_field(change, where):
    with pytest.raises(ValidationError) as refusal:
        PullRequest.model_validate(samples["branch"] | change)
    assert [".".join(map(str, error["loc"])) for error in refusal.value.errors()] == [where]


def test_a_commit_upon_what_is_no_longer_the_head_is_refused(folder):
    repository = create(folder / "a.git")
    first = repository.written(None, {"a": Blob("100644", b"1")}, "One")
    repository.point("main", first, away_from=None)
    second = repository.commit("main", first, {"b/c": Blob("100755", b"2")}, f"Two\n\n{TRAILER}: t:commit\n")

    with pytest.raises(Moved):
        repository.commit("main", first, {"a": Blob("100644", b"3")}, "Three")

    assert repository.head("main") == second
    assert repository.blob(second, "a") == Blob("100644", b"1")
    assert repository.blob(second, "b/c") == Blob("100755", b"2")
    assert repository.blob(second, "b") is None
    assert repository.made_by("t:commit", "main", first) == second
    assert repository.made_by("other:commit", "main", first) is None


def test_a_hook_of_the_repository_never_runs(folder):
    repository = create(folder / "a.git")
    hook = repository.path / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    hook.chmod(0o755)
    repository.point("main", repository.written(None, {"a": Blob("100644", b"1")}, "One"), away_from=None)
    assert not (folder / "ran").exists()


def test_a_folder_that_is_no_repository_is_not_taken_for_one_above_it(folder):
    create(folder / "a.git")
    inner = folder / "a.git" / "plain"
    inner.mkdir()
    with pytest.raises(GitFailed):
        Repository(inner).head("main")
