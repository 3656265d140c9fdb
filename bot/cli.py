"""The command line: what each command takes; all that it needs is imported when it runs."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec

import typer
from typer.core import TyperGroup

Given = ParamSpec("Given")


class _DebugAnywhere(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take --debug after the command's name too; refuse what could be neither stored nor printed."""
        if any("\udc80" <= char <= "\udcff" for arg in args for char in arg):
            raise typer.BadParameter("what was typed is not UTF-8 text")
        rest = [arg for arg in args if arg != "--debug"]
        return super().parse_args(ctx, ["--debug", *rest] if len(rest) < len(args) else rest)


_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

app = typer.Typer(
    name="signoff",
    cls=_DebugAnywhere,
    help="Asynchronous approvals for LangGraph workflows, in Slack.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
audit_app = typer.Typer(help="The audit trail.", no_args_is_help=True, rich_markup_mode=None)
db_app = typer.Typer(help="The embedded Postgres.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(audit_app, name="audit")
app.add_typer(db_app, name="db")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a script.")]
ThreadId = Annotated[str, typer.Argument(metavar="THREAD", help="A thread's id.")]


def _told(command: Callable[Given, None]) -> Callable[Given, None]:
    """Tell an error in one line on stderr; its traceback only with --debug."""

    @functools.wraps(command)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, typer.Abort, KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as error:
            if "--debug" in sys.argv:
                raise
            from bot.commands.told import told

            line, code = told(error)
            typer.echo(f"signoff: {line}", err=True)
            raise typer.Exit(code) from None

    return guarded


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    del debug  # read where an error is told, which may be before this is parsed
    # SIGNOFF_WORKFLOWS may name a module of this very folder; last, so that it hides nothing installed.
    if "" not in sys.path:
        sys.path.append("")
    # Set to nothing, it would have what is counted kept in files of this very folder, and /metrics fail.
    if os.environ.get(_METRICS_FOLDER) == "":
        del os.environ[_METRICS_FOLDER]


@app.command()
@_told
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0 finds a free one.")] = 8765,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the last demo first.")] = False,
) -> None:
    """Try everything, with a local Slack and its own Postgres."""
    from bot.commands.demo import demo

    demo(port, open_page=open_page, fresh=fresh)


@app.command()
@_told
def run(slack_cli: Annotated[bool, typer.Option("--slack-cli", hidden=True)] = False) -> None:
    """Run everything with a real Slack workspace on this machine."""
    from bot.commands.running import run

    run(slack_cli=slack_cli)


@app.command()
@_told
def web() -> None:
    """Listen to Slack and serve HTTP."""
    from bot.commands.running import web

    web()


@app.command()
@_told
def worker(
    queues: Annotated[str, typer.Option(help="Only these: threads, messages (comma-separated).")] = "",
    concurrency: Annotated[int | None, typer.Option(min=1, max=200, help="Jobs at once.")] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Run graphs and draw messages."""
    from bot.commands.running import worker

    worker(queues, concurrency, attached=with_parent)


@app.command()
@_told
def clock() -> None:
    """Watch deadlines; run as many as you like."""
    from bot.commands.running import clock

    clock()


@app.command()
@_told
def emulator(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0 finds a free one.")] = 8765,
    request_url: Annotated[
        str, typer.Option(help="Where to send signed requests, e.g. http://127.0.0.1:3000/slack/events.")
    ] = "",
    forget: Annotated[bool, typer.Option("--forget", help="Keep messages in memory only.")] = False,
    rate_limits: Annotated[bool, typer.Option(help="Apply Slack's rate limits.")] = True,
) -> None:
    """Run the local Slack alone. It prints the variables that point an app at it."""
    from bot.commands.emulator import emulator

    emulator(port, request_url or None, forget=forget, rate_limits=rate_limits)


@app.command()
@_told
def migrate() -> None:
    """Create or upgrade the schema. It is safe to run from many machines at once."""
    from bot.commands.migrating import migrate

    migrate()


@app.command()
@_told
def start(
    workflow: Annotated[str, typer.Argument(help="The workflow's name; `signoff workflows` lists them.")],
    given: Annotated[str, typer.Option("--input", help="JSON, @file, or - for stdin.")],
    requester: Annotated[str | None, typer.Option(help="On whose behalf: a Slack user id.")] = None,
    autonomy: Annotated[
        str, typer.Option(help="Who decides: on_action, step_by_step, or full, as the workflow allows.")
    ] = "on_action",
    as_json: AsJson = False,
) -> None:
    """Start a thread and print its id."""
    from bot.commands.starting import start

    start(workflow, given, requester, autonomy, as_json=as_json)


@app.command()
@_told
def threads(
    status: Annotated[str | None, typer.Option(help="Only these (comma-separated).")] = None,
    workflow: Annotated[str | None, typer.Option(help="Only of this workflow.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List threads, newest first."""
    from bot.commands.threads import threads

    threads(status, workflow, limit, as_json=as_json)


@app.command()
@_told
def show(thread: ThreadId, as_json: AsJson = False) -> None:
    """Tell the whole story of a thread."""
    from bot.commands.threads import show

    show(thread, as_json=as_json)


@app.command()
@_told
def retry(thread: ThreadId) -> None:
    """Let a failed thread try again from where it failed."""
    from bot.commands.threads import retry

    retry(thread)


@app.command()
@_told
def cancel(
    thread: ThreadId,
    reason: Annotated[str, typer.Option(help="Why; its cards and the audit say so.")],
) -> None:
    """End a thread; its cards say so."""
    from bot.commands.threads import cancel

    cancel(thread, reason)


@app.command()
@_told
def redraw(approval: Annotated[str, typer.Argument(metavar="APPROVAL", help="An approval's id.")]) -> None:
    """Draw an approval's messages again. That includes those that were given up."""
    from bot.commands.threads import redraw

    redraw(approval)


@app.command()
@_told
def workflows(as_json: AsJson = False) -> None:
    """List the catalog, with each input's schema."""
    from bot.commands.workflows import workflows

    workflows(as_json=as_json)


@app.command()
@_told
def doctor(as_json: AsJson = False) -> None:
    """Check the set-up, and say how to fix what is wrong."""
    from bot.commands.doctor import doctor

    doctor(as_json=as_json)


@app.command()
@_told
def manifest(
    url: Annotated[str, typer.Option(help="The app's public address, for HTTP; unset: Socket Mode.")] = "",
) -> None:
    """Print the Slack app's manifest as JSON."""
    from bot.commands.manifest import manifest

    manifest(url or None)


@audit_app.command("export")
@_told
def audit_export(
    thread: Annotated[str | None, typer.Option(help="Only this thread's chain.")] = None,
) -> None:
    """Print the audit trail as JSON lines."""
    from bot.commands.audit import export

    export(thread)


@audit_app.command("verify")
@_told
def audit_verify(as_json: AsJson = False) -> None:
    """Prove that the audit trail was not altered."""
    from bot.commands.audit import verify

    verify(as_json=as_json)


@db_app.command("stop")
@_told
def db_stop() -> None:
    """Stop an embedded Postgres that was left running."""
    from bot.commands.migrating import stop

    stop()
