"""Images, extractors and the published set as a storage has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.metrics import stored
from rakuten_assets.metrics.names import Values
from rakuten_assets_tests.metrics.conftest import SPEED
from rakuten_assets_tests.readiness.conftest import EXTRACTOR, TEST, TRAIN, ReadyStorage, metadata


def extractors(storage: ReadyStorage, *configured: str) -> Values:
    return stored.extractors(storage.storage.root, configured)


def test_images_are_counted_by_split_and_the_unusable_by_reason(storage: ReadyStorage) -> None:
    values = stored.images(storage.storage.root)
    assert dict(values["rakuten_scanned_images"]) == {("train",): TRAIN, ("test",): TEST}
    unusable = dict(values["rakuten_quarantined_images"])
    assert {labels: count for labels, count in unusable.items() if count} == {
        ("train", "truncated"): 2,
        ("train", "missing"): 1,
    }
    assert unusable[("test", "truncated")] == 0
    assert not {"", "wrong_format", "odd_header"} & {reason for _, reason in unusable}, (
        "a remark is no reason"
    )


def test_a_scan_that_is_under_way_counts_as_far_as_it_is(storage: ReadyStorage) -> None:
    storage.storage.asset_file(["image_scan"], "01", ".parquet").unlink()
    values = stored.images(storage.storage.root)
    assert sum(count for _, count in values["rakuten_scanned_images"]) == (TRAIN + TEST + 1) // 2
    storage.storage.asset_file(["image_scan"], "00", ".parquet").unlink()
    with pytest.raises(StoreError, match=r"image_scan is not stored in .* yet"):
        stored.images(storage.storage.root)


def test_a_damaged_scan_is_named(storage: ReadyStorage) -> None:
    file = storage.storage.asset_file(["image_scan"], "01", ".parquet")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"image_scan/01\.parquet"):
        stored.images(storage.storage.root)


def test_an_extractor_has_a_speed_where_one_was_measured(storage: ReadyStorage) -> None:
    values = extractors(storage)
    assert dict(values["rakuten_extractor_images_per_second"]) == {
        (EXTRACTOR, SPEED.machine): SPEED.images_per_second
    }
    (((name,), made),) = values["rakuten_extractor_features_age_seconds"]
    assert name == EXTRACTOR
    assert 3590 < time.time() - made < 3700
    (storage.storage.cache / "rows" / metadata()["fingerprint"] / "extractor.json").unlink()
    assert extractors(storage)["rakuten_extractor_images_per_second"] == []


def test_extractors_are_the_configured_and_the_published_ones(storage: ReadyStorage) -> None:
    def names(*configured: str) -> list[str]:
        return [
            name
            for ((name,), _) in extractors(storage, *configured)["rakuten_extractor_features_age_seconds"]
        ]

    assert names("resnet18", EXTRACTOR) == [EXTRACTOR], "of the other one there are no features yet"
    storage.put("resnet18/metadata", {**metadata(), "timestamp": "2026-01-01T00:00:00+00:00"})
    assert names("resnet18") == ["resnet18", EXTRACTOR]
    assert names() == [EXTRACTOR]
    (storage.storage.outputs / "manifest.json").unlink()
    assert names("resnet18") == ["resnet18"]


def test_an_extractor_without_metadata_is_under_way(storage: ReadyStorage) -> None:
    storage.storage.asset_file([EXTRACTOR, "metadata"], None, ".json").unlink()
    with pytest.raises(StoreError, match=r"no features are stored in .* yet"):
        extractors(storage)


@pytest.mark.parametrize("timestamp", [0, None, "yesterday"])
def test_a_time_that_cannot_be_read_is_named(storage: ReadyStorage, timestamp: Any) -> None:
    storage.put(f"{EXTRACTOR}/metadata", {**metadata(), "timestamp": timestamp})
    with pytest.raises(StoreError, match=f"{EXTRACTOR}/metadata records no time"):
        extractors(storage)


def test_the_published_set_has_the_time_of_its_manifest(storage: ReadyStorage) -> None:
    ((_, moment),) = stored.published(storage.storage.root)["rakuten_published_set_age_seconds"]
    assert moment == datetime.fromisoformat("2026-01-01T00:00:00+00:00").timestamp()
    manifest = storage.storage.outputs / "manifest.json"
    manifest.write_text(manifest.read_text().replace("2026", "2025", 1))
    with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
        stored.published(storage.storage.root)


@pytest.mark.parametrize("part", [stored.images, lambda root: stored.extractors(root, []), stored.published])
def test_a_storage_that_is_not_there_yet_is_told(part: Callable[[UPath], Values], tmp_path: UPath) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        part(UPath(tmp_path / "nowhere"))
    assert list(tmp_path.iterdir()) == []
