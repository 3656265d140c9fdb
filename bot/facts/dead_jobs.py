"""Jobs whose worker died, and those that failed: the rows know what is left to do, so they can go."""

from __future__ import annotations

import structlog
from procrastinate.exceptions import ProcrastinateException
from procrastinate.jobs import Status

from bot.postgres.jobs import Queue

log = structlog.get_logger("signoff.clock")

FAILED_KEPT_HOURS = 7 * 24


async def clear_stalled(queue: Queue, seconds: float) -> int:
    """Drop jobs whose worker died: their rows are behind, so a sweep has them run again."""
    manager = queue.app.job_manager
    cleared = 0
    stalled = await manager.get_stalled_jobs(seconds_since_heartbeat=seconds)
    for job_id in [job.id for job in stalled if job.id is not None]:
        try:
            await manager.finish_job_by_id_async(job_id, Status.FAILED, delete_job=True)
        except ProcrastinateException as error:
            log.info("stalled_job_gone", job_id=job_id, why=str(error))  # another clock was first
        else:
            cleared += 1
    return cleared


async def forget_failed(queue: Queue) -> None:
    """Drop jobs that failed long ago; what they were for has been done since, or is behind and seen."""
    await queue.app.job_manager.delete_old_jobs(FAILED_KEPT_HOURS, include_failed=True)
