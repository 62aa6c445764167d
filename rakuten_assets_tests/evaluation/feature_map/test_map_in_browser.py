"""A person's way through a feature map, in a real browser: hover, colour, find, keys, a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from rakuten_assets.evaluation.feature_map.contents import FeatureMap, build_map
from rakuten_assets.evaluation.feature_map.page import write_page
from rakuten_assets.evaluation.feature_map.sprites import sprite_sheets
from rakuten_assets_tests.end_to_end.browser import find_browser, open_browser, wait_for
from rakuten_assets_tests.evaluation.feature_map.catalogues import catalogue, colour_of, draw_pictures

pytestmark = pytest.mark.slow

_SHOWN_COLOUR = """
const frame = document.getElementById("picture");
return [...frame.getContext("2d").getImageData(frame.width / 2, frame.height / 2, 1, 1).data].slice(0, 3);
"""
# How many pixels of the map have a colour, by colour: what it is coloured by.
_PAINTED = """
const canvas = document.getElementById("canvas"), found = {};
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
for (let i = 0; i < data.length; i += 4) {
  if (data[i + 3] > 200) { const key = `${data[i]},${data[i + 1]},${data[i + 2]}`; found[key] = (found[key] || 0) + 1; }
}
return Object.fromEntries(Object.entries(found).filter(([, n]) => n > 20));
"""
# The colour of a legend's entry.
_SWATCH = """
const { fill, stroke } = getComputedStyle(arguments[0].querySelector("svg path"));
return (fill === "none" ? stroke : fill).match(/\\d+/g).slice(0, 3).join(",");
"""
_TOO_WIDE = """
return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 120))
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureMap, Path]:
    """A map of pictures of one colour each, and its page."""
    find_browser()
    folder = tmp_path_factory.mktemp("map")
    found = build_map(*catalogue(100, 30).arguments(), extractor="fake", weights_note="drawn")
    sprites = sprite_sheets(*draw_pictures(folder, len(found.points)))
    write_page(found, sprites, folder / "map.html")
    return found, folder / "map.html"


@pytest.fixture(scope="module")
def chrome(drawn: tuple[FeatureMap, Path]) -> Iterator[Chrome]:
    with open_browser(1300, 1000) as browser:
        browser.get(drawn[1].as_uri())
        yield browser


def find(chrome: Chrome, text: str) -> None:
    field = chrome.find_element(By.ID, "sought")
    field.clear()
    field.send_keys(text, Keys.ENTER)


def card(chrome: Chrome) -> str:
    return chrome.find_element(By.ID, "card").text


def test_hovering_over_a_point_shows_its_picture_and_id(
    drawn: tuple[FeatureMap, Path], chrome: Chrome
) -> None:
    found, _ = drawn
    canvas = chrome.find_element(By.ID, "canvas")
    for at in (7, 42, 110):
        image = str(found.points["image_id"].iloc[at])
        find(chrome, image)  # brings the point to the middle
        canvas.send_keys(Keys.ESCAPE)
        ActionChains(chrome).move_to_element_with_offset(canvas, -250, -150).perform()
        wait_for(lambda image=image: f"image {image}" not in card(chrome), "a map without that card", 5)
        ActionChains(chrome).move_to_element(canvas).perform()
        wait_for(lambda image=image: f"image {image}" in card(chrome), f"the card of image {image}", 5)
        assert f"row {found.points['row'].iloc[at]}" in card(chrome)
        seen = chrome.execute_script(_SHOWN_COLOUR)
        assert max(abs(one - other) for one, other in zip(seen, colour_of(at), strict=True)) < 14


def test_another_colouring_paints_the_map_in_other_colours_and_renames_the_legend(chrome: Chrome) -> None:
    chrome.find_element(By.ID, "whole").click()
    chrome.find_element(By.ID, "canvas").send_keys(Keys.ESCAPE)
    choice = Select(chrome.find_element(By.ID, "colour"))
    painted, legends = {}, {}
    for value in ("class", "split", "mistake", "duplicates"):
        choice.select_by_value(value)
        chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        painted[value] = frozenset(chrome.execute_script(_PAINTED))
        legends[value] = chrome.find_element(By.ID, "legend").text.splitlines()
    assert len(painted["class"]) > len(painted["split"]) >= 2
    assert len(set(painted.values())) == 4
    assert legends["split"] == ["train", "99", "test", "30"]
    assert legends["mistake"] == [
        "as the label",
        "89",
        "differs from the label",
        "10",
        "test, no label",
        "30",
    ]
    assert legends["duplicates"] == [
        "none", "122", "of one class", "2", "of several classes", "2", "in train and in test", "3",
    ]  # fmt: skip
    assert legends["class"][0] == "10 used books"


def test_the_legend_shows_some_points_alone(chrome: Chrome) -> None:
    choice = Select(chrome.find_element(By.ID, "colour"))
    choice.select_by_value("split")
    train, test = chrome.find_elements(By.CSS_SELECTOR, "#legend button")
    chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    both: dict[str, int] = chrome.execute_script(_PAINTED)
    test.click()
    chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    only_test: dict[str, int] = chrome.execute_script(_PAINTED)
    assert test.get_attribute("aria-pressed") == "true"
    assert train.get_attribute("aria-pressed") == "false"
    test.click()
    chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    # Of each its own colour. (Where points overlap, colours mix; into which ones depends on the processor.)
    of_train, of_test = (chrome.execute_script(_SWATCH, button) for button in (train, test))
    assert {of_train, of_test} <= both.keys()
    assert of_test in only_test
    assert of_train not in only_test
    assert chrome.execute_script(_PAINTED) == both


def test_keys_and_the_search_reach_every_point(drawn: tuple[FeatureMap, Path], chrome: Chrome) -> None:
    found, _ = drawn
    canvas, said = chrome.find_element(By.ID, "canvas"), chrome.find_element(By.ID, "said")
    chrome.find_element(By.ID, "whole").click()
    canvas.send_keys(Keys.ESCAPE)
    told = set()
    for key in (Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_RIGHT):
        canvas.send_keys(key)
        told.add(said.text)
    assert len(told) >= 3
    assert all("image" in text for text in told)
    product = str(found.points["product_id"].iloc[100])
    find(chrome, product)
    assert f"product {product}" in said.text
    find(chrome, "<b>nowhere</b>")
    assert said.text == "<b>nowhere</b> is not among the 129 rows of this map"
    assert not chrome.find_element(By.ID, "card").is_displayed()


def test_zooming_in_shows_the_pictures_themselves(drawn: tuple[FeatureMap, Path], chrome: Chrome) -> None:
    found, _ = drawn
    Select(chrome.find_element(By.ID, "colour")).select_by_value("split")
    find(chrome, str(found.points["image_id"].iloc[20]))
    canvas = chrome.find_element(By.ID, "canvas")
    for _ in range(8):
        canvas.send_keys("+")
    chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    middle = (
        "const c = document.getElementById('canvas');"
        "return [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data].slice(0, 3);"
    )
    seen = chrome.execute_script(middle)
    assert max(abs(one - other) for one, other in zip(seen, colour_of(20), strict=True)) < 14


def test_nothing_is_fetched_and_nothing_could_be(drawn: tuple[FeatureMap, Path]) -> None:
    with open_browser(1300, 1000) as chrome:
        chrome.get(drawn[1].as_uri())
        find(chrome, "1001")
        messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
        page = drawn[1].as_uri()
        asked = {
            message["params"]["request"]["url"][:23]
            for message in messages
            if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"] == page
        }
        assert asked == {page[:23], "data:image/webp;base64,"}
        assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
        refused = chrome.execute_async_script(
            "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('sent'), e => done(String(e)))"
        )
        assert "Failed to fetch" in refused
        blocked = [entry["message"] for entry in chrome.get_log("browser")]
        assert any("Content Security Policy" in message for message in blocked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_of_390_pixels_shows_all_of_it(drawn: tuple[FeatureMap, Path], scheme: str) -> None:
    with open_browser(1300, 1000) as chrome:
        chrome.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chrome.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        chrome.get(drawn[1].as_uri())
        assert chrome.execute_script(_TOO_WIDE) == []
        find(chrome, "1008")
        assert "image 1008" in card(chrome)
        assert chrome.execute_script(_TOO_WIDE) == []
        # A tap on nothing lets go; one on a point keeps it.
        box = chrome.execute_script(
            "const box = document.getElementById('canvas').getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]"
        )
        for across, expected in ((0.5, True), (0.03, False)):
            point = [{"x": box[0] + box[2] * across, "y": box[1] + box[3] * (0.5 if expected else 0.03)}]
            chrome.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": point})
            chrome.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            wait_for(
                lambda expected=expected: chrome.find_element(By.ID, "card").is_displayed() == expected,
                "a card" if expected else "no card",
                5,
            )
