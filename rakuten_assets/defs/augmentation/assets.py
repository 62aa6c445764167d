"""What training needs to know of the images: their channels' statistics, and what the augmentations do to them."""

import time
from dataclasses import asdict

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.defs.augmentation.checks import STATISTICS_CHECKS, SUMS_CHECKS
from rakuten_assets.defs.augmentation.metadata import gallery_metadata, statistics_metadata, sums_metadata
from rakuten_assets.defs.io_managers.base import Stored
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.integrity.validation import SHARE_COLUMNS, refuse_failed_scans
from rakuten_assets.outputs.names import GALLERY_FILE
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.runtime.progress import Progress, paced
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_bytes, sha256_of_json, write_bytes

Scans = dict[str, pd.DataFrame]

_OF_CHANNELS = {"red": "of the red bytes", "green": "of the green bytes", "blue": "of the blue bytes"}
SUMS_COLUMNS = {
    "sha256": "of the image file",
    "pixels": "of the image",
    **{name: f"sum {text}" for name, text in _OF_CHANNELS.items()},
    **{f"{name}_squares": f"sum of the squares {text}" for name, text in _OF_CHANNELS.items()},
}


def build_augmentation(shards: ShardPartitions) -> list[dg.AssetsDefinition]:
    """The stage's assets, over a set of shards."""

    @stage_asset(
        "augmentation",
        "parquet",
        {"pandas"},
        SUMS_CHECKS,
        shards=shards,
        reads={"image_scan": (*SHARE_COLUMNS, "sha256")},
        columns=SUMS_COLUMNS,
        exclusive=True,
    )
    def channel_sums(
        context: dg.AssetExecutionContext,
        image_scan: Scans,
        settings: dg.ResourceParam[Settings],
        parquet: dg.ResourceParam[ParquetIOManager],
    ) -> Gives[dict[str, Stored]]:
        """One row a train image that decodes whole: sums and sums of squares of its red, green and blue, whole numbers.

        An image whose bytes were summed before is not decoded again.
        """
        from rakuten_assets.dataset.statistics import channel_table, table_covers

        refuse_failed_scans(image_scan, settings.unreadable_warn, settings.unreadable_fail)
        folder, workers = open_catalog(settings), settings.threads or usable_cores()
        chosen = {
            key: scan[(scan["split"] == "train") & (scan["status"] == "ok")]
            for key, scan in sorted(image_scan.items())
        }
        stored, verdicts, versions = {}, {}, {}
        total, log = sum(map(len, chosen.values())), paced(context.log.info)
        with Progress("channel sums", total, log=log) as progress:
            for key, rows in chosen.items():
                started, known = time.monotonic(), parquet.find("channel_sums", key)
                digests = rows["sha256"].tolist()
                paths = folder.image_paths(rows["file"])
                table = channel_table(paths, digests, settings.limits, workers, known, progress)
                # Stored shard by shard: a run that is killed keeps what it has.
                stored[key] = parquet.store("channel_sums", key, table)
                versions[key] = content_version(table)
                verdicts[key] = [table_covers(table, digests)]
                about = sums_metadata(table, time.monotonic() - started)
                context.add_asset_metadata(about, partition_key=key)
        result = dg.MaterializeResult(value=stored)
        yield from publish(context, result, verdicts, versions=versions)

    return [channel_sums, dataset_statistics, augmentation_gallery]


@stage_asset("augmentation", "json", {"json"}, STATISTICS_CHECKS, light=True)
def dataset_statistics(context: dg.AssetExecutionContext, channel_sums: Scans) -> Gives[dict[str, object]]:
    """Mean and standard deviation of red, green and blue over the train images, 0 to 1, exact for any shards.

    `pixel_*` pools all pixels; `image_*` is the mean over images of each image's figures, as the document computes it.
    """
    from rakuten_assets.dataset.statistics import (
        ChannelSums,
        statistics_of,
        statistics_plausible,
        sums_of_table,
    )

    statistics = statistics_of(sum(map(sums_of_table, channel_sums.values()), ChannelSums()))
    value = {name: list(one) if isinstance(one, tuple) else one for name, one in asdict(statistics).items()}
    result = dg.MaterializeResult(
        value=value,
        metadata=statistics_metadata(statistics),
        data_version=dg.DataVersion(sha256_of_json(value)),
    )
    rows = sum(map(len, channel_sums.values()))
    yield from publish(context, result, [statistics_plausible(statistics, rows)])


@stage_asset("augmentation", "json", {"json", "png"}, {}, reused=True)
def augmentation_gallery(
    context: dg.AssetExecutionContext,
    image_scan: Scans,
    settings: dg.ResourceParam[Settings],
    storage: dg.ResourceParam[Storage],
) -> Gives[dict[str, object]]:
    """Every transform, policy and way of mixing, drawn on a product of the lightest class and one of the darkest.
    Published as `augmentation_gallery.png`.
    """
    from rakuten_assets.augmentation import gallery
    from rakuten_assets.augmentation.examples import read_examples, typical_products

    refuse_failed_scans(image_scan, settings.unreadable_warn, settings.unreadable_fail)
    scanned = pd.concat(image_scan.values(), ignore_index=True)
    products = typical_products(scanned)
    paths = open_catalog(settings).image_paths(file for file, _ in products)
    captions = [caption for _, caption in products]
    train = scanned[scanned["split"] == "train"]
    digest_of = dict(zip(train["file"], train["sha256"], strict=True))
    digests = [digest_of[file] for file, _ in products]
    content = gallery.gallery_png(read_examples(paths, captions, settings.limits, digests))
    file, digest = storage.output_file(GALLERY_FILE), sha256_of_bytes(content)
    write_bytes(file, content)
    result = dg.MaterializeResult(
        value={"file": GALLERY_FILE, "sha256": digest, "products": dict(products)},
        metadata=gallery_metadata(content, captions, file),
        data_version=dg.DataVersion(digest),
    )
    yield from publish(context, result, [])
