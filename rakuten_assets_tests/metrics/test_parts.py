"""A part is read when it is asked for and old, once at a time, and its errors are told once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from prometheus_client import generate_latest

from rakuten_assets.errors import StoreError
from rakuten_assets.metrics.collector import PartsCollector, registry_of
from rakuten_assets.metrics.names import METRICS, PUBLISHED_AGE, RUNS, Part, Values
from rakuten_assets.metrics.parts import CachedPart, Shown
from rakuten_assets_tests.metrics.scrape import Scrape, parsed


class Source:
    """Gives the number of its readings, or raises what it is told to."""

    def __init__(self) -> None:
        self.readings, self.time = 0, 100.0
        self.error: Exception | None = None
        self.said: list[str] = []

    def read(self) -> Values:
        self.readings += 1
        if self.error is not None:
            raise self.error
        return {RUNS.name: [(("queued",), self.readings)]}

    def part(
        self, seconds: float = 60, name: Part = "runs", read: Callable[[], Values] | None = None
    ) -> CachedPart:
        return CachedPart(name, read or self.read, seconds, self.said.append, lambda: self.time)


@pytest.fixture
def source() -> Source:
    return Source()


def look(part: CachedPart) -> Shown:
    part.begin()
    part.wait(30)
    return part.shown()


def text_of(*parts: CachedPart, patience: float = 30, now: float = 0.0) -> Scrape:
    return parsed(generate_latest(registry_of(PartsCollector(parts, patience, lambda: now))).decode())


def test_nothing_is_read_before_somebody_asks(source: Source) -> None:
    part = source.part()
    source.time += 7
    assert part.shown() == Shown(None, "", 7.0, None)
    assert source.readings == 0


def test_what_was_read_is_shown_until_it_is_old(source: Source) -> None:
    part = source.part(seconds=60)
    readings = []
    for later in (0, 59, 1, 30, 30):
        source.time += later
        shown = look(part)
        readings.append((source.readings, shown.age))
    assert readings == [(1, 0.0), (1, 59.0), (2, 0.0), (2, 30.0), (3, 0.0)]


def test_an_error_takes_the_place_of_values_and_is_told_once_until_it_changes(source: Source) -> None:
    part = source.part(seconds=0)
    outcomes = [None, StoreError("a\n  b"), StoreError("a b"), KeyError("reason"), None]
    errors = []
    for source.error in outcomes:
        shown = look(part)
        assert (shown.values is None) == bool(source.error)
        errors.append(shown.error)
    assert errors == ["", "a b", "a b", "KeyError: 'reason'", ""]
    assert source.said == ["runs: a b", "runs: KeyError: 'reason'", "runs: can be read again"]


def test_a_slow_part_is_read_by_one_thread_and_holds_up_no_scrape(source: Source) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow() -> Values:
        begun.release()
        assert go_on.wait(60)
        return source.read()

    part = source.part(read=slow)
    first, second = text_of(part, patience=0), text_of(part, patience=0)
    assert begun.acquire(timeout=30)
    for scrape in (first, second):
        assert RUNS.name not in scrape.values
        assert scrape.one("rakuten_scrape_error", "runs") == 0
        assert scrape.of("rakuten_scrape_duration_seconds") == {}
    go_on.set()
    assert text_of(part).of(RUNS.name) == {("queued",): 1}
    assert not begun.acquire(blocking=False), "two threads read the same"


def test_one_part_that_cannot_be_read_leaves_the_others(source: Source) -> None:
    def broken() -> Values:
        raise StoreError("manifest.json is damaged")

    scrape = text_of(source.part(), source.part(name="published", read=broken))
    assert scrape.of(RUNS.name) == {("queued",): 1}
    assert PUBLISHED_AGE.name not in scrape.values
    assert scrape.of("rakuten_scrape_error") == {("runs",): 0, ("published",): 1}


@pytest.mark.parametrize(("now", "age"), [(1300.0, 300.0), (900.0, 0.0)])
def test_an_age_is_the_time_since_at_the_moment_of_the_scrape(source: Source, now: float, age: float) -> None:
    """Also of a moment that another machine's clock puts into the future."""
    part = source.part(name="published", read=lambda: {PUBLISHED_AGE.name: [((), 1000.0)]})
    text_of(part, now=1000.0)
    assert text_of(part, now=now).one(PUBLISHED_AGE.name) == age


def test_names_follow_the_rules_of_prometheus() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.name.startswith("rakuten_")
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket")), (
            "these are counters' and histograms'"
        )
        assert metric.help.endswith(".")
        assert not metric.is_age or metric.name.endswith("_age_seconds")
