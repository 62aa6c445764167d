"""The work of the graph by the lower floor alone: what a script without an orchestrator would do.

`python -m rakuten_assets.benchmarks.programs.bare` reads the same `RAKUTEN_*` settings as the graph and writes
matrices to `<storage>/outputs`; with `--model` it only converts the model. The difference between its wall time and
the graph's is what Dagster costs (and buys: lineage, checks, pictures, partitions).
"""

from __future__ import annotations

import sys

from rakuten_assets.dataset.contract import check_catalog, read_labels, read_products
from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.dataset.manifest import build_manifest
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.extraction.storing.features import extract_shard, shard_table
from rakuten_assets.extraction.storing.matrix import merge_shards
from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.reading.shards import scan_shards
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import scratch_folder
from rakuten_assets.storage.arrays import write_array


def main() -> None:
    settings = Settings.load()
    if "--model" in sys.argv[1:]:
        with Extractor.open(settings) as extractor:
            extractor.open_engine()
        return
    folder = open_catalog(settings)
    x_train, x_test = read_products(folder.x_train, "train"), read_products(folder.x_test, "test")
    y_train = read_labels(folder.y_train)
    check_catalog(x_train, y_train, x_test)
    manifest = build_manifest(x_train, y_train, x_test, settings.shards)
    limits = DecodeLimits(settings.max_file_bytes, settings.max_pixels)
    keys, workers = shard_keys(settings.shards), settings.threads or usable_cores()
    scans = {shard.key: shard.table for shard in scan_shards(manifest, keys, folder, limits, workers)}
    with scratch_folder(settings.storage) as scratch, Extractor.open(settings) as extractor:
        for split in SPLITS:
            shards = {}
            for key, scanned in scans.items():
                rows = shard_table(scanned[scanned["split"] == split])
                target = scratch / f"{split}-{key}.npy"
                files = folder.image_paths(rows["file"])
                shards[key], _ = extract_shard(extractor, files, rows, target, f"{split} {key}")
            of_split = manifest[manifest["split"] == split]
            merged = merge_shards(of_split, shards, settings.backbones[0], scratch / f"{split}.npy")
            write_array(settings.storage / "outputs" / f"{split}_features.npy", merged.features.array)


if __name__ == "__main__":
    main()
