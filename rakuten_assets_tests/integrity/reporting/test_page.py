import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rakuten_assets.integrity.duplicates.groups import duplicate_groups
from rakuten_assets.integrity.reporting.page import report_html
from rakuten_assets.integrity.reporting.report import HTML_FILE, IntegrityReport, build_report, write_report
from rakuten_assets_tests.end_to_end.browser import broken_pictures, open_browser, page_text
from rakuten_assets_tests.images.pictures import encoded
from rakuten_assets_tests.integrity.gallery import (
    brighter,
    catalogue_table,
    groups_of,
    product,
    save,
    scanned,
)

HOSTILE = "<script>alert('x')</script>&\"'.jpg"


class Elements(HTMLParser):
    """Every element of a page, and what kinds of problems a reader would have with it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def report_of(folder: Path) -> IntegrityReport:
    """A small report with something in every section, from real files."""
    pictures = {f"healthy_{number}.jpg": product(number) for number in range(20)}
    pictures |= {
        "copy.jpg": product(0),
        "conflict.jpg": product(1),
        "resaved.jpg": encoded(product(2), quality=60),
        "brighter.jpg": brighter(product(3)),
        "pixels.jpg": encoded(product(4), comment="other bytes"),
        "twin.jpg": product(5),
        "broken.jpg": encoded(product(30))[:900],
        "grey.jpg": product(31).convert("L"),
        "small.jpg": product(32).resize((60, 60)),
        HOSTILE.replace("/", "_"): encoded(product(33))[:900],
    }
    paths = save(folder, pictures)
    images = scanned(paths)
    count = len(images)
    images["split"] = ["test" if path.name == "twin.jpg" else "train" for path in paths]
    images["row"] = range(count)
    images["code"] = [40 if path.name == "conflict.jpg" else 10 for path in paths]
    images["code"] = images["code"].astype("Int64").where(images["split"] == "train")
    return build_report(images, duplicate_groups(images, paths), paths, title=f"Report {HOSTILE}")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return report_of(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def page(report):
    return report_html(report)


def test_the_page_is_well_formed_and_has_every_section(page):
    elements = Elements(page)
    assert elements.open == []
    sections = [attributes["id"] for attributes in elements.all("section")]
    assert sections == [
        "unusable", "duplicates", "conflicts", "twins", "leakage", "suspicious", "measures", "classes", "status",
        "not-looked-at", "findings",
    ]  # fmt: skip
    links = {attributes["href"] for attributes in elements.all("a")}
    assert {f"#{section}" for section in sections} <= links
    assert {"findings.csv", "duplicates.csv", "summary.json"} <= links


def test_the_page_needs_nothing_from_outside(page):
    elements = Elements(page)
    assert elements.all("script") == elements.all("link") == elements.all("iframe") == []
    sources = [attributes["src"] or "" for attributes in elements.all("img")]
    assert len(sources) > 20
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not re.search(r"(src|href)=.?(https?:)?//|url\(|@import", page)
    policy = next(
        meta for meta in elements.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in str(policy["content"])


def test_the_page_is_accessible(page):
    elements = Elements(page)
    assert elements.elements[0] == ("html", {"lang": "en"})
    assert all(attributes.get("alt") for attributes in elements.all("img"))
    assert all(attributes.get("aria-label") for attributes in elements.all("svg"))
    assert len(elements.all("table")) == len(elements.all("caption"))
    assert all(attributes.get("scope") for attributes in elements.all("th"))
    headings = [int(tag[1]) for tag, _ in elements.elements if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
    assert any(meta.get("name") == "viewport" for meta in elements.all("meta"))
    assert "prefers-color-scheme: dark" in page


def test_hostile_names_are_only_text(page, report):
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
    assert (report.findings["file"] == HOSTILE.replace("/", "_")).any()


def test_the_page_says_what_was_found(page):
    assert "2 of 30 images cannot be used" in page
    assert "10 (1) / 40 (1)" in page


def test_the_same_report_gives_the_same_page(page, tmp_path):
    assert report_html(report_of(tmp_path)) == page


def test_the_page_stays_small_however_much_is_found():
    images = catalogue_table(6000, 1000)
    images.loc[:1999, ["status", "reason", "detail"]] = ["unreadable", "truncated", "x" * 200]
    images.loc[2000:2999, "blank"] = True
    for name in ("sha256", "pixel_sha256"):  # 1,500 pairs of equal files, each of two classes
        images.loc[3001:5999:2, name] = images.loc[3000:5998:2, name].to_list()
    report = build_report(images, groups_of(images), [Path("/nowhere") / name for name in images["file"]])
    page = report_html(report)
    assert len(page) < 300_000
    assert page.count("<figure") < 250


@pytest.mark.slow
def test_a_browser_shows_the_page_whole_on_a_desk_and_on_a_phone(report, tmp_path):
    write_report(report, tmp_path)
    with open_browser(1200, 900) as chrome:
        chrome.execute_cdp_cmd("Network.enable", {})
        chrome.get((tmp_path / HTML_FILE).as_uri())
        assert chrome.title == report.title
        assert "2 of 30 images cannot be used" in page_text(chrome)
        assert broken_pictures(chrome) == []
        assert len(chrome.execute_script("return [...document.images]")) > 20
        requests = [
            entry["message"]
            for entry in chrome.get_log("performance")
            if '"Network.requestWillBeSent"' in entry["message"] and '"url":"http' in entry["message"]
        ]
        assert requests == []
        assert [line for line in chrome.get_log("browser") if line["level"] == "SEVERE"] == []
        for width in (1200, 390):
            chrome.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
            )
            sizes = chrome.execute_script(
                "return [document.documentElement.scrollWidth, document.documentElement.clientWidth, innerWidth]"
            )
            assert sizes == [width, width, width]
        for scheme, dark in (("light", False), ("dark", True)):
            chrome.execute_cdp_cmd(
                "Emulation.setEmulatedMedia",
                {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
            )
            colour = chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", colour)[:3])) < 200) is dark
