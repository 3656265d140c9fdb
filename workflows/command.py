"""Runs a program: fixed arguments, no shell, a time limit, and no more output kept than people read."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
"""Of this process' environment: a program that a workflow runs has no use for tokens and passwords."""


class TookTooLong(RuntimeError):
    """The program was stopped at its time limit, with everything that it had started."""


@dataclass(frozen=True)
class Finished:
    """How a program ended: 0 is well. Output is bytes, as it came."""

    code: int
    out: bytes
    err: bytes

    def told(self, most: int = 1500) -> str:
        """Return the end of what it wrote, in at most so many characters."""
        text = "\n".join(
            part.decode(errors="replace").strip() for part in (self.out, self.err) if part.strip()
        )
        return text if len(text) <= most else f"…{text[-most:]}"


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    seconds: float,
    given: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run `argv` in `folder`, with `given` as its input; `environment` joins the little that is kept.

    Raises `TookTooLong` after `seconds`, and FileNotFoundError where there is no such program.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with subprocess.Popen(  # noqa: S603  the arguments are the workflow's own, and no shell reads them
        list(argv),
        cwd=folder,
        env=kept | dict(environment or {}),
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            # A child that outlived its parent still holds the pipes, so the whole group goes.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise TookTooLong(f"{Path(argv[0]).name} was stopped after {seconds:g} s") from error
    return Finished(process.returncode, out, err)
