"""What training needs to know of the images: their channels' statistics, and what the augmentations do to them."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.defs.augmentation.checks import STATISTICS_CHECKS, SUMS_CHECKS
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.presentation import table
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.defs.verdicts import publish
from rakuten_assets.images.decoding import decode_rgb
from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_bytes, write_bytes

GALLERY_FILE = "augmentation_gallery.png"

Scans = dict[str, pd.DataFrame]


def build_augmentation(shards: ShardPartitions) -> list[dg.AssetsDefinition]:
    """The stage, over a set of shards."""

    @stage_asset("augmentation", "parquet", {"pandas"}, SUMS_CHECKS, shards=shards, exclusive=True)
    def channel_sums(
        context: dg.AssetExecutionContext,
        image_scan: Scans,
        settings: dg.ResourceParam[Settings],
        parquet: dg.ResourceParam[ParquetIOManager],
    ) -> Iterator[Any]:
        """One row a train image that decodes whole: sums and sums of squares of its red, green and blue, whole numbers.

        An image whose bytes were summed before is not decoded again.
        """
        from rakuten_assets.dataset.statistics import channel_table, table_covers

        limits = DecodeLimits(settings.max_file_bytes, settings.max_pixels)
        folder = open_catalog(settings)
        chosen = {key: image_scan[key] for key in sorted(context.partition_keys)}
        chosen = {
            key: scan[(scan["split"] == "train") & (scan["status"] == "ok")] for key, scan in chosen.items()
        }
        tables, verdicts = {}, {}
        total = sum(map(len, chosen.values()))
        with Progress("channel sums", total, log=context.log.info) as progress:
            for key, rows in chosen.items():
                known = parquet.find("channel_sums", key)
                paths, digests = folder.image_paths(rows["file"]), rows["sha256"].tolist()
                workers = settings.threads or usable_cores()
                tables[key] = channel_table(paths, digests, limits, workers, known, progress)
                verdicts[key] = [table_covers(tables[key], digests)]
        version = dg.DataVersion(content_version(pd.concat(tables.values(), ignore_index=True)))
        yield from publish(context, dg.MaterializeResult(value=tables, data_version=version), verdicts)

    return [channel_sums, dataset_statistics, augmentation_gallery]


@stage_asset("augmentation", "json", {"json"}, STATISTICS_CHECKS)
def dataset_statistics(context: dg.AssetExecutionContext, channel_sums: Scans) -> Iterator[Any]:
    """Mean and standard deviation of red, green and blue over the train images, 0 to 1, exact for any shards.

    `pixel_*` pools all pixels; `image_*` is the mean over images of each image's figures, as the document computes it.
    """
    from rakuten_assets.dataset.statistics import (
        ChannelSums,
        comparison,
        statistics_of,
        statistics_plausible,
        sums_of_table,
    )

    statistics = statistics_of(sum(map(sums_of_table, channel_sums.values()), ChannelSums()))
    value = {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(statistics).items()}
    beside = pd.DataFrame(comparison(statistics)).round(4)
    result = dg.MaterializeResult(
        value=value,
        metadata={"images": statistics.images, "beside ImageNet": table(beside)},
        data_version=dg.DataVersion(sha256_of_bytes(repr(value).encode())),
    )
    rows = sum(map(len, channel_sums.values()))
    yield from publish(context, result, [statistics_plausible(statistics, rows)])


@stage_asset("augmentation", "json", {"json", "png"}, {})
def augmentation_gallery(
    context: dg.AssetExecutionContext, image_scan: Scans, settings: dg.ResourceParam[Settings]
) -> Iterator[Any]:
    """Every transform and policy, drawn on a light and a dark product. Published as `augmentation_gallery.png`."""
    from rakuten_assets.augmentation.examples import typical_products
    from rakuten_assets.augmentation.gallery import Example, gallery_png

    limits = DecodeLimits(settings.max_file_bytes, settings.max_pixels)
    products = typical_products(pd.concat(image_scan.values(), ignore_index=True))
    paths = open_catalog(settings).image_paths(file for file, _ in products)
    examples = [
        Example(caption, decode_rgb(path.read_bytes(), limits))
        for path, (_, caption) in zip(paths, products, strict=True)
    ]
    content = gallery_png(examples)
    target = Storage(settings.storage, settings.shards).output_file(GALLERY_FILE)
    write_bytes(target, content)
    digest = sha256_of_bytes(content)
    result = dg.MaterializeResult(
        value={"file": GALLERY_FILE, "sha256": digest, "products": dict(products)},
        metadata={"gallery": dg.MetadataValue.path(str(target)), "products": [text for _, text in products]},
        data_version=dg.DataVersion(digest),
    )
    yield from publish(context, result, [])
