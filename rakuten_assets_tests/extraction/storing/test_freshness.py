"""Which shards are out of date: every reason is told, and nothing else is."""

from pathlib import Path

import pandas as pd

from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.extraction.storing.freshness import shard_state
from rakuten_assets_tests.extraction.storing.test_matrix import FINGERPRINT, make_manifest, make_shard


def _world(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, FeatureArray]:
    manifest = make_manifest(40, 2)
    shard = make_shard(manifest, "01", folder)
    rows = manifest[manifest["shard"] == "01"].reset_index(drop=True)
    status = ["ok" if good else "unreadable" for good in shard.rows["valid"]]
    scan = rows.assign(sha256=shard.rows["sha256"], status=status)
    return manifest, scan, shard


def _reasons(
    manifest: pd.DataFrame, scan: pd.DataFrame | None, train: FeatureArray | None, **fingerprint: object
) -> tuple[str, ...]:
    empty = None
    if train is not None:
        rows = train.rows.iloc[:0]
        empty = FeatureArray(train.array[:0], rows, train.fingerprint, train.record)
    state = shard_state("01", manifest, scan, {"train": train, "test": empty}, {**FINGERPRINT, **fingerprint})
    assert state.is_stale == bool(state.reasons)
    return state.reasons


def test_what_is_up_to_date_has_no_reason(tmp_path: Path) -> None:
    assert _reasons(*_world(tmp_path)) == ()


def test_each_reason_is_told(tmp_path: Path) -> None:
    manifest, scan, shard = _world(tmp_path)
    assert _reasons(manifest, None, shard) == ("not scanned",)
    assert _reasons(manifest, scan.iloc[:-1], shard) == ("rows changed since the scan",)
    assert _reasons(manifest, scan, None) == ("train features missing", "test features missing")
    assert "train features of another extractor" in _reasons(manifest, scan, shard, weights="sha256:2")
    changed = scan.assign(sha256=["f" * 64, *scan["sha256"].iloc[1:]])
    assert _reasons(manifest, changed, shard) == ("train images changed",)
    repaired = scan.assign(status="ok")
    assert _reasons(manifest, repaired, shard) == ("train images changed",)


def test_content_changes_with_the_images_alone(tmp_path: Path) -> None:
    manifest, scan, shard = _world(tmp_path)

    def content(scan: pd.DataFrame | None, stored: FeatureArray | None) -> str:
        return shard_state("01", manifest, scan, {"train": stored, "test": None}, FINGERPRINT).content

    assert content(scan, shard) == content(scan, None)
    assert content(scan, None) != content(scan.assign(sha256="e" * 64), None)
