"""What a reviewer reads: a pure function of what was worked out before."""

from __future__ import annotations

from collections.abc import Sequence

from bot.approvals import ApprovalRequest
from workflows.pull_requests.edits import Finding, fenced
from workflows.pull_requests.input import PullRequest, proposal, proposal_schema

_MOST_REMARKS = 15


def review_request(
    given: PullRequest,
    changes: list[Finding],
    remarks: Sequence[Finding],
    *,
    head: str | None,
    found_by: str,
    declined: list[str],
    message: str,
    asked_again: str | None,
) -> ApprovalRequest:
    """Ask for the changes; each may be struck out in the form."""
    count = f"{len(changes)} change{'s' if len(changes) > 1 else ''}"
    where = f"{given.branch} of {given.repository}" if given.repository else "the author"
    return ApprovalRequest(
        title=f"{'Commit' if given.repository else 'Recommend'} {count} to {where}: {given.title}",
        summary="\n\n".join([*([asked_again] if asked_again else []), *_told(changes), *_remarked(remarks)]),
        fields=_facts(given, changes, head, found_by),
        proposal=proposal(changes, declined, message),
        proposal_schema=proposal_schema(changes),
        risk="high" if any(one.rule == "secret" for one in remarks) else "low",
    )


def _told(changes: Sequence[Finding]) -> list[str]:
    return [
        f"**{n}. {one.rule}**, `{one.where}`: {one.problem}\n{fenced(one.shown)}"
        for n, one in enumerate(changes, 1)
    ]


def _remarked(remarks: Sequence[Finding]) -> list[str]:
    """Tell what nobody can mend by rule."""
    if not remarks:
        return []
    lines = [f"- `{one.where}` {one.rule}: {one.problem}" for one in remarks[:_MOST_REMARKS]]
    more = [f"- and {len(remarks) - _MOST_REMARKS} more"] if len(remarks) > _MOST_REMARKS else []
    return ["\n".join(["For the author, since no rule can fix it:", *lines, *more])]


def _facts(given: PullRequest, changes: Sequence[Finding], head: str | None, found_by: str) -> dict[str, str]:
    branch = {"Repository": given.repository, "Branch": given.branch, "Commit": (head or "")[:10]}
    facts = {label: value for label, value in branch.items() if value}
    files = ", ".join(dict.fromkeys(one.path for one in changes))
    return facts | {"Files": files[:500], "Found by": found_by}
