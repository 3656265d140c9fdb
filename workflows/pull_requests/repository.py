"""A git repository, read and written by plumbing: no working tree, no hooks, nobody's work overwritten."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workflows.command import Finished, run

TRAILER = "Signoff-Effect"
"""The trailer of a commit that holds the key of the effect that made it."""

AUTHOR = "SIGNOFF_GIT_AUTHOR"
"""The environment variable that names who commits, as `Name <mail>`."""

_SECONDS = 60
_SETTINGS = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.quotePath=false")
_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")


class GitFailed(RuntimeError):
    """Git refused; the text is its own first line."""


class Moved(Exception):
    """The branch no longer points at what the change was made for; nothing was written to it."""


@dataclass(frozen=True)
class Blob:
    """A file of a commit. `mode` is git's: 100644, 100755, or 120000 for a link."""

    mode: str
    content: bytes


@dataclass(frozen=True)
class Repository:
    """A bare repository, or one with a working tree."""

    path: Path

    def head(self, branch: str) -> str:
        """Return the commit that `branch` points at; raises `GitFailed` where there is no such branch."""
        return self._line("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")

    def has(self, branch: str) -> bool:
        return self._git("show-ref", "--verify", "--quiet", f"refs/heads/{branch}", check=False).code == 0

    def checked_out(self, branch: str) -> bool:
        """Tell whether a working tree shows the branch: moving it there would look like changes undone."""
        listed = self._git("worktree", "list", "--porcelain").out.decode(errors="replace").splitlines()
        return f"branch refs/heads/{branch}" in listed

    def diff(self, base: str, head: str) -> str:
        """Return what `head` has changed since it left `base`, as a unified diff."""
        commit = self._line("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
        return self._git("diff", *_DIFF, f"{commit}...{head}", "--").out.decode(errors="replace")

    def blob(self, commit: str, path: str) -> Blob | None:
        """Return a file as a commit has it, or None."""
        listed = self._git("ls-tree", "-z", commit, "--", f":(literal){path}").out
        if not listed:
            return None
        mode, kind, name = listed.split(b"\t")[0].decode().split(" ")
        return Blob(mode, self._git("cat-file", "blob", name).out) if kind == "blob" else None

    def made_by(self, key: str, branch: str, since: str) -> str | None:
        """Find the commit on `branch` after `since` that the effect `key` made."""
        form = f"--format=%H %(trailers:key={TRAILER},valueonly,separator=%x20)"
        log = self._git("log", form, f"{since}..refs/heads/{branch}", "--").out.decode(errors="replace")
        pairs = (line.split(" ") for line in log.splitlines())
        return next((commit for commit, *keys in pairs if key in keys), None)

    def written(self, parent: str | None, files: Mapping[str, Blob], message: str) -> str:
        """Write a commit that no branch points at yet, and return its name."""
        tree = self._tree(parent, files)
        parents = ("-p", parent) if parent else ()
        return self._line("commit-tree", tree, *parents, "-F", "-", given=message.encode(), author=True)

    def point(self, branch: str, commit: str, *, away_from: str | None) -> None:
        """Let `branch` point at `commit`; raises `Moved` where it is not at `away_from` (None: not there)."""
        old = away_from or "0" * len(commit)
        done = self._git("update-ref", f"refs/heads/{branch}", commit, old, check=False)
        if done.code == 0:
            return
        if (self.head(branch) if self.has(branch) else None) != away_from:
            raise Moved(f"{branch} no longer points at {old[:10]}")
        raise GitFailed(done.told(300))

    def commit(self, branch: str, parent: str, files: Mapping[str, Blob], message: str) -> str:
        """Add a commit with `files` changed to `branch`, and return its name.

        Raises `Moved`, and leaves the branch alone, where it does not point at `parent` when it is moved.
        """
        commit = self.written(parent, files, message)
        self.point(branch, commit, away_from=parent)
        return commit

    def _tree(self, parent: str | None, files: Mapping[str, Blob]) -> str:
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git("read-tree", parent or "--empty", environment=index)
            for path, blob in files.items():
                name = self._line("hash-object", "-w", "--stdin", given=blob.content)
                entry = f"{blob.mode} {name}\t{path}\0".encode()
                self._git("update-index", "-z", "--index-info", given=entry, environment=index)
            return self._line("write-tree", environment=index)

    def _line(
        self,
        *arguments: str,
        given: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        author: bool = False,
    ) -> str:
        surroundings = dict(environment or {}) | (_author() if author else {})
        return self._git(*arguments, given=given, environment=surroundings).out.decode().strip()

    def _git(
        self,
        *arguments: str,
        given: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Finished:
        argv = ["git", "--no-pager", *(part for setting in _SETTINGS for part in ("-c", setting)), *arguments]
        # Without a ceiling, a folder that is no repository would be taken for part of one above it.
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CEILING_DIRECTORIES": str(self.path.parent), "LC_ALL": "C"}
        done = run(
            argv, folder=self.path, seconds=_SECONDS, given=given, environment=quiet | dict(environment or {})
        )
        if check and done.code != 0:
            told = done.told(300).partition("\n")[0] or "no such branch or commit"
            raise GitFailed(f"git {arguments[0]} in {self.path.name}: {told}")
        return done


def create(path: Path) -> Repository:
    """Make an empty bare repository at `path`, or find the one that is there."""
    if not (path / "HEAD").exists():
        path.mkdir(parents=True, exist_ok=True)
        run(["git", "init", "--quiet", "--bare", "--initial-branch=main", "."], folder=path, seconds=_SECONDS)
    return Repository(path)


def _author() -> dict[str, str]:
    name, _, mail = os.environ.get(AUTHOR, "Signoff <signoff@localhost>").partition("<")
    name, mail = name.strip() or "Signoff", mail.strip().removesuffix(">") or "signoff@localhost"
    return {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", mail))
    }
