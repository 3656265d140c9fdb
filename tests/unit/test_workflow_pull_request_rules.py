from __future__ import annotations

import sys
import types

import pytest

from workflows import model
from workflows.command import TookTooLong, run
from workflows.pull_requests.analysis import analysed
from workflows.pull_requests.diff import BadDiff, FileDiff, Hunk, parsed
from workflows.pull_requests.edits import Edit, Stale, applied, fenced

KEY = "AKIA" + "ABCDEFGHIJKLMNOP"


@pytest.fixture(autouse=True)
def no_model(monkeypatch):
    monkeypatch.delenv(model.VARIABLE, raising=False)


def review(text: str, added: set[int] | None = None, path: str = "a.py"):
    lines = text.count("\n") + 1
    file = FileDiff(path, hunks=[Hunk(1, text.split("\n"), added or set(range(1, lines + 1)))])
    return analysed([file], {path: text}, text)[0]


def rules(text: str, **about) -> list[str]:
    return [finding.rule for finding in review(text, **about)]


def mended(text: str) -> str:
    return applied(text, [edit for finding in review(text) for edit in finding.edits])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import os, sys\nsys.exit()\n", "import sys\nsys.exit()\n"),
        ("from a import (\n    b,\n    c,\n)\nb()\n", "from a import b\nb()\n"),
        ("import a.b as c\n", ""),
        ("x: int = 1\nif x != None:\n    x = 2\n", "x: int = 1\nif x is not None:\n    x = 2\n"),
        (
            'def f(ä="ü", x={}, *, y=[1]):\n    """Do."""\n    return x, y\n',
            (
                'def f(ä: str = "ü", x=None, *, y=None):\n    """Do."""\n    if x is None:\n        x = {}\n'
                "    if y is None:\n        y = [1]\n    return x, y\n"
            ),
        ),
        (
            "def f(x: list = []) -> list:\n    return x\n",
            "def f(x: list | None = None) -> list:\n    if x is None:\n        x = []\n    return x\n",
        ),
        (
            "class A:\n    @staticmethod\n    def f(a=1):\n        if a:\n            print(n)\n",
            "class A:\n    @staticmethod\n    def f(a: int = 1) -> None:\n        if a:\n            pass\n",
        ),
        ("try:\n    f()\nexcept:\n    x = 1\n", "try:\n    f()\nexcept Exception:\n    x = 1\n"),
        ("x = 1\r\nprint(x)\r\n", "x = 1\r\n"),
    ],
)
def test_what_is_certain_is_mended_so_that_nothing_else_changes(before, after):
    assert mended(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "from a import b as b\n",
        'from a import b\n__all__ = ["b"]\n',
        'from a import b\n\nx: "b" = 1\n',
        "from __future__ import annotations\n",
        "import a  # noqa: F401\n",
        "try:\n    f()\nexcept:\n    g()\n    raise\n",
        'if __name__ == "__main__":\n    print(1)\n',
        "def main() -> None:\n    print(1)\n",
        "class A:\n    def f(self) -> None:\n        self.x = 1\n",
        "password = get()\n",
        'password = "<password>"\n',
        "x = object()\nx.print(1)\n",
    ],
)
def test_what_is_fine_is_left_alone(text):
    assert review(text) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f'key = "{KEY}"\n', "secret"),
        ("-----BEGIN RSA PRIVATE KEY-----\n", "secret"),
        ("# TODO: later\n", "left to do"),
        ("<<<<<<< HEAD\n", "merge"),
    ],
)
@pytest.mark.parametrize("path", ["a.txt", "a.js"])
def test_lines_of_any_language_are_looked_at(text, rule, path):
    assert rules(text, path=path) == [rule]


def test_lines_that_the_pull_request_did_not_add_are_not_judged():
    text = "import os\nimport sys\nx = 1\n"
    assert [finding.line for finding in review(text, added={2})] == [2]


def test_a_function_that_gives_something_gets_no_guess():
    text = "def f():\n    if g():\n        return 1\n\n\ndef h():\n    yield 1\n\n\ndef stub(): ...\n"
    assert [(one.rule, one.edits) for one in review(text)] == [("annotations", ())] * 3


def test_a_long_function_is_remarked_on():
    text = "def f() -> None:\n" + "    x = 1\n" * 60
    assert rules(text) == ["long function"]


def test_a_file_that_python_cannot_read_is_said_so():
    assert [(one.rule, one.line) for one in review("x = 1\ndef f(:\n")] == [("syntax", 2)]


def test_two_changes_of_one_place_are_not_both_offered():
    (first, second) = review("x: object = 1\nprint(x == None)\n")
    assert [bool(one.shown) for one in (first, second)] == [True, False]


def test_an_edit_of_text_that_is_gone_is_refused():
    with pytest.raises(Stale):
        applied("new", [Edit(start=0, before="old", after="")])


def test_no_code_can_close_the_fence_it_is_shown_in():
    assert fenced("````\nx").splitlines()[0] == "`" * 5


def test_a_diff_is_read_with_numbers_quotes_and_lines_that_look_like_heads():
    diff = (
        'diff --git "a/gr\\303\\274n.py" "b/gr\\303\\274n.py"\n'
        '--- "a/gr\\303\\274n.py"\n+++ "b/gr\\303\\274n.py"\n'
        "@@ -3,3 +3,3 @@ def f\n one\n--- two\n+++ three\n four\n\\ No newline at end of file\n"
        "--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )
    (file,) = parsed(diff)
    assert file.path == "grün.py"
    assert (file.hunks[0].first, file.hunks[0].lines) == (3, ["one", "++ three", "four"])
    assert file.added == {4}


@pytest.mark.parametrize(
    "text",
    ["", "@@ -1 +1 @@\n-a\n+b\n", "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n", "--- a/x\n+++ /etc/passwd\n"],
)
def test_what_is_no_diff_is_refused(text):
    with pytest.raises(BadDiff):
        parsed(text)


def fragment(*lines: str, first: int = 40) -> list[str]:
    body = "".join(f"+{line}\n" for line in lines)
    diff = f"--- a/a.py\n+++ b/a.py\n@@ -{first},0 +{first},{len(lines)} @@\n{body}"
    found, _ = analysed(parsed(diff), {}, diff)
    assert all(finding.edits == () for finding in found)
    return [f"{finding.line} {finding.rule}" for finding in found]


def test_a_piece_of_a_file_is_judged_by_its_own_line_numbers():
    assert fragment("    if x == None:", "        return 1") == ["40 None by equality"]
    assert fragment("    else:", "        pass", f"    k = '{KEY}'") == ["42 secret"]


class Scripted:
    def __init__(self, answer: dict):
        self.answer, self.told = answer, []

    def with_structured_output(self, form):
        self.form = form
        return self

    def invoke(self, messages):
        self.told.append(messages)
        return self.form.model_validate(self.answer)


@pytest.fixture
def scripted(monkeypatch):
    def script(answer: dict) -> Scripted:
        chat = Scripted(answer)
        module = types.ModuleType("langchain.chat_models")
        module.init_chat_model = lambda name: chat
        monkeypatch.setitem(sys.modules, "langchain", types.ModuleType("langchain"))
        monkeypatch.setitem(sys.modules, "langchain.chat_models", module)
        monkeypatch.setenv(model.VARIABLE, "acme:clever-1")
        return chat

    return script


def test_a_model_adds_remarks_about_added_lines_alone_and_is_named(scripted):
    chat = scripted(
        {
            "remarks": [
                {"path": "a.py", "line": 2, "problem": "off by one", "replacement": "y = x - 1"},
                {"path": "a.py", "line": 9, "problem": "not there"},
                {"path": "/etc/passwd", "line": 1, "problem": "not in the diff"},
            ]
        }
    )
    text = f"x = 1\ny = x + 1\nk = '{KEY}'\n"
    file = FileDiff("a.py", hunks=[Hunk(1, text.split("\n"), {1, 2, 3})])

    found, by = analysed([file], {"a.py": text}, text)

    assert by == "fixed rules and acme:clever-1"
    (remark,) = (finding for finding in found if finding.rule == "model")
    assert applied(text, remark.edits).splitlines()[1] == "y = x - 1"
    assert KEY not in str(chat.told)


def test_without_langchain_a_named_model_is_one_clear_line(monkeypatch):
    monkeypatch.setenv(model.VARIABLE, "acme:clever-1")
    monkeypatch.setitem(sys.modules, "langchain", None)
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.raises(
        model.NoModel, match=r"^SIGNOFF_CHAT_MODEL names acme:clever-1, which needs langchain"
    ):
        review("x = 1\n")


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path):
    with pytest.raises(TookTooLong, match=r"sh was stopped after 0\.2 s"):
        run(["sh", "-c", "sleep 30 & sleep 30"], folder=tmp_path, seconds=0.2)


def test_a_program_sees_no_secret_of_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    done = run(["env"], folder=tmp_path, seconds=10, environment={"LC_ALL": "C"})
    assert "xoxb" not in done.told()
    assert "LC_ALL=C" in done.told()
