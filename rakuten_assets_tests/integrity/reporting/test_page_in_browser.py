"""The page on a phone and on a desk, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from rakuten_assets.integrity.__main__ import main
from rakuten_assets.synthetic import generate_catalog
from rakuten_assets_tests.end_to_end.browser import find_browser, open_browser

_TOO_WIDE = """
return [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || e.matches('.scroll') && e.scrollWidth > e.clientWidth + 1);
}).map(e => e.outerHTML.slice(0, 120))
"""
_LINKED_TILES = """
return [...document.querySelectorAll('.tile a')].every(a => document.querySelector(a.getAttribute('href')) !== null)
"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_a_phone_of_390_pixels(tmp_path: Path, scheme: str) -> None:
    find_browser()
    catalogue = generate_catalog(tmp_path / "catalogue", 120, 30, seed=1, workers=2)
    assert main([str(catalogue.root), "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").as_uri()
    with open_browser(1400, 1000) as chrome:
        chrome.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        for width, height in ((390, 844), (1400, 1000)):
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            chrome.get(page)
            assert chrome.execute_script(_TOO_WIDE) == []
            assert chrome.execute_script("return document.querySelectorAll('.tile a').length") >= 8
            assert chrome.execute_script(_LINKED_TILES)
            sections = chrome.execute_script(
                "return [...document.querySelectorAll('section')].map(s => s.id)"
            )
            assert sections[0] == "unusable"
            places = chrome.execute_script(
                "return [...document.querySelectorAll('.place')].map(p => p.innerText)"
            )
            assert places
            assert all("product" in place for place in places)
