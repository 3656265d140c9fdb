"""The workflows: loaded, with a channel that the bot is in and approvers who can reach the quorum."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from bot.approvals.policy import is_user
from bot.approvals.workflow import Workflow
from bot.commands.checkup.finding import Finding, fine, problem
from bot.commands.checkup.workspace import Workspace
from bot.engine.catalog import Catalog
from bot.settings import Settings

PART = "workflows"


def examine(catalog: Catalog) -> Iterator[Finding]:
    """Say which workflows can run, and why others cannot."""
    names = ", ".join(sorted(catalog.entries))
    yield (
        fine(PART, f"Loaded: {names}")
        if names
        else problem(PART, "There is no workflow", "Add one to workflows/.")
    )
    for source, why in catalog.problems.items():
        yield problem(PART, f"{source} cannot run: {why}", "The others run without it.")
    for name, entry in sorted(catalog.entries.items()):
        workflow = entry.workflow
        if not workflow.channel:
            yield problem(PART, f"{name} has no channel for its cards", _mend(workflow, "CHANNEL", "channel"))
        if not workflow.policy.approvers:
            yield problem(PART, f"{name}: nobody may decide", _mend(workflow, "APPROVERS", "policy"))


async def examine_in(workspace: Workspace, catalog: Catalog, settings: Settings) -> AsyncIterator[Finding]:
    """Look for the channels and approvers in Slack."""
    places = {settings.ops_channel: "SIGNOFF_OPS_CHANNEL"} if settings.ops_channel else {}
    for name, entry in sorted(catalog.entries.items()):
        if entry.workflow.channel:
            places.setdefault(entry.workflow.channel, f"workflow {name}")
    for channel, of in places.items():
        yield await _channel(workspace, channel, of)
    for name, entry in sorted(catalog.entries.items()):
        async for finding in _approvers(workspace, name, entry.workflow):
            yield finding


async def _channel(workspace: Workspace, name: str, of: str) -> Finding:
    found = await workspace.channel(name)
    if found is None and not name.startswith("#") and await workspace.channel(f"#{name}"):
        return problem("channels", f"{name} ({of}) is neither a #name nor an id", f"Write #{name}.")
    if found is None:
        mend = "Create it, or correct the name; a private one must invite the bot first."
        return problem("channels", f"{name} ({of}) cannot be found", mend)
    if found.get("is_archived"):
        return problem("channels", f"{name} ({of}) is archived", "Unarchive it, or name another.")
    if not found.get("is_member"):
        return problem("channels", f"The bot is not in {name} ({of})", f"Write /invite @signoff in {name}.")
    return fine("channels", f"{name} ({of})")


async def _approvers(workspace: Workspace, name: str, workflow: Workflow) -> AsyncIterator[Finding]:
    people: set[str] = set()
    for approver in workflow.policy.approvers:
        found, finding = await _people(workspace, approver, name)
        people |= found
        if finding is not None:
            yield finding
    for _, added in workflow.sla.escalate:
        for approver in added:
            _, finding = await _people(workspace, approver, f"{name}, when it escalates")
            if finding is not None:
                yield finding
    needed = workflow.policy.approvals
    if not people:
        return
    if len(people) < needed:
        why = f"{name} needs {needed} approvals, and {len(people)} may decide"
        yield problem("approvers", why, "Name more approvers, or ask for fewer approvals.")
    else:
        yield fine("approvers", f"{name}: {len(people)} may decide, {needed} must")


async def _people(workspace: Workspace, approver: str, of: str) -> tuple[set[str], Finding | None]:
    """Return who may decide by this name, and what is wrong with it."""
    if is_user(approver):
        if await workspace.may_decide(approver):
            return {approver}, None
        return set(), problem(
            "approvers", f"{approver} ({of}) may not decide", "Name a live member: no guest, no bot."
        )
    group = await workspace.group(approver)
    if group is None:
        return set(), problem(
            "approvers", f"There is no group {approver} ({of})", "Create it, or correct the name."
        )
    people = {user for user in group.get("users") or () if await workspace.may_decide(user)}
    if not people:
        return set(), problem(
            "approvers", f"Nobody in {approver} may decide ({of})", "Add members to the group."
        )
    return people, None


def _mend(workflow: Workflow, variable: str, argument: str) -> str:
    return (
        f"Declare `{argument}` in its Workflow." if workflow.declared else f"Set SIGNOFF_DEFAULT_{variable}."
    )
