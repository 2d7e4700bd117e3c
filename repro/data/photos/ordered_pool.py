"""Work in threads, results in order, never more than so many ahead.

Threads and not processes: Pillow decodes and resizes without holding Python's lock, and a process
that trains has no children that a signal could reach.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Return how many processors this process may use: on a cluster fewer than the node has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    work: Callable[[Task], Result], tasks: Iterable[Task], *, ahead: int, workers: int | None = None
) -> Iterator[Result]:
    """Yield the results of `work` in the order of the tasks, with at most `ahead` begun."""
    with ThreadPoolExecutor(workers or usable_cores(), thread_name_prefix="photos") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
