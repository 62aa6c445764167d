"""A person's way through Dagster's interface, in a real browser: look at the graph, click, look at the result."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from rakuten_assets.defs.catalog.checks import REPORT_CHECKS
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
    materialize: Callable[..., None]


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
        "RAKUTEN_UNREADABLE_FAIL": "0.5",
    }
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "rakuten_assets.definitions"]

    def materialize(*arguments: str) -> None:
        subprocess.run(
            [*command, *arguments],
            env=environment,
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=1200,
        )

    materialize("--select", "x_train,y_train,x_test,image_manifest")
    with dagster_dev(environment, folder) as address:
        yield Interface(address, folder / "storage", materialize)


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


def test_the_report_is_read_in_the_interface(interface: Interface) -> None:
    assets = "image_scan,duplicate_groups,integrity_report"
    interface.materialize("--select", assets, "--partition-range", "00...01")
    with open_browser() as chrome:
        chrome.get(f"{interface.address}/assets/integrity_report")
        wait_for(
            lambda: _all_in(page_text(chrome), "report.html", "[Show Markdown]"), "the report's metadata"
        )
        texts, pictures = [], 0
        for number in range(len(_links(chrome, "[Show Markdown]"))):
            wait_for(lambda at=number: _open_dialog(chrome, at), "the dialog of a piece of metadata")
            texts.append(wait_for(lambda: _dialog_text(chrome), "something in the dialog"))
            pictures += len(_data_pictures(chrome))
            assert broken_pictures(chrome) == []
            if _data_pictures(chrome):
                assert len(set(_colours(chrome.get_screenshot_as_png()))) > 100
            wait_for(lambda: _close_dialog(chrome), "the dialog to close")
        assert pictures >= 3
        said = "\n".join(texts)
        assert "decode" in said
        assert "train/test" in said.lower() or "train and test" in said.lower()

        chrome.get(f"{interface.address}/assets/integrity_report?view=checks")
        wait_for(lambda: _all_in(page_text(chrome), *REPORT_CHECKS), "the report's checks")


def _links(chrome: Chrome, text: str) -> list[WebElement]:
    return [element for element in chrome.find_elements(By.TAG_NAME, "a") if element.text == text]


def _open_dialog(chrome: Chrome, number: int) -> bool:
    if not _dialogs(chrome):
        _links(chrome, "[Show Markdown]")[number].click()
    return bool(_dialogs(chrome))


def _dialog_text(chrome: Chrome) -> str:
    dialogs = _dialogs(chrome)
    return dialogs[-1].text if dialogs and button(chrome, "Close") else ""


def _close_dialog(chrome: Chrome) -> bool:
    if close := button(chrome, "Close"):
        close.click()
    return not _dialogs(chrome)


def _dialogs(chrome: Chrome) -> list[WebElement]:
    return chrome.find_elements(By.CSS_SELECTOR, "[class*='dialog-container'], [role='dialog']")


def _colours(screenshot: bytes) -> list[tuple[int, ...]]:
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    return list(picture.resize((160, 100)).get_flattened_data())


def _all_in(text: str, *words: str) -> str:
    return text if all(word in text for word in words) else ""


def _data_pictures(chrome: Chrome) -> list[WebElement]:
    return chrome.find_elements(By.CSS_SELECTOR, "img[src^='data:image/']")
