"""The budget of memory: never more than the total at once, except for one giant alone."""

from __future__ import annotations

import threading

import pytest

from rakuten_assets.images import memory
from rakuten_assets.images.memory import MemoryBudget


@pytest.fixture(autouse=True)
def nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SMALL", 0)


def test_threads_never_hold_more_than_the_total_and_all_get_their_turn() -> None:
    budget, lock = MemoryBudget(), threading.Lock()
    held: list[int] = []
    most: list[int] = []

    def work(count: int) -> None:
        for _ in range(50):
            with budget.hold(count, 100):
                with lock:
                    held.append(count)
                    most.append(sum(held))
                with lock:
                    held.remove(count)

    threads = [threading.Thread(target=work, args=(count,)) for count in (30, 40, 60, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert max(most) <= 100
    assert len(most) == 200


def test_who_needs_more_than_there_is_waits_to_be_alone() -> None:
    budget = MemoryBudget()
    entered = threading.Event()

    def giant() -> None:
        with budget.hold(1000, 100):
            entered.set()

    with budget.hold(1, 100):
        thread = threading.Thread(target=giant)
        thread.start()
        assert not entered.wait(0.05)
    thread.join(10)
    assert entered.is_set()


def test_an_error_gives_back_what_was_held() -> None:
    budget = MemoryBudget()
    with pytest.raises(RuntimeError), budget.hold(100, 100):
        raise RuntimeError
    with budget.hold(100, 100):
        pass
