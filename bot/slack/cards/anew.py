"""What a card says of the request before its own: that it was asked, perhaps answered, and what changed."""

from __future__ import annotations

from bot.approvals.confidential import veiled_changes
from bot.approvals.since import BASIS
from bot.postgres.rows import Approval
from bot.slack.blocks.rich import paragraph, words
from bot.slack.blocks.values import Piece, edits, titles

_AFTER_AN_ANSWER = "Asked again, since this changed before the answer took effect"
_WHILE_IT_WAITED = "Changed since it was first asked"


def asked_anew(approval: Approval, limit: int) -> Piece:
    """Show, in `limit` units, how an approval differs from the one that was asked before it at its pause."""
    called = {BASIS: "Based on", **titles(approval.request.proposal_schema)}
    piece = edits(veiled_changes(approval.changed, approval.confidential), limit, called)
    if not piece.elements:
        return piece
    why = _AFTER_AN_ANSWER if approval.asked_again else _WHILE_IT_WAITED
    return Piece([paragraph(words(why, bold=True), words(": before → after")), *piece.elements], piece.whole)
