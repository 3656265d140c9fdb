"""The closed sets of states that threads, approvals and deliveries move through."""

from __future__ import annotations

from typing import Literal

ThreadStatus = Literal["running", "waiting", "done", "failed", "cancelled", "orphaned"]
ApprovalStatus = Literal["pending", "decided", "expired", "cancelled", "superseded", "orphaned"]
DeliveryStatus = Literal["pending", "delivered", "failed"]
Autonomy = Literal["full", "on_action", "step_by_step"]
"""Who decides in a run: policy whatever is asked, people where the graph asks, people after every node."""

THREAD_ENDED: frozenset[ThreadStatus] = frozenset({"done", "failed", "cancelled", "orphaned"})
