"""The branch of a pull request: what it holds now, and the commit that mends it."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workflows.folders import inside, own
from workflows.pull_requests.diff import FileDiff, parsed
from workflows.pull_requests.edits import Edit, Finding, applied
from workflows.pull_requests.input import PullRequest
from workflows.pull_requests.repository import TRAILER, Blob, Repository
from workflows.pull_requests.samples import SAMPLE, make_sample

VARIABLE = "SIGNOFF_REPOSITORIES"
"""Names the folder whose repositories may be reviewed and committed to; unset, only the sample is there."""

_LARGEST = 400_000
"""Bytes of a file that is looked at; what is larger is hardly written by people."""


class Unfit(Exception):
    """The pull request cannot be reviewed as it stands; the text says why."""


@dataclass(frozen=True)
class Standing:
    """A branch at one moment: its commit, the diff that leads to it, and the changed files' texts."""

    head: str
    diff: str
    files: list[FileDiff]
    texts: dict[str, str]


def found(request: PullRequest) -> Repository:
    """Find the repository; raises `Unfit` where there is none, or where the branch is being worked on."""
    name, branch = request.repository or "", request.branch or ""
    chosen = os.environ.get(VARIABLE)
    root = Path(chosen).expanduser() if chosen else own("repositories")
    if name == SAMPLE:
        make_sample(own("repositories") / SAMPLE, branch)
        root = own("repositories")
    try:
        path = inside(root, name)
    except ValueError as error:
        raise Unfit(str(error)) from error
    if not path.is_dir():
        raise Unfit(f"there is no repository {name} in {VARIABLE}")
    repository = Repository(path)
    if not repository.has(branch):
        raise Unfit(f"{name} has no branch {branch}")
    if repository.checked_out(branch):
        raise Unfit(f"{branch} is checked out in {name}, where a commit would look like changes undone")
    return repository


def standing(repository: Repository, request: PullRequest) -> Standing:
    """Read the branch as it is now; raises `Unfit` where a diff that was sent does not lead to it."""
    head = repository.head(request.branch or "")
    diff = repository.diff(request.base, head) if request.base else request.diff or ""
    files = parsed(diff) if diff.strip() else []
    texts: dict[str, str] = {}
    for file in files:
        text = _text(repository.blob(head, file.path))
        if text is None:
            continue
        if not file.fits(text.split("\n")):
            raise Unfit(
                f"the diff does not lead to what {request.branch} holds of {file.path}; name a base instead"
            )
        texts[file.path] = text
    return Standing(head, diff, files, texts)


def committed(
    repository: Repository,
    request: PullRequest,
    parent: str,
    changes: Iterable[Finding],
    message: str,
    key: str,
) -> str:
    """Make the commit with `changes` on top of `parent`, and return its name.

    Raises `Moved` where the branch is elsewhere, and `Unfit` where the changes leave a file that Python
    cannot read.
    """
    edits: dict[str, list[Edit]] = defaultdict(list)
    for change in changes:
        edits[change.path] += change.edits
    blobs = {path: _mended(repository, parent, path, made) for path, made in edits.items()}
    return repository.commit(request.branch or "", parent, blobs, f"{message}\n\n{TRAILER}: {key}\n")


def _mended(repository: Repository, commit: str, path: str, edits: list[Edit]) -> Blob:
    blob = repository.blob(commit, path)
    if blob is None:
        raise Unfit(f"{path} is not in the commit that was reviewed")
    text = applied(blob.content.decode(), edits)
    if path.endswith((".py", ".pyi")):
        try:
            ast.parse(text)
        except SyntaxError as error:
            raise Unfit(f"these changes together would break {path}, line {error.lineno}") from error
    return Blob(blob.mode, text.encode())


def _text(blob: Blob | None) -> str | None:
    """Return a file as text, if it is one: no link, not too large, UTF-8."""
    if blob is None or not blob.mode.startswith("100") or len(blob.content) > _LARGEST:
        return None
    try:
        return blob.content.decode()
    except UnicodeDecodeError:
        return None
