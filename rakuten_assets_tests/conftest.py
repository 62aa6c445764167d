"""What every test may rely on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.settings import variable_names

if TYPE_CHECKING:  # It is heavy, and few files need it.
    from rakuten_assets_tests.bucket import BucketServer

# No test judges by the clock: on a busy machine an example may take any time.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure() -> None:
    # A runner that was started in the background ignores Ctrl-C, and so would every process that a test starts:
    # the tests of interrupts need the usual behaviour.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whoever runs the tests may have a Dagster home: no test writes there, or takes its folder for the project's.
    os.environ.pop("DAGSTER_HOME", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: the longest tests wait for daemons and processes a fifth of their time."""
    return usable_cores() + 1


@pytest.fixture(scope="session", autouse=True)
def no_cache_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Images of buckets are kept in a folder of this session."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def server() -> Iterator[BucketServer]:
    """An S3 server with an empty bucket, for the tests of one file."""
    from rakuten_assets_tests.bucket import bucket_server

    with bucket_server() as running:
        yield running


# Minutes each, in one process: begun last, one of them would run on alone.
_LONGEST = ("test_readme.py", "test_benchmarks.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, the longest before all: so every process is busy until the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def place(item: pytest.Item) -> tuple[int, bool]:
        longest = item.path in slow and item.path.name in _LONGEST
        return _LONGEST.index(item.path.name) if longest else len(_LONGEST), item.path not in slow

    items.sort(key=place)


@pytest.fixture
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no `.env` of whoever runs the tests takes part."""
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
