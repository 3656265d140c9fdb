"""How an error is told to whoever typed the command: one line that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot.approvals.errors import SignoffError

NOT_FORESEEN = "this is a fault in Signoff: run it again with --debug, and report the output"


class WrongUsage(SignoffError):
    """What was typed cannot be meant; the exit code is 2."""


class Failed(SignoffError):
    """It was tried and did not work out."""


def told(error: BaseException) -> tuple[str, int]:
    """Return the line and the exit code for an error: 1 failed, 2 wrong usage."""
    import psycopg
    import psycopg_pool
    from pydantic import ValidationError

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # several parts of a process may fall at once; one says why
    match error:
        case WrongUsage():
            return one_line(str(error)), 2
        case SignoffError():
            return one_line(str(error)), 1
        case ValidationError():
            return "; ".join(_settings(error)), 2
        case psycopg.OperationalError() | psycopg_pool.PoolTimeout():
            return f"Postgres cannot be reached ({one_line(str(error))}); check DATABASE_URL", 1
        case psycopg.Error():
            return f"Postgres refused: {one_line(str(error))}; `signoff doctor` checks the set-up", 1
        case OSError() if error.strerror:
            where = f" ({error.filename})" if error.filename else ""
            return f"{error.strerror}{where}", 1
        case _:
            said = one_line(str(error))
            return f"{type(error).__name__}{f': {said}' if said else ''}; {NOT_FORESEEN}", 1


def one_line(text: str) -> str:
    """Return a text on one line, without what could move the cursor of a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _settings(error: object) -> Iterator[str]:
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        for problem in error.errors(include_url=False, include_input=False):
            place = ".".join(str(part) for part in problem["loc"]) or error.title
            yield f"{place}: {one_line(problem['msg'].removeprefix('Value error, '))}"


def read_text(given: str, stdin: str | None = None) -> str:
    """Return what an argument stands for: itself, `@file`, or `-` for what comes in."""
    if given == "-":
        import sys

        if stdin is None and sys.stdin is None:
            raise WrongUsage("--input -: nothing comes in, since stdin is closed")
        return sys.stdin.read() if stdin is None else stdin
    if given.startswith("@"):
        try:
            return Path(given[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise WrongUsage(f"--input: {error.strerror}: {given[1:]}") from error
    return given
