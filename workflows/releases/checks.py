"""The steps of a release that look at the sources, each a sentence on success and `Failed` otherwise."""

from __future__ import annotations

import ast
import compileall
import re
import shutil
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

from workflows.releases.sources import Failed, current, files, number, package, project

_SECRET = re.compile(r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----|xox[abp]-\w{10,}")


def check_out(origin: str, source: str) -> str:
    """Copy the sources, as they are now, over what an earlier attempt left."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(origin, source, ignore=shutil.ignore_patterns(".git", "__pycache__"))
    return f"{sum(1 for _ in files(Path(source)))} files"


def check_version(version: str, target: str) -> str:
    now = current(Path(target)).get("version")
    if now is not None and number(version) <= number(now):
        raise Failed(f"{version} is not newer than {now}, which is in production")
    return f"{version} follows {now or 'nothing'}"


def compile_sources(source: str) -> str:
    if not compileall.compile_dir(source, quiet=1, force=True):
        raise Failed("some of it does not compile")
    return "all of it compiles"


def lint(source: str) -> str:
    found = [f"{where}: {what}" for where, what in _lint(Path(source))]
    if found:
        raise Failed("; ".join(found[:5]))
    return "nothing found"


def _lint(source: Path) -> Iterator[tuple[str, str]]:
    for path, tree in _trees(source):
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                yield f"{path.name}:{node.lineno}", "bare except"
        for row, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "\t" in line or len(line) > 120:
                yield f"{path.name}:{row}", "a tab, or more than 120 characters"


def check_annotations(source: str) -> str:
    functions = [
        (path.name, node)
        for path, tree in _trees(Path(source))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    bare = [f"{name}:{node.lineno} {node.name}" for name, node in functions if node.returns is None]
    if bare:
        raise Failed(f"without annotations: {', '.join(bare[:5])}")
    return f"{len(functions)} functions"


def unit_tests(source: str) -> str:
    sys.path.insert(0, source)
    suite = unittest.defaultTestLoader.discover(str(Path(source) / "tests"))
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    if not result.wasSuccessful():
        failed = [test.id() for test, _ in [*result.failures, *result.errors]]
        raise Failed(f"{len(failed)} of {result.testsRun} tests failed: {', '.join(failed[:3])}")
    if result.testsRun == 0:
        raise Failed("there are no tests")
    return f"{result.testsRun} tests passed"


def scan_for_secrets(source: str) -> str:
    for path in files(Path(source)):
        if _SECRET.search(path.read_bytes().decode(errors="ignore")):
            raise Failed(f"{path.name} holds what looks like a secret")
    return "none found"


def check_dependencies(source: str) -> str:
    """Hold what is imported against what is declared."""
    declared = {
        re.split(r"[^\w-]", one)[0].replace("-", "_") for one in project(source).get("dependencies", [])
    }
    known = declared | set(sys.stdlib_module_names) | {package(source), "tests"}
    for path, tree in _trees(Path(source)):
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            strange = [name for name in names if name.partition(".")[0] not in known]
            if strange:
                raise Failed(f"{path.name} imports {strange[0]}, which is not declared")
    return f"{len(declared)} declared"


def check_licence(source: str) -> str:
    licence = Path(source) / "LICENSE"
    if not licence.is_file() or not licence.read_text(encoding="utf-8").strip():
        raise Failed("there is no licence")
    return "there is one"


def _trees(source: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in files(source):
        if path.suffix == ".py":
            yield path, ast.parse(path.read_text(encoding="utf-8"))
