"""Bare LangGraph, start and resume only, over one AsyncPostgresSaver: what the round trip is held against.

`python -m tests.benchmarks.bare DSN N` prints one line of JSON: seconds, and CPU seconds of this process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.types import Command, interrupt
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from tests.benchmarks.flow import State, graph, request_of

AT_ONCE = 16
POOL = 8


def question(state: State) -> State:
    answer = interrupt(request_of(state).payload())
    return {"approved": answer["verdict"] == "approve"}


async def run(dsn: str, count: int) -> dict[str, float]:
    async with AsyncConnectionPool(
        dsn,
        min_size=POOL,
        max_size=POOL,
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    ) as pool:
        compiled: Any = graph(question).compile(checkpointer=AsyncPostgresSaver(pool))  # type: ignore[arg-type]
        await _all(compiled, "warm", 10)
        began, used = time.perf_counter(), time.process_time()
        await _all(compiled, "run", count)
        return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}


async def _all(compiled: Any, name: str, count: int) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def invoke(given: Any, n: int) -> Any:
        async with places:
            return await compiled.ainvoke(given, {"configurable": {"thread_id": f"{name}-{n}"}})

    await asyncio.gather(*(invoke({"n": n}, n) for n in range(count)))
    answer = Command(resume={"verdict": "approve"})
    for result in await asyncio.gather(*(invoke(answer, n) for n in range(count))):
        if not result.get("done"):
            raise RuntimeError(f"A thread did not end: {result}")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(sys.argv[1], int(sys.argv[2])))) + "\n")
