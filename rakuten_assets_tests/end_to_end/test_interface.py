"""A person's way through Dagster's interface, in a real browser: look at the graph, click, look at the result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from rakuten_assets_tests.end_to_end.browser import (
    broken_pictures,
    button,
    dagster_dev,
    find_browser,
    link,
    open_browser,
    page_text,
    wait_for,
)

pytestmark = pytest.mark.slow

SHIPPED_CONFIGURATION = Path(__file__).parents[2] / ".dagster" / "dagster.yaml"


@dataclass(frozen=True)
class Interface:
    address: str
    storage: Path


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interface]:
    """Dagster's interface over a small synthetic catalogue of which nothing but the manifest is materialised."""
    find_browser()
    folder = tmp_path_factory.mktemp("interface")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes(SHIPPED_CONFIGURATION.read_bytes())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAKUTEN_")} | {
        "DAGSTER_HOME": str(home),
        "RAKUTEN_STORAGE": str(folder / "storage"),
        "RAKUTEN_SYNTHETIC_TRAIN_ROWS": "108",
        "RAKUTEN_SYNTHETIC_TEST_ROWS": "20",
        "RAKUTEN_SHARDS": "2",
    }
    upstream = "x_train,y_train,x_test,image_manifest"
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "rakuten_assets.definitions"]
    subprocess.run(
        [*command, "--select", upstream],
        env=environment,
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=300,
    )
    with dagster_dev(environment, folder) as address:
        yield Interface(address, folder / "storage")


def test_the_graph_shows_every_group(interface: Interface) -> None:
    with open_browser() as chrome:
        chrome.get(f"{interface.address}/asset-groups")
        text = wait_for(
            lambda: _all_in(page_text(chrome), "raw", "catalog", "labels", "features"), "the graph"
        )
        assert "Global asset lineage" in text


def test_a_partition_is_materialised_by_click_and_shows_its_checks_and_pictures(interface: Interface) -> None:
    with open_browser() as chrome:
        page = f"{interface.address}/assets/image_scan"
        chrome.get(f"{page}?view=partitions&partition=01")
        wait_for(lambda: button(chrome, "Materialize"), "the button Materialize").click()
        wait_for(lambda: "Partition selection" in page_text(chrome), "the dialog")
        wait_for(lambda: button(chrome, "Launch"), "an enabled Launch button").click()
        scanned = interface.storage / "assets" / "image_scan" / "01.parquet"
        wait_for(scanned.is_file, f"{scanned.name}, written by the run that the click launched", 120)

        chrome.get(f"{page}?view=partitions&partition=01")
        wait_for(lambda: "Materialized (1)" in page_text(chrome), "the materialised partition", 60)
        wait_for(lambda: link(chrome, "[Show Markdown]"), "the metadata that holds a picture").click()
        pictures = wait_for(lambda: _data_pictures(chrome), "a picture in the metadata")
        assert pictures and not broken_pictures(chrome)

        chrome.get(f"{page}?view=checks")
        wait_for(lambda: _all_in(page_text(chrome), "Passed"), "a check that passed")


def _all_in(text: str, *words: str) -> str:
    return text if all(word in text for word in words) else ""


def _data_pictures(chrome: Chrome) -> list[WebElement]:
    return chrome.find_elements(By.CSS_SELECTOR, "img[src^='data:image/png']")
