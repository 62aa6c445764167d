"""What is the matter with the images together: duplicates, label conflicts, leakage, oddities, in one report."""

from typing import Any

import dagster as dg
import pandas as pd

from rakuten_assets.dataset.contract import content_version
from rakuten_assets.defs.catalog.checks import GROUP_CHECKS, REPORT_CHECKS
from rakuten_assets.defs.catalog.metadata import groups_metadata, report_metadata, with_findings
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.integrity.validation import (
    GROUPED_COLUMNS,
    ReportLimits,
    groups_complete,
    in_manifest_order,
    refuse_failed_scans,
    report_verdicts,
    summary_version,
)
from rakuten_assets.runtime.machine import release_free_memory, usable_cores
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage

Scans = dict[str, pd.DataFrame]


# Both go before the features, which take most of a run's time: what is the matter with the images is known first.
# It also keeps the report's peak of memory apart from what inference engines leave behind.
@stage_asset(
    "catalog",
    "parquet",
    {"pandas"},
    GROUP_CHECKS,
    reads={"image_scan": GROUPED_COLUMNS},
    exclusive=True,
    sooner=True,
)
def duplicate_groups(
    context: dg.AssetExecutionContext,
    image_manifest: pd.DataFrame,
    image_scan: Scans,
    settings: dg.ResourceParam[Settings],
    storage: dg.ResourceParam[Storage],
) -> Gives[pd.DataFrame]:
    """Group of each image at three levels: same bytes, same pixels, same picture (near-duplicates, verified on pixels).

    A group's id is part of its smallest sha256: the same from run to run. Splits that keep a group on one side do not
    leak.
    """
    # Its kernels are compiled: not at start-up.
    from rakuten_assets.integrity.duplicates import groups

    refuse_failed_scans(image_scan, settings.unreadable_warn, settings.unreadable_fail)
    images = in_manifest_order(image_manifest, image_scan)
    paths = open_catalog(settings).image_paths(images["file"])
    workers = settings.threads or usable_cores()
    memory = storage.cache / "near_pairs"
    found = groups.duplicate_groups(images, paths, workers=workers, memory=memory, log=context.log.info)
    result = dg.MaterializeResult(
        value=found,
        metadata=groups_metadata(found),
        data_version=dg.DataVersion(content_version(found.reset_index(drop=True))),
    )
    yield from publish(context, result, [groups_complete(found, images)])


@stage_asset(
    "catalog",
    "json",
    {"html", "json"},
    REPORT_CHECKS,
    only_warn=REPORT_CHECKS,
    exclusive=True,
    sooner=True,
    fresh=True,
)
def integrity_report(
    context: dg.AssetExecutionContext,
    image_manifest: pd.DataFrame,
    image_scan: Scans,
    duplicate_groups: pd.DataFrame,
    settings: dg.ResourceParam[Settings],
    storage: dg.ResourceParam[Storage],
) -> Gives[dict[str, Any]]:
    """Everything that is the matter with the images, with counts, pictures and what to do about it.

    Published as `integrity_report/`: `report.html` (opens from disk), `findings.csv` and `duplicates.csv` (to act
    on), `images.parquet`, `summary.json`.
    """
    from rakuten_assets.integrity.collection import unlisted_files
    from rakuten_assets.integrity.reporting.report import build_report, write_report

    refuse_failed_scans(image_scan, settings.unreadable_warn, settings.unreadable_fail)
    images = in_manifest_order(image_manifest, image_scan)
    release_free_memory()
    folder = open_catalog(settings)
    report = build_report(
        images,
        duplicate_groups,
        folder.image_paths(images["file"]),
        title="Image integrity of the catalogue",
        unlisted=unlisted_files(folder, images["file"]),
        compare_with_real=not settings.is_synthetic,
        workers=settings.threads or usable_cores(),
    )
    release_free_memory()
    written = write_report(report, storage.output_file("integrity_report"))
    result = dg.MaterializeResult(
        value=report.summary,
        metadata=report_metadata(report, written),
        data_version=dg.DataVersion(summary_version(report.summary)),
    )
    limits = ReportLimits(
        blank=settings.blank_warn,
        duplicate=settings.duplicate_warn,
        conflict=settings.conflict_warn,
        twin=settings.twin_warn,
        odd=settings.odd_warn,
        drift=settings.drift_warn,
    )
    verdicts = with_findings(report_verdicts(report.summary, limits), report, written)
    yield from publish(context, result, verdicts)
