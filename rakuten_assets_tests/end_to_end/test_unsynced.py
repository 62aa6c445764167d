"""Unchanged shards made again leave nothing "Unsynced", by the interface's own query and in a real browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from selenium.webdriver import Chrome

from rakuten_assets.synthetic import generate_catalog
from rakuten_assets_tests.end_to_end.browser import dagster_dev, open_browser, page_text, wait_for

pytestmark = pytest.mark.slow

TRAIN_ROWS, TEST_ROWS = 60, 12
SHARDS = ("00", "01")
NAME = "efficientnet_lite0"
BY_SHARD = ("image_scan", f"{NAME}/train_features", f"{NAME}/test_features")
BY_SHARD_KEYS = ", ".join(
    json.dumps({"path": name.split("/")}).replace('"path"', "path") for name in (*BY_SHARD, "channel_sums")
)
GROUPS = ("features", "catalog", "labels", "outputs")
STALE_IN_THE_CATALOG = "Upstream data"
"""What the list of all assets says under a stale one; the pages of groups and assets say "Unsynced"."""

FEW, SETTLED = 5, 3
"""Assets whose state is shown; seconds in which a page that shows it would also show what is unsynced."""

QUERY = f"""{{
  whole: assetNodes {{ assetKey {{ path }} staleStatus isMaterializable }}
  by_shard: assetNodes(assetKeys: [{BY_SHARD_KEYS}]) {{
    assetKey {{ path }} partitionKeys staleStatusByPartition
    partitionStats {{ numPartitions numMaterialized numFailed }}
  }}
}}"""


@dataclass(frozen=True)
class Project:
    """A catalogue, a storage and a Dagster home, in a folder."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RAKUTEN_")}
        return clean | {
            "DAGSTER_HOME": str(self.folder / "home"),
            "RAKUTEN_DATA_DIR": str(self.folder / "catalog"),
            "RAKUTEN_STORAGE": str(self.folder / "storage"),
            "RAKUTEN_BACKBONE": NAME,
            "RAKUTEN_SHARDS": str(len(SHARDS)),
            "RAKUTEN_UNREADABLE_FAIL": "0.5",
        }

    def materialize(self, select: str, *options: str) -> None:
        command = (
            sys.executable,
            "-m",
            "dagster",
            "asset",
            "materialize",
            "-m",
            "rakuten_assets.definitions",
        )
        done = subprocess.run(
            [*command, "--select", select, *options],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout

    def change_a_picture(self, shard: str) -> str:
        """Add a byte to a good picture of a shard; returns its split."""
        scan = pd.read_parquet(self.folder / "storage" / "assets" / "image_scan" / f"{shard}.parquet")
        good = scan[(scan["status"] == "ok") & (scan["reason"] == "")].iloc[0]
        with (self.folder / "catalog" / "images" / good["file"]).open("ab") as file:
            file.write(b"more")
        return str(good["split"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after a run over everything, and after a second one over shards of which nothing had changed."""
    project = Project(tmp_path_factory.mktemp("unsynced"))
    (project.folder / "home").mkdir()
    generate_catalog(project.folder / "catalog", TRAIN_ROWS, TEST_ROWS, log=lambda _: None)
    both = ("--partition-range", f"{SHARDS[0]}...{SHARDS[-1]}")
    project.materialize("*", *both)
    project.materialize(",".join(BY_SHARD), *both)
    project.materialize("image_scan", "--partition", SHARDS[1])
    return project


@pytest.fixture(scope="module")
def address(project: Project) -> Iterator[str]:
    with dagster_dev(project.environment, project.folder) as address:
        yield address


def not_fresh(address: str) -> set[tuple[str, str | None]]:
    """What the interface's server calls other than fresh: assets, and shards of those that have some."""
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps({"query": QUERY}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        found = json.load(answer)
    assert "errors" not in found, found
    places: set[tuple[str, str | None]] = set()
    whole = [node for node in found["data"]["whole"] if node["isMaterializable"]]
    assert len(whole) > 15
    for node in whole:
        if node["staleStatus"] != "FRESH":
            places.add(("/".join(node["assetKey"]["path"]), None))
    for node in found["data"]["by_shard"]:
        name = "/".join(node["assetKey"]["path"])
        assert node["partitionKeys"] == list(SHARDS)
        assert node["partitionStats"] == {
            "numPartitions": len(SHARDS),
            "numMaterialized": len(SHARDS),
            "numFailed": 0,
        }
        pairs = zip(node["partitionKeys"], node["staleStatusByPartition"], strict=True)
        places |= {(name, key) for key, status in pairs if status != "FRESH"}
    return places


def group_text(chrome: Chrome, address: str, group: str) -> str:
    """What a person reads on a group's page once it shows what state its assets are in."""
    chrome.get(f"{address}/locations/rakuten_assets.definitions/asset-groups/{group}")
    wait_for(lambda: "Materialized" in page_text(chrome), f"the state of the group {group}")
    time.sleep(SETTLED)
    return page_text(chrome)


def test_nothing_is_unsynced_until_a_picture_changes(project: Project, address: str) -> None:
    assert not_fresh(address) == set()
    with open_browser(2400, 1600) as chrome:
        for group in GROUPS:
            assert "Unsynced" not in group_text(chrome, address, group)
        chrome.get(f"{address}/assets")
        wait_for(lambda: page_text(chrome).count("Materialized") > FEW, "the state of the assets")
        time.sleep(SETTLED)
        assert STALE_IN_THE_CATALOG not in page_text(chrome)

        split = project.change_a_picture("01")
        project.materialize("image_scan", "--partition-range", "00...01")
        assert not_fresh(address) == {
            (f"{NAME}/train_features", "01"),
            (f"{NAME}/test_features", "01"),
            ("channel_sums", "01"),
            *(
                (asset, None)
                for asset in (
                    "duplicate_groups",
                    "integrity_report",
                    "train_valid",
                    "test_valid",
                    "augmentation_gallery",
                )
            ),
            (f"{NAME}/metadata", None),
        }
        # The same pages show it where there is something to show.
        for group in ("features", "catalog"):
            group_text(chrome, address, group)
            wait_for(lambda: "Unsynced" in page_text(chrome), f"the word Unsynced in the group {group}")
        chrome.get(f"{address}/assets")
        wait_for(lambda: STALE_IN_THE_CATALOG in page_text(chrome), "stale assets in the catalogue")

    project.materialize(f"{NAME}/train_features,{NAME}/test_features", "--partition", "01")
    stale = {place for place in not_fresh(address) if place[0].startswith(NAME)}
    assert stale == {(f"{NAME}/{split}_feature_matrix", None), (f"{NAME}/metadata", None)}
