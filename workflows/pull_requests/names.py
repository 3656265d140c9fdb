"""What the names in a Python file tell: imports that nothing uses, functions without annotations."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from workflows.pull_requests.edits import Edit, Finding
from workflows.pull_requests.python import Function, Source, whole_lines

_LITERALS = (bool, int, float, str, bytes)


def unused_imports(source: Source, tree: ast.Module) -> Iterator[Finding]:
    """Yield the imports at the top of a whole file that nothing in it names, not even in a text."""
    if source.path.endswith("__init__.py") or not source.whole:
        return
    used = _used(tree)
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom) and source.changed(
            statement.lineno, statement.end_lineno
        ):
            yield from _unused(source, statement, used)


def _unused(source: Source, statement: ast.Import | ast.ImportFrom, used: str) -> Iterator[Finding]:
    if getattr(statement, "module", "") == "__future__" or "noqa" in source.lines[statement.lineno - 1]:
        return
    idle = [alias for alias in statement.names if _is_idle(alias, used)]
    if not idle:
        return
    names = ", ".join(alias.asname or alias.name for alias in idle)
    edit = _import_without(source, statement, idle)
    yield source.finding(
        statement.lineno, "unused import", f"nothing uses {names}", *([edit] if edit else [])
    )


def _is_idle(alias: ast.alias, used: str) -> bool:
    bound = alias.asname or alias.name.partition(".")[0]
    exported = alias.asname is not None and alias.asname == alias.name
    return bound != "*" and not exported and re.search(rf"(?<!\w){re.escape(bound)}(?!\w)", used) is None


def _used(tree: ast.Module) -> str:
    """Return every name and every text of the file: a name in a text may be an annotation or an export."""
    nodes = list(ast.walk(tree))
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(names + texts)


def _import_without(
    source: Source, statement: ast.Import | ast.ImportFrom, idle: list[ast.alias]
) -> Edit | None:
    kept = [alias for alias in statement.names if alias not in idle]
    if not kept:
        return whole_lines(source, statement)
    before = source.of(statement)
    smaller = (
        ast.Import(names=kept)
        if isinstance(statement, ast.Import)
        else ast.ImportFrom(module=statement.module, names=kept, level=statement.level)
    )
    after = ast.unparse(smaller)
    return (
        Edit(start=source.start(statement), before=before, after=after) if _is_short(before, after) else None
    )


def _is_short(before: str, after: str) -> bool:
    return "#" not in before and len(after) <= 100


def unannotated(source: Source, tree: ast.Module) -> Iterator[Finding]:
    """Yield the changed functions that lack annotations, with those that are certain as edits."""
    for node in ast.walk(tree):
        inside = node.body if isinstance(node, ast.ClassDef) else []
        methods = {id(one) for one in inside if not _is_static(one)}
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and source.changed(
                child.lineno, child.end_lineno
            ):
                yield from _annotations(source, child, method=id(child) in methods)


def _annotations(source: Source, function: Function, *, method: bool) -> Iterator[Finding]:
    args = function.args
    named = [*args.posonlyargs, *args.args][1 if method else 0 :]
    named += [*args.kwonlyargs, *(one for one in (args.vararg, args.kwarg) if one)]
    missing = [one for one in named if one.annotation is None]
    lacks = [one.arg for one in missing] + ([] if function.returns else ["its result"])
    if not lacks:
        return
    defaults = _defaults(function)
    edits = [edit for one in missing if (edit := _annotated(source, one, defaults.get(one.arg)))]
    if function.returns is None and _gives_nothing(function) and (end := _signature_end(source, function)):
        edits.append(Edit(start=end, before="", after=" -> None"))
    problem = f"{function.name} lacks annotations for {', '.join(lacks)}"
    yield source.finding(function.lineno, "annotations", problem, *edits)


def _defaults(function: Function) -> dict[str, ast.expr]:
    args = function.args
    named = [*args.posonlyargs, *args.args][::-1]
    found = {one.arg: default for one, default in zip(named, args.defaults[::-1], strict=False)}
    return found | {
        one.arg: default
        for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if default is not None
    }


def _annotated(source: Source, argument: ast.arg, default: ast.expr | None) -> Edit | None:
    """Annotate an argument by the type of its default, where that is a plain value and says it all."""
    if not (isinstance(default, ast.Constant) and isinstance(default.value, _LITERALS)):
        return None
    start = source.end(argument)
    between = source.text[start : source.start(default)]
    if between.strip() != "=":
        return None
    return Edit(start=start, before=between, after=f": {type(default.value).__name__} = ")


def _gives_nothing(function: Function) -> bool:
    """Tell whether the function certainly returns None: no stub, no generator, nothing that ends raising."""
    last = function.body[-1]
    stub = isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant)
    if stub or isinstance(last, ast.Raise):
        return False
    return not any(
        isinstance(node, ast.Yield | ast.YieldFrom)
        or (isinstance(node, ast.Return) and node.value is not None)
        for node in _own_nodes(function)
    )


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _signature_end(source: Source, function: Function) -> int | None:
    """Find the place right after the parenthesis that closes the arguments."""
    depth, first = 0, function.lineno
    text = "\n".join(source.lines[first - 1 :])
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.OP and token.string in "([{":
                depth += 1
            elif token.type == tokenize.OP and token.string in ")]}":
                depth -= 1
                if depth == 0 and token.string == ")":
                    row, column = token.end
                    return source.line_start(first + row - 1) + column
    except (tokenize.TokenError, IndentationError):
        return None
    return None


def _is_static(statement: ast.stmt) -> bool:
    decorators = getattr(statement, "decorator_list", [])
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in decorators)
