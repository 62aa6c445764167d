"""The augmentation stage over a scan: sums by shard, statistics of all, the gallery."""

from __future__ import annotations

import io
import json
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.defs.augmentation.assets import build_augmentation
from rakuten_assets.defs.catalog.assets import build_image_scan, image_manifest
from rakuten_assets.defs.raw.assets import x_test, x_train, y_train
from rakuten_assets.defs.resources import build_resources
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.outputs.names import GALLERY_FILE
from rakuten_assets.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


def _outcome(catalog: Path, storage: Path, shards: int) -> tuple[dict[str, object], pd.DataFrame]:
    """Materialise the stage from nothing: the statistics, and the scan."""
    settings = Settings(
        data_dir=UPath(catalog),
        storage=UPath(storage),
        shards=shards,
        unreadable_warn=0.9,
        unreadable_fail=0.9,
    )
    partitions = ShardPartitions(shards)
    raw = [x_train, y_train, x_test, image_manifest, build_image_scan(partitions)]
    defs = dg.Definitions(assets=[*raw, *build_augmentation(partitions)], resources=build_resources(settings))
    run = defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=dg.DagsterInstance.ephemeral(),
        tags={
            "dagster/asset_partition_range_start": "00",
            "dagster/asset_partition_range_end": f"{shards - 1:02d}",
        },
    )
    assert run.success
    assert all(check.passed for check in run.get_asset_check_evaluations())
    scan = pd.concat(map(pd.read_parquet, (storage / "assets" / "image_scan").glob("*.parquet")))
    statistics = json.loads(
        (storage / "assets" / "dataset_statistics" / "dataset_statistics.json").read_bytes()
    )
    return statistics, scan


def test_statistics_and_gallery_from_files(catalog: Path, tmp_path: Path) -> None:
    statistics, scan = _outcome(catalog, tmp_path / "three", 3)
    assert _outcome(catalog, tmp_path / "one", 1)[0] == statistics, "shards do not show"
    whole = scan[(scan["split"] == "train") & (scan["status"] == "ok")]
    pictures = []
    for file in whole["file"]:
        with Image.open(catalog / "images" / file) as image:
            pictures.append(np.asarray(image.convert("RGB")) / 255.0)
    pooled = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    assert statistics["images"] == len(pictures)
    assert statistics["pixel_mean"] == pytest.approx(pooled.mean(axis=0), abs=1e-9)
    assert statistics["pixel_std"] == pytest.approx(pooled.std(axis=0), abs=1e-9)
    deviations = np.mean([picture.std(axis=(0, 1)) for picture in pictures], axis=0)
    assert statistics["image_std"] == pytest.approx(deviations, abs=1e-9)
    gallery = (tmp_path / "three" / "outputs" / GALLERY_FILE).read_bytes()
    with Image.open(io.BytesIO(gallery)) as image:
        assert (image.format, image.width > 1000) == ("PNG", True)
    assert gallery == (tmp_path / "one" / "outputs" / GALLERY_FILE).read_bytes()
