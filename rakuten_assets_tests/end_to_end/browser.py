"""A real headless browser, and Dagster's real interface for it to look at."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

Result = TypeVar("Result")

# Without these a browser tries to reach its maker's hosts at every start.
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def find_browser() -> tuple[str, str]:
    """Paths of a Chromium and its driver; skips the test where there is none."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no browser: install chromium and chromedriver to run the tests of the interface")
    return browser, driver


@contextmanager
def open_browser(width: int = 1600, height: int = 1000) -> Iterator[webdriver.Chrome]:
    """A headless Chromium with a profile of its own."""
    browser, driver = find_browser()
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for option in (*_OPTIONS, f"--window-size={width},{height}", f"--user-data-dir={profile}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            yield chrome
        finally:
            chrome.quit()


@contextmanager
def dagster_dev(environment: dict[str, str], folder: Path) -> Iterator[str]:
    """`dagster dev` (interface and daemon) on a free port; yields its address."""
    # Port 0: the server takes a free one and says which; choosing one beforehand would be a race.
    log = folder / "dagster-dev.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-m", "rakuten_assets.definitions", "-p", "0"],
            env=environment,
            cwd=folder,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _address(process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def wait_for(find: Callable[[], Result], what: str, seconds: float = 60) -> Result:
    """Ask until the answer is true in the sense of `bool`; fail with `what` when it never is."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := find():
                return found
        except StaleElementReferenceException:
            pass  # the page redrew itself between finding an element and reading it
        if time.monotonic() > end:
            pytest.fail(f"{what} did not appear within {seconds:.0f} s")
        time.sleep(0.25)


def button(chrome: webdriver.Chrome, text: str) -> WebElement | None:
    """The last enabled button whose text starts with `text`."""
    found = [
        element
        for element in chrome.find_elements(By.TAG_NAME, "button")
        if element.text.startswith(text) and element.is_enabled()
    ]
    return found[-1] if found else None


def link(chrome: webdriver.Chrome, text: str) -> WebElement | None:
    """The first link with this text."""
    found = [element for element in chrome.find_elements(By.TAG_NAME, "a") if element.text == text]
    return found[0] if found else None


def page_text(chrome: webdriver.Chrome) -> str:
    """Everything that a person can read on the page."""
    return chrome.find_element(By.TAG_NAME, "body").text


def broken_pictures(chrome: webdriver.Chrome) -> list[str]:
    """Sources (shortened) of the pictures on the page that show nothing."""
    script = (
        "return [...document.images].filter(i => !i.complete || i.naturalWidth === 0)"
        ".map(i => i.src.slice(0, 80))"
    )
    return list(chrome.execute_script(script))


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    def serving() -> str | None:
        text = log.read_text(errors="replace")
        if process.poll() is not None:
            pytest.fail(f"dagster dev ended with {process.returncode}:\n{text[-3000:]}")
        found = re.search(r"Serving dagster-webserver on (http://[0-9.]+:[0-9]+)", text)
        if not found:
            return None
        try:
            with urllib.request.urlopen(f"{found[1]}/server_info", timeout=5):
                return found[1]
        except (urllib.error.URLError, TimeoutError):
            return None

    return wait_for(serving, "Dagster's interface", 90)
