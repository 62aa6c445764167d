"""Feature vectors by shard, merged into matrices in CSV order, and the metadata of what is published."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.dataset.layout import Split
from rakuten_assets.dataset.manifest import shard_rows
from rakuten_assets.defs.features.checks import MATRIX_CHECKS, METADATA_CHECKS, SHARD_CHECKS
from rakuten_assets.defs.features.metadata import (
    extraction_metadata,
    extractor_metadata,
    matrix_metadata,
    outcome,
    published_metadata,
)
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.shards import ShardPartitions
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.extraction.extractors import Extractors
from rakuten_assets.extraction.metadata import (
    column_statistics,
    content_version,
    describe_outputs,
    metadata_verdict,
)
from rakuten_assets.extraction.preprocessing import DatasetNormalisation
from rakuten_assets.extraction.specification import ExtractorSpec, extractor_specs
from rakuten_assets.extraction.storing.features import (
    SCANNED_COLUMNS,
    FeatureArray,
    content_digest,
    extract_shard,
    shard_table,
)
from rakuten_assets.extraction.storing.matrix import merge_shards
from rakuten_assets.extraction.validation import (
    comparable_statistics,
    matrix_verdicts,
    shard_verdicts,
)
from rakuten_assets.integrity.validation import SHARE_COLUMNS, refuse_failed_scans
from rakuten_assets.runtime.progress import Progress, unfinished
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage, scratch_folder
from rakuten_assets.storage.arrays import array_version

Scans = dict[str, pd.DataFrame]
Shards = dict[str, FeatureArray]
_DIGITS = 12
Decorator = Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]


def build_features(settings: Settings, shards: ShardPartitions) -> list[dg.AssetsDefinition]:
    """The stage's assets: a family for each extractor of the settings."""
    return [asset for spec in extractor_specs(settings) for asset in build_family(spec, shards)]


def build_family(spec: ExtractorSpec, shards: ShardPartitions) -> list[dg.AssetsDefinition]:
    """One extractor's assets. Their key prefix is its name."""
    backbone = spec.backbone
    prefix = backbone.family
    engine = "openvino" if spec.engine == "auto" else spec.engine
    needs_statistics = isinstance(spec.preprocessing.normalisation, DatasetNormalisation)
    code_version = f"{backbone.family}-{spec.digest[:_DIGITS]}"

    def by_shard() -> Decorator:
        return stage_asset(
            "features",
            "features",
            {"numpy", engine},
            SHARD_CHECKS,
            prefix=prefix,
            code_version=code_version,
            shards=shards,
            reads={"image_scan": dict.fromkeys((*SHARE_COLUMNS, *SCANNED_COLUMNS))},
            deps=["dataset_statistics"] if needs_statistics else [],
            exclusive=True,
        )

    def whole(split: Split) -> Decorator:
        return stage_asset(
            "features",
            "features",
            {"numpy"},
            MATRIX_CHECKS,
            prefix=prefix,
            own=[f"{split}_features"],
        )

    @by_shard()
    def train_features(
        context: dg.AssetExecutionContext,
        image_manifest: pd.DataFrame,
        image_scan: Scans,
        settings: dg.ResourceParam[Settings],
        storage: dg.ResourceParam[Storage],
        extractors: dg.ResourceParam[Extractors],
    ) -> Gives[Shards]:
        """Feature vectors of the train images, float32 (n, dim) a shard, rows in manifest order.

        A vector is a function of the image's bytes and the extractor alone: one that was computed before is
        reused. An unreadable image keeps its row: exactly zero, and False in the validity mask.
        """
        yield from _features(
            context, spec, "train", image_manifest, image_scan, settings, storage, extractors
        )

    @by_shard()
    def test_features(
        context: dg.AssetExecutionContext,
        image_manifest: pd.DataFrame,
        image_scan: Scans,
        settings: dg.ResourceParam[Settings],
        storage: dg.ResourceParam[Storage],
        extractors: dg.ResourceParam[Extractors],
    ) -> Gives[Shards]:
        """Feature vectors of the test images, as `train_features`."""
        yield from _features(context, spec, "test", image_manifest, image_scan, settings, storage, extractors)

    @whole("train")
    def train_feature_matrix(
        context: dg.AssetExecutionContext,
        image_manifest: pd.DataFrame,
        train_features: Shards,
        train_valid: np.ndarray,
        train_labels: np.ndarray,
        storage: dg.ResourceParam[Storage],
    ) -> Gives[FeatureArray]:
        """All train features, float32 (n, dim), rows in CSV order.

        Merged from the shards block by block: neither they nor the matrix are ever held whole.
        """
        shards, mask = train_features, train_valid
        yield from _matrix(context, spec, "train", image_manifest, shards, mask, storage, train_labels)

    @whole("test")
    def test_feature_matrix(
        context: dg.AssetExecutionContext,
        image_manifest: pd.DataFrame,
        test_features: Shards,
        test_valid: np.ndarray,
        storage: dg.ResourceParam[Storage],
    ) -> Gives[FeatureArray]:
        """All test features, as `train_feature_matrix`."""
        yield from _matrix(context, spec, "test", image_manifest, test_features, test_valid, storage)

    @stage_asset(
        "features",
        "json",
        {"json"},
        METADATA_CHECKS,
        prefix=prefix,
        own=["train_feature_matrix", "test_feature_matrix"],
        only_warn=("comparable_statistics",),
    )
    def metadata(
        context: dg.AssetExecutionContext,
        train_feature_matrix: FeatureArray,
        test_feature_matrix: FeatureArray,
        label_encoder: dict[str, int],
        class_weights: np.ndarray,
        image_scan: Scans,
        settings: dg.ResourceParam[Settings],
    ) -> Gives[dict[str, Any]]:
        """What this extractor's published features are and how they were made."""
        document = describe_outputs(
            settings,
            train_feature_matrix,
            test_feature_matrix,
            label_encoder,
            class_weights,
            pd.concat(image_scan.values()),
        )
        result = dg.MaterializeResult(
            value=document,
            metadata={
                **published_metadata(document),
                **extractor_metadata(train_feature_matrix.fingerprint),
                "document": dg.MetadataValue.json(document),
            },
            data_version=dg.DataVersion(content_version(document)),
        )
        drift = comparable_statistics(
            column_statistics(train_feature_matrix), column_statistics(test_feature_matrix)
        )
        complete = metadata_verdict(document, train_feature_matrix, test_feature_matrix)
        yield from publish(context, result, [complete, drift])

    return [train_features, test_features, train_feature_matrix, test_feature_matrix, metadata]


def _features(
    context: dg.AssetExecutionContext,
    spec: ExtractorSpec,
    split: Split,
    manifest: pd.DataFrame,
    scans: Scans,
    settings: Settings,
    storage: Storage,
    extractors: Extractors,
) -> Gives[Shards]:
    refuse_failed_scans(scans, settings.unreadable_warn, settings.unreadable_fail)
    folder = open_catalog(settings)
    made, verdicts, reports = {}, {}, []
    what = f"{spec.name}, {split} features"
    tables = {key: shard_table(scan[scan["split"] == split]) for key, scan in scans.items()}
    with (
        scratch_folder(storage.root) as scratch,
        extractors.open(spec.name, context.log.info) as extractor,
        Progress(what, sum(map(len, tables.values())), log=context.log.info) as progress,
    ):
        for key, rows in tables.items():
            files, target = folder.image_paths(rows["file"]), scratch / f"{key}.npy"
            label, log = f"{what}, shard {key}", unfinished(context.log.info)
            made[key], report = extract_shard(extractor, files, rows, target, label, log)
            expected = shard_rows(manifest, key, split)
            verdicts[key] = shard_verdicts(made[key].array, rows, expected, extractor.feature_dim)
            context.add_asset_metadata(extraction_metadata(made[key], report, folder), partition_key=key)
            reports.append(report)
            progress.leave_out(report.waited)
            progress.advance(len(rows))
        progress.outcome = outcome(reports)
        about = extractor_metadata(extractor.fingerprint.as_dict(), extractor.describe())
        for key in made:  # Below the counts, which people look for first.
            context.add_asset_metadata(about, partition_key=key)
        result = dg.MaterializeResult(value=made)
        versions = {key: shard.content for key, shard in made.items()}
        yield from publish(context, result, verdicts, versions=versions)


def _matrix(
    context: dg.AssetExecutionContext,
    spec: ExtractorSpec,
    split: Split,
    manifest: pd.DataFrame,
    shards: Shards,
    mask: npt.NDArray[np.bool_],
    storage: Storage,
    labels: npt.NDArray[np.int64] | None = None,
) -> Gives[FeatureArray]:
    rows = manifest[manifest["split"] == split]
    with scratch_folder(storage.root) as scratch:
        merged = merge_shards(rows, shards, spec.name, scratch / f"{split}.npy")
        features = merged.features
        result = dg.MaterializeResult(
            value=features,
            metadata={
                **extractor_metadata(features.fingerprint),
                **matrix_metadata(merged, len(shards)),
            },
            data_version=dg.DataVersion(
                content_digest(features.record.sha256, array_version(features.valid))
            ),
        )
        yield from publish(context, result, matrix_verdicts(merged, mask, labels))
