"""One extractor's head: what it predicts of rows that it did not see, the head itself, and the test rows."""

import time

import dagster as dg
import numpy as np
import pandas as pd

from rakuten_assets.defs.evaluation.checks import HEAD_CHECKS, HELD_OUT_CHECKS, PREDICTION_CHECKS
from rakuten_assets.defs.evaluation.metadata import head_metadata, held_out_metadata, predictions_metadata
from rakuten_assets.defs.evaluation.names import evaluation_folder
from rakuten_assets.defs.features.metadata import extractor_metadata
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.errors import StoreError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.inputs import codes_of, train_groups
from rakuten_assets.evaluation.predictions import predict_test, probability_table, submission_csv
from rakuten_assets.extraction.metadata import fingerprint_digest
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.runtime.progress import paced
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_bytes, write_bytes
from rakuten_assets.storage.tables import write_table

# From evaluation, modules with solvers are imported inside: they bring scipy or torch.


def build_heads(spec: ExtractorSpec) -> list[dg.AssetsDefinition]:
    """The assets, under the extractor's name."""
    prefix = spec.backbone.family

    @stage_asset(
        "evaluation",
        "parquet",
        {"scipy"},
        HELD_OUT_CHECKS,
        prefix=prefix,
        own=["train_feature_matrix"],
        exclusive=True,
        reused=True,
    )
    def held_out_predictions(
        context: dg.AssetExecutionContext,
        train_feature_matrix: FeatureArray,
        train_labels: np.ndarray,
        label_encoder: dict[str, int],
        duplicate_groups: pd.DataFrame,
        random_split: np.ndarray,
        grouped_split: np.ndarray,
    ) -> Gives[pd.DataFrame]:
        """Calibrated class probabilities of train rows by heads that did not see them: on the customary split, on the
        grouped split, and out of grouped folds (every row once). Column by column: evaluation, row, fold, valid,
        penalty, temperature, then a class each.
        """
        from rakuten_assets.evaluation import held_out
        from rakuten_assets.evaluation.verdicts import held_out_complete

        started, codes, groups = time.monotonic(), codes_of(label_encoder), train_groups(duplicate_groups)
        found = held_out.held_out_predictions(
            train_feature_matrix.array,
            train_labels,
            groups,
            train_feature_matrix.valid,
            {held_out.RANDOM: random_split, held_out.GROUPED: grouped_split},
            codes,
            log=paced(context.log.info),
        )
        value = held_out.held_out_table(found, codes)
        result = dg.MaterializeResult(
            value=value,
            metadata={
                **extractor_metadata(train_feature_matrix.fingerprint),
                **held_out_metadata(found, time.monotonic() - started),
            },
            data_version=dg.DataVersion(held_out.content_version(found)),
        )
        yield from publish(context, result, held_out_complete(found, len(train_labels), groups))

    @stage_asset(
        "evaluation",
        "head",
        {"safetensors"},
        HEAD_CHECKS,
        prefix=prefix,
        own=["train_feature_matrix", "held_out_predictions"],
        only_warn=HEAD_CHECKS,
        exclusive=True,
        reused=True,
    )
    def head(
        context: dg.AssetExecutionContext,
        train_feature_matrix: FeatureArray,
        held_out_predictions: pd.DataFrame,
        train_labels: np.ndarray,
        label_encoder: dict[str, int],
        duplicate_groups: pd.DataFrame,
        storage: dg.ResourceParam[Storage],
    ) -> Gives[Head]:
        """Multinomial logistic regression on standardised features, fitted on all valid train rows, with the penalty
        and the temperature of the held-out predictions. Safetensors and JSON; `load_head` reads it, and
        `python -m rakuten_assets.predict` applies it to any folder of pictures.
        """
        from rakuten_assets.evaluation.heads.logistic import fit_logistic
        from rakuten_assets.evaluation.heads.storing import head_version
        from rakuten_assets.evaluation.held_out import IN_FOLDS, held_out_of
        from rakuten_assets.evaluation.verdicts import head_converged

        predicted = held_out_of(held_out_predictions, IN_FOLDS)
        fitted = fit_logistic(
            train_feature_matrix.array,
            train_labels,
            train_groups(duplicate_groups),
            train_feature_matrix.valid,
            codes=codes_of(label_encoder),
            penalties=(predicted.penalty,),
            fingerprint=fingerprint_digest(train_feature_matrix.fingerprint),
        ).with_temperature(predicted.temperature)
        folder = storage.asset_file([prefix, "head"], None, ".json").parent
        result: dg.MaterializeResult[Head] = dg.MaterializeResult(
            value=fitted,
            metadata={
                **extractor_metadata(train_feature_matrix.fingerprint),
                **head_metadata(fitted, str(folder)),
            },
            data_version=dg.DataVersion(head_version(fitted)),
        )
        yield from publish(context, result, [head_converged(fitted)])

    @stage_asset(
        "evaluation",
        None,
        {"csv", "parquet"},
        PREDICTION_CHECKS,
        prefix=prefix,
        own=["test_feature_matrix", "head"],
        reused=True,
    )
    def test_predictions(
        context: dg.AssetExecutionContext,
        test_feature_matrix: FeatureArray,
        head: Head,
        image_manifest: pd.DataFrame,
        storage: dg.ResourceParam[Storage],
    ) -> Gives[None]:
        """The file to submit (`,prdtypecode`, a line a test row), and the probabilities of every class beside it, in
        the extractor's folder of the outputs. Rows without features are predicted by the classes' shares, and listed.
        """
        from rakuten_assets.evaluation.reporting.files import PROBABILITIES_FILE, SUBMISSION_FILE
        from rakuten_assets.evaluation.verdicts import predictions_complete

        index = test_feature_matrix.rows["index"].to_numpy(dtype=np.int64)
        _refuse_other_features(head, test_feature_matrix)
        found = predict_test(head, test_feature_matrix.array, index, test_feature_matrix.valid)
        asked = image_manifest.loc[image_manifest["split"] == "test", "index"].to_numpy(dtype=np.int64)
        verdicts = predictions_complete(found, asked)
        folder = evaluation_folder(storage, spec.backbone)
        submission, probabilities = folder / SUBMISSION_FILE, folder / PROBABILITIES_FILE
        content = submission_csv(found)
        if not any(verdict.stops for verdict in verdicts):
            # The submission is last: where it lies, what it was made of does too.
            write_table(probabilities, probability_table(found))
            write_bytes(submission, content)
        result: dg.MaterializeResult[None] = dg.MaterializeResult(
            metadata={
                **extractor_metadata(test_feature_matrix.fingerprint),
                **predictions_metadata(found, submission, probabilities),
            },
            data_version=dg.DataVersion(sha256_of_bytes(content)),
        )
        yield from publish(context, result, verdicts)

    return [held_out_predictions, head, test_predictions]


def _refuse_other_features(head: Head, features: FeatureArray) -> None:
    """A head is of use for the features of its own extractor only."""
    if head.fingerprint != fingerprint_digest(features.fingerprint):
        raise StoreError(
            "the head was trained on features of another extractor than the test features; materialise the features "
            "of both splits and the head again, on one kind of machine"
        )
