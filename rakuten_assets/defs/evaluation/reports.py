"""What one extractor's features and head are worth: scores, suspect labels, quality, and unequal classes."""

import dagster as dg
import numpy as np
import pandas as pd

from rakuten_assets.defs.evaluation.checks import QUALITY_CHECKS, REPORT_CHECKS, SUSPECT_CHECKS
from rakuten_assets.defs.evaluation.metadata import (
    comparison_metadata,
    quality_metadata,
    report_metadata,
    suspects_metadata,
)
from rakuten_assets.defs.evaluation.names import evaluation_folder
from rakuten_assets.defs.features.metadata import extractor_metadata
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.inputs import codes_of, groups_of, train_groups
from rakuten_assets.extraction.metadata import weights_note, weights_sha256
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.pages.spreadsheet import csv_bytes
from rakuten_assets.runtime.progress import paced
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_bytes, sha256_of_json, write_bytes

# From evaluation, modules with solvers are imported inside: they bring scipy or torch.


def build_reports(spec: ExtractorSpec) -> list[dg.AssetsDefinition]:
    """The assets, under the extractor's name."""
    prefix = spec.backbone.family

    @stage_asset(
        "evaluation",
        "json",
        {"html", "json"},
        REPORT_CHECKS,
        prefix=prefix,
        own=["train_feature_matrix", "held_out_predictions"],
        fresh=True,
        reused=True,
    )
    def validation_report(
        context: dg.AssetExecutionContext,
        train_feature_matrix: FeatureArray,
        held_out_predictions: pd.DataFrame,
        train_labels: np.ndarray,
        label_encoder: dict[str, int],
        duplicate_groups: pd.DataFrame,
        settings: dg.ResourceParam[Settings],
        storage: dg.ResourceParam[Storage],
    ) -> Gives[dict[str, object]]:
        """What the head is worth, on the customary split and without leakage, side by side: accuracy, weighted F1 (the
        challenge's metric) and macro F1 with intervals over groups of duplicates, by class, confusion, calibration,
        the most confident mistakes, beside always saying the largest class. Published as
        `evaluation_<extractor>/report.html`, which opens from disk.
        """
        from rakuten_assets.evaluation.held_out import EVALUATIONS, held_out_of
        from rakuten_assets.evaluation.reporting.contents import build_report, summary
        from rakuten_assets.evaluation.reporting.files import mistakes_sheet, write_report
        from rakuten_assets.evaluation.verdicts import above_majority

        fingerprint, rows = train_feature_matrix.fingerprint, train_feature_matrix.rows
        report = build_report(
            {name: held_out_of(held_out_predictions, name) for name in EVALUATIONS},
            train_labels,
            train_groups(duplicate_groups),
            codes_of(label_encoder),
            extractor=spec.name,
            weights_note=weights_note(fingerprint),
            seeded=weights_sha256(fingerprint) is None,
        )
        mistakes = mistakes_sheet(report, rows, open_catalog(settings).image_paths(rows["file"]))
        written = write_report(report, mistakes, evaluation_folder(storage, spec.backbone))
        value = summary(report)
        result = dg.MaterializeResult(
            value=value,
            metadata=report_metadata(report, mistakes, written),
            data_version=dg.DataVersion(sha256_of_json(value)),
        )
        # A finding that one needs to see: it is stored whatever it says.
        yield from publish(context, result, [above_majority(report)], store_failures=True)

    @stage_asset(
        "evaluation",
        "parquet",
        {"csv", "pandas"},
        SUSPECT_CHECKS,
        prefix=prefix,
        own=["train_feature_matrix", "held_out_predictions"],
        only_warn=SUSPECT_CHECKS,
        columns={
            "row": "train row, in CSV order",
            "image_id": "of the image",
            "product_id": "of the product",
            "file": "the image's name",
            "code": "class that the label file says",
            "suggested": "class that the picture suggests",
            "label_probability": "of the label, out of folds",
            "suggested_probability": "of the suggestion, out of folds",
            "known_conflict": "whether the same picture has rows with other labels",
        },
        reused=True,
    )
    def suspect_labels(
        context: dg.AssetExecutionContext,
        train_feature_matrix: FeatureArray,
        held_out_predictions: pd.DataFrame,
        train_labels: np.ndarray,
        label_encoder: dict[str, int],
        duplicate_groups: pd.DataFrame,
        settings: dg.ResourceParam[Settings],
        storage: dg.ResourceParam[Storage],
    ) -> Gives[pd.DataFrame]:
        """Train rows whose label their picture contradicts, by confident learning on predictions out of grouped
        folds: no duplicate vouches for its twin. Known conflicts (pictures equal to the pixel, several classes) come
        first. Published as `evaluation_<extractor>/suspect_labels.csv` too.
        """
        from rakuten_assets.evaluation.held_out import IN_FOLDS, held_out_of
        from rakuten_assets.evaluation.reporting.files import SUSPECTS_FILE
        from rakuten_assets.evaluation.reporting.suspects import suspects_sheet, suspects_table
        from rakuten_assets.evaluation.verdicts import suspect_share

        predicted, rows = held_out_of(held_out_predictions, IN_FOLDS), train_feature_matrix.rows
        # Near-duplicates may differ in what tells their classes apart: a conflict is of pictures equal to the pixel.
        same = groups_of(duplicate_groups, "train", "pixel_group")
        found = suspects_table(predicted, train_labels, same, codes_of(label_encoder), rows)
        file = evaluation_folder(storage, spec.backbone) / SUSPECTS_FILE
        content = csv_bytes(found)
        write_bytes(file, content)
        sheet = suspects_sheet(found, rows, open_catalog(settings).image_paths(rows["file"]))
        result = dg.MaterializeResult(
            value=found,
            metadata={
                **extractor_metadata(train_feature_matrix.fingerprint),
                **suspects_metadata(found, sheet, file),
            },
            data_version=dg.DataVersion(sha256_of_bytes(content)),
        )
        yield from publish(context, result, [suspect_share(found, len(train_labels), settings.suspect_warn)])

    @stage_asset(
        "evaluation",
        "json",
        {"json"},
        QUALITY_CHECKS,
        prefix=prefix,
        own=["train_feature_matrix", "test_feature_matrix", "head"],
        only_warn=QUALITY_CHECKS,
        exclusive=True,
        reused=True,
    )
    def feature_quality(
        context: dg.AssetExecutionContext,
        train_feature_matrix: FeatureArray,
        test_feature_matrix: FeatureArray,
        head: Head,
        train_labels: np.ndarray,
        duplicate_groups: pd.DataFrame,
        settings: dg.ResourceParam[Settings],
    ) -> Gives[dict[str, object]]:
        """Whether features are fit to train on: value range, dead and constant dimensions, effective rank, spectrum,
        neighbours of the same class, different pictures with the same features; and test against train, by a linear
        classifier and by distances, judged by the size of the difference.
        """
        from rakuten_assets.defs.evaluation.telling import telling_pictures
        from rakuten_assets.evaluation.quality.document import quality_document
        from rakuten_assets.evaluation.quality.report import feature_quality as judge
        from rakuten_assets.evaluation.verdicts import alike, features_alive

        quality = judge(
            train_feature_matrix.array,
            train_labels,
            train_groups(duplicate_groups),
            train_feature_matrix.valid,
            test_features=test_feature_matrix.array,
            test_groups=groups_of(duplicate_groups, "test"),
            test_valid=test_feature_matrix.valid,
            head=head,
            log=paced(context.log.info),
        )
        value = quality_document(quality)
        result = dg.MaterializeResult(
            value=value,
            metadata={
                **extractor_metadata(train_feature_matrix.fingerprint),
                **quality_metadata(quality),
                **telling_pictures(
                    quality, train_feature_matrix.rows, test_feature_matrix.rows, open_catalog(settings)
                ),
            },
            data_version=dg.DataVersion(sha256_of_json(value)),
        )
        yield from publish(context, result, [features_alive(quality), alike(quality)])

    @stage_asset(
        "evaluation",
        "json",
        {"torch", "json"},
        {},
        prefix=prefix,
        own=["train_feature_matrix"],
        exclusive=True,
        reused=True,
    )
    def imbalance_comparison(
        context: dg.AssetExecutionContext,
        train_feature_matrix: FeatureArray,
        train_labels: np.ndarray,
        label_encoder: dict[str, int],
        duplicate_groups: pd.DataFrame,
        grouped_split: np.ndarray,
    ) -> Gives[dict[str, object]]:
        """The same linear head under each strategy against unequal classes (class weights, weighted sampler, focal
        loss, over- and undersampling, SMOTE), trained on training rows alone and scored on the validation rows of the
        grouped split, with intervals, and which differences are real.
        """
        from rakuten_assets.imbalance import comparison

        outcomes = comparison.imbalance_comparison(
            train_feature_matrix.array,
            train_labels,
            train_groups(duplicate_groups),
            train_feature_matrix.valid,
            validation=grouped_split,
            log=paced(context.log.info),
        )
        value: dict[str, object] = {"strategies": [comparison.outcome_document(one) for one in outcomes]}
        result = dg.MaterializeResult(
            value=value,
            metadata={
                **extractor_metadata(train_feature_matrix.fingerprint),
                **comparison_metadata(outcomes),
            },
            data_version=dg.DataVersion(sha256_of_json(value)),
        )
        yield from publish(context, result, [])

    return [validation_report, suspect_labels, feature_quality, imbalance_comparison]
