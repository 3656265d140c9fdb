"""How the processes run: on uvloop where there is one, and without looking for garbage in what stays."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` to its end, as `asyncio.run` does."""
    try:
        import uvloop
    except ImportError:  # Windows has none
        asyncio.run(main)
    else:
        uvloop.run(main)


_YOUNG = 5_000
"""Objects made before the youngest are looked at: with Python's own 700, seven times as often."""


def spare_what_stays() -> None:
    """Have the garbage collector leave out all that is loaded by now: to be called when a process is ready.

    That is some 200,000 objects, and each look at all of them kept clicks waiting for 100 to 150 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)


def make_room(concurrency: int) -> None:
    """Let as many nodes block a thread each as graphs run at once, and some that run side by side in them.

    Left to itself, asyncio has four threads more than there are processors, and needs them to look up hosts,
    too: a few slow nodes kept every other graph of a worker waiting. Threads that nobody needs are not made.
    """
    threads = ThreadPoolExecutor(_LEAST_THREADS + _THREADS_EACH * concurrency, thread_name_prefix="node")
    asyncio.get_running_loop().set_default_executor(threads)


_LEAST_THREADS = 32
_THREADS_EACH = 4
