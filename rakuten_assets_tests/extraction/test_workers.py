import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.extraction.workers import work_in_order


class Terminated(BaseException):
    """As Dagster's interrupt: no Exception."""


def _no_threads_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name.startswith("extract")]


@given(st.lists(st.integers(), max_size=40), st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_results_come_in_order(items: list[int], threads: int, ahead: int) -> None:
    taken: list[int] = []
    work_in_order(lambda item: item * 2, items, taken.append, threads, ahead)
    assert taken == [item * 2 for item in items]


def test_items_begun_and_not_taken_are_bounded() -> None:
    begun, taken, most = [0], [0], [0]
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            begun[0] += 1
            most[0] = max(most[0], begun[0] - taken[0])
        return item

    def take(item: int) -> None:
        time.sleep(0.001)
        taken[0] += 1

    work_in_order(work, range(100), take, threads=3, ahead=2)
    assert taken[0] == 100
    assert most[0] <= 5


def test_an_error_ends_it_with_finished_results_taken() -> None:
    taken: list[int] = []
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 10:
            raise LookupError("image 10")
        return item

    with pytest.raises(LookupError, match="image 10"):
        work_in_order(work, range(1000), taken.append, threads=2, ahead=2)
    assert set(begun) - {10} == set(taken)
    assert len(begun) < 20
    assert _no_threads_left()


def test_what_has_not_begun_is_dropped() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.01)
        return 1 // item

    with pytest.raises(ZeroDivisionError):
        work_in_order(work, range(100), lambda result: None, threads=1, ahead=30)
    assert len(begun) < 5


def test_a_signal_ends_it_with_what_is_at_hand_and_finished_results_taken() -> None:
    taken: list[int] = []
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.02)
        return item

    at_signal: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        at_signal.append(len(begun))
        raise Terminated

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Terminated):
            work_in_order(work, range(100_000), taken.append, threads=2, ahead=2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert taken
    assert set(taken) == set(begun)
    # Of the hundred thousand no more than were handed to the threads already.
    assert len(begun) <= at_signal[0] + 4
    assert _no_threads_left()
