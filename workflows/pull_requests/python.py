"""What the syntax tree of a Python file tells about the lines that a pull request changed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from workflows.pull_requests.edits import Edit, Finding, shown

Function = ast.FunctionDef | ast.AsyncFunctionDef

LONGEST = 60
"""Lines that a function may have before it is remarked on."""

_DEBUGGING = ("print", "breakpoint", "pdb.set_trace", "ipdb.set_trace", "pprint")


@dataclass(frozen=True)
class Source:
    """A file's text, or a run of its lines from number `first` on, and which lines of the file were added.

    `whole` is false for a run: what needs the rest of the file is then not looked for.
    """

    path: str
    text: str
    added: frozenset[int]
    first: int = 1
    whole: bool = True

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def at(self, line: int, column: int) -> int:
        """Return the character at a place as `ast` gives it: lines from 1, columns in bytes."""
        return self.line_start(line) + len(self.lines[line - 1].encode()[:column].decode(errors="ignore"))

    def line_start(self, line: int) -> int:
        return min(self._starts[line - 1], len(self.text))

    def start(self, node: ast.expr | ast.stmt | ast.arg | ast.excepthandler) -> int:
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.arg) -> int:
        return self.at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def of(self, node: ast.expr | ast.stmt) -> str:
        return self.text[self.start(node) : self.end(node)]

    def changed(self, first: int, last: int | None = None) -> bool:
        """Tell whether a line from `first` to `last`, counted in this text, was added."""
        offset = self.first - 1
        return any(line + offset in self.added for line in range(first, (last or first) + 1))

    def finding(self, line: int, rule: str, problem: str, *edits: Edit) -> Finding:
        made = edits if self.whole else ()
        told = shown(self.text, edits) if edits else ""
        return Finding(
            path=self.path, line=line + self.first - 1, rule=rule, problem=problem, edits=made, shown=told
        )


def findings(source: Source, tree: ast.Module) -> Iterator[Finding]:
    """Yield what is wrong in the added lines, in the order of the rules."""
    for node in ast.walk(tree):
        match node:
            case ast.ExceptHandler(type=None) if source.changed(node.lineno):
                yield from _bare_except(source, node)
            case ast.Compare() if source.changed(node.lineno, node.end_lineno):
                yield from _none_by_equality(source, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _mutable_defaults(source, node)
                yield from _length(source, node)
    yield from _debugging(source, tree)


def _bare_except(source: Source, handler: ast.ExceptHandler) -> Iterator[Finding]:
    if isinstance(handler.body[-1], ast.Raise):
        return
    start = source.start(handler) + len("except")
    problem = "a bare except also swallows Ctrl-C and the end of the process"
    yield source.finding(
        handler.lineno, "bare except", problem, Edit(start=start, before="", after=" Exception")
    )


def _none_by_equality(source: Source, node: ast.Compare) -> Iterator[Finding]:
    last = node.comparators[-1]
    if len(node.ops) != 1 or not (isinstance(last, ast.Constant) and last.value is None):
        return
    if not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return
    start = source.end(node.left)
    found = re.search(r"==|!=", source.text[start : source.start(last)])
    if found:
        after = "is" if found.group() == "==" else "is not"
        edit = Edit(start=start + found.start(), before=found.group(), after=after)
        yield source.finding(node.lineno, "None by equality", f"compare to None with {after!r}", edit)


def _mutable_defaults(source: Source, function: Function) -> Iterator[Finding]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(named[::-1], arguments.defaults[::-1], strict=False)][::-1]
    pairs += [
        (arg, default)
        for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default
    ]
    for argument, default in pairs:
        if _is_mutable(default) and source.changed(default.lineno, default.end_lineno):
            problem = f"every call of {function.name} shares one default for {argument.arg}"
            edits = _fresh_default(source, function, argument, default)
            yield source.finding(default.lineno, "mutable default", problem, *edits)


def _is_mutable(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ("list", "dict", "set")
    return isinstance(node, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _fresh_default(
    source: Source, function: Function, argument: ast.arg, default: ast.expr
) -> Iterator[Edit]:
    """Default to None, and make the value where the body begins; nothing where it begins on the same line."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    if first.lineno <= (default.end_lineno or 0) or isinstance(argument.annotation, ast.Constant):
        return
    indent = source.text[source.line_start(first.lineno) : source.start(first)]
    line = (first.end_lineno or first.lineno) + 1 if documented else _first_line(first)
    if line > len(source.lines):
        return
    name, value = argument.arg, source.of(default)
    guard = f"{indent}if {name} is None:\n{indent}    {name} = {value}\n"
    yield Edit(start=source.start(default), before=value, after="None")
    if argument.annotation is not None and "None" not in source.of(argument.annotation):
        yield Edit(start=source.end(argument.annotation), before="", after=" | None")
    yield Edit(start=source.line_start(line), before="", after=guard)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _length(source: Source, function: Function) -> Iterator[Finding]:
    last = function.end_lineno or function.lineno
    length = last - function.lineno + 1
    if length > LONGEST and source.changed(function.lineno, last):
        problem = f"{function.name} has {length} lines; find the second idea in it"
        yield source.finding(function.lineno, "long function", problem)


def _debugging(source: Source, tree: ast.Module) -> Iterator[Finding]:
    for block in _blocks(tree):
        left = [statement for statement in block if _is_debugging(statement)]
        for statement in left:
            if source.changed(statement.lineno, statement.end_lineno):
                name = source.of(statement).partition("(")[0]
                edit = _without(source, statement, only=len(left) == len(block))
                yield source.finding(
                    statement.lineno, "debugging", f"a {name} was left in", *([edit] if edit else [])
                )


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """Yield every list of statements, but those of a program's own `main`, which may well print."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        if getattr(node, "name", "") == "main" or (isinstance(node, ast.If) and _asks_for_main(node)):
            continue
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list) and block:
                yield block
        waiting.extend(ast.iter_child_nodes(node))


def _asks_for_main(node: ast.If) -> bool:
    return "__name__" in ast.dump(node.test)


def _is_debugging(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and ast.unparse(statement.value.func) in _DEBUGGING
    )


def _without(source: Source, statement: ast.stmt, *, only: bool) -> Edit | None:
    """Take the statement's lines out, or put `pass` in its place where a block would be left empty."""
    if only:
        return Edit(start=source.start(statement), before=source.of(statement), after="pass")
    return whole_lines(source, statement)


def whole_lines(source: Source, statement: ast.stmt) -> Edit | None:
    """Return the edit that deletes a statement's lines, unless something else stands on them."""
    last = statement.end_lineno or statement.lineno
    start = source.line_start(statement.lineno)
    end = source.line_start(last + 1) if last < len(source.lines) else len(source.text)
    around = source.text[start : source.start(statement)] + source.text[source.end(statement) : end]
    return None if around.strip() else Edit(start=start, before=source.text[start:end], after="")
