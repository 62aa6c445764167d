"""What images there are (the manifest), and what each of them is (the scan, by shard)."""

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.dataset.manifest import COLUMN_DESCRIPTIONS, build_manifest
from rakuten_assets.dataset.validation import catalog_consistent, manifest_complete
from rakuten_assets.defs.catalog.checks import MANIFEST_CHECKS, SCAN_CHECKS
from rakuten_assets.defs.catalog.metadata import manifest_metadata, scan_metadata
from rakuten_assets.defs.io_managers.base import Stored
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.raw.files import IMAGES
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.defs.verdicts import Gives, publish, refuse
from rakuten_assets.integrity.reading.schema import SCAN_VERSION, column_descriptions
from rakuten_assets.integrity.validation import scan_content, scan_verdicts
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.settings import Settings
from rakuten_assets.source import catalog_signature, image_versions, open_catalog
from rakuten_assets.storage import Storage


@stage_asset(
    "catalog",
    "parquet",
    {"pandas"},
    MANIFEST_CHECKS,
    deps=IMAGES.values(),
    columns=COLUMN_DESCRIPTIONS,
    light=True,
)
def image_manifest(
    context: dg.AssetExecutionContext,
    x_train: pd.DataFrame,
    y_train: pd.DataFrame,
    x_test: pd.DataFrame,
    settings: dg.ResourceParam[Settings],
) -> Gives[pd.DataFrame]:
    """One row an image: split, row, index, ids, file, class code, shard. Train rows, then test rows, in CSV order.

    A row's shard is a stable hash of its ids: rows added or replaced later leave all others where they are.
    """
    consistent = catalog_consistent(x_train, y_train, x_test)
    if consistent.stops:
        yield from refuse(context, consistent)
    folder = open_catalog(settings, context.log.info)
    images = image_versions(folder)
    manifest = build_manifest(x_train, y_train, x_test, settings.shards)
    result = dg.MaterializeResult(
        value=manifest,
        metadata=manifest_metadata(manifest, folder, catalog_signature(folder, images)),
        data_version=dg.DataVersion(content_version(manifest)),
    )
    complete = manifest_complete(manifest, x_train, x_test, settings.shards)
    seen = {IMAGES[split]: version for split, version in images.items()}
    yield from publish(context, result, [consistent, complete], read=seen)


def build_image_scan(shards: ShardPartitions) -> dg.AssetsDefinition:
    """The scan, over a set of shards."""

    @stage_asset(
        "catalog",
        "parquet",
        {"pandas"},
        SCAN_CHECKS,
        code_version=f"1-{SCAN_VERSION}",
        shards=shards,
        columns={**COLUMN_DESCRIPTIONS, **column_descriptions()},
        exclusive=True,
    )
    def image_scan(
        context: dg.AssetExecutionContext,
        image_manifest: pd.DataFrame,
        settings: dg.ResourceParam[Settings],
        storage: dg.ResourceParam[Storage],
        parquet: dg.ResourceParam[ParquetIOManager],
    ) -> Gives[dict[str, Stored]]:
        """One row an image: does it decode whole (strictly), and if not, why; size, mode, hashes, statistics, borders.

        A bad image is a row with a reason code, never an error and never a silent zero. A file whose bytes were
        scanned before is not decoded again, and a bucket's object that is still the same version is not read again. To
        repair: replace the file, then materialise its shard.
        """
        # Its kernels are compiled: not at start-up.
        from rakuten_assets.integrity.reading.shards import scan_shards

        folder = open_catalog(settings)
        scans = scan_shards(
            image_manifest,
            sorted(context.partition_keys),
            folder,
            settings.limits,
            settings.threads or usable_cores(),
            earlier=lambda key: parquet.find("image_scan", key),
            journal=storage.cache / "scan",
            listings=storage.cache / "listings",
            log=context.log.info,
        )
        stored, verdicts, versions = {}, {}, {}
        for scan in scans:
            stored[scan.key] = parquet.store("image_scan", scan.key, scan.table)
            versions[scan.key] = scan_content(scan.table)
            verdicts[scan.key] = scan_verdicts(
                scan.table,
                scan.rows,
                settings.unreadable_warn,
                settings.unreadable_fail,
                folder.seen_elsewhere,
            )
            context.add_asset_metadata(scan_metadata(scan, folder), partition_key=scan.key)
        result = dg.MaterializeResult(value=stored)
        yield from publish(context, result, verdicts, store_failures=True, versions=versions)

    return image_scan
