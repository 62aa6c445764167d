"""Work on threads with results in order, bounded memory and a clean end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    take: Callable[[Result], None],
    threads: int,
    ahead: int,
) -> None:
    """Call `take(work(item))` for every item, in order; `work` runs on threads, `take` on this one.

    At most `threads + ahead` items are begun and not yet taken. Nothing polls: this thread sleeps until the
    oldest result is there, and an exception that a signal raises in it (Ctrl-C, a termination) wakes it.

    After an error or an interrupt no further item is begun, those being worked on are waited for, and all
    finished results are taken before the error goes on its way: no thread and no finished result is left behind.
    (An item whose `take` was interrupted may be taken twice.)
    """
    left = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="extract")
    running: deque[Future[Result]] = deque()
    try:
        while True:
            running.extend(pool.submit(work, item) for item in islice(left, threads + ahead - len(running)))
            if not running:
                return
            take(running[0].result())
            running.popleft()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for future in running:
            if not future.cancelled() and future.exception() is None:
                take(future.result())
