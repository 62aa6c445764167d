"""Class codes as labels, and the weights that make every class count the same."""

import dagster as dg
import numpy as np
import pandas as pd

from rakuten_assets.dataset.contract import LABEL_COLUMN, codes_of_rows
from rakuten_assets.dataset.labels import CLASS_NAMES, encode_labels, fit_label_encoder
from rakuten_assets.dataset.validation import encoder_is_bijection, labels_match_rows, weights_are_balanced
from rakuten_assets.defs.labels.checks import ENCODER_CHECKS, LABEL_CHECKS, WEIGHT_CHECKS
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.presentation import class_on_axis, picture, table
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.imbalance.class_weights import balanced_class_weights
from rakuten_assets.plots import bars_png
from rakuten_assets.storage.arrays import array_version


@stage_asset("labels", "json", {"json"}, ENCODER_CHECKS, light=True)
def label_encoder(context: dg.AssetExecutionContext, y_train: pd.DataFrame) -> Gives[dict[str, int]]:
    """Class code -> label 0 to n-1, in the numeric order of the codes (as text, "1140" would precede "40")."""
    encoder = fit_label_encoder(y_train[LABEL_COLUMN])
    rows = pd.DataFrame(
        [(code, label, CLASS_NAMES.get(code, "")) for code, label in encoder.items()],
        columns=["code", "label", "unofficial name"],
    )
    result = dg.MaterializeResult(
        value={str(code): label for code, label in encoder.items()},
        metadata={"classes": len(encoder), "encoder": table(rows, rows=len(rows))},
    )
    yield from publish(context, result, [encoder_is_bijection(encoder, y_train[LABEL_COLUMN])])


@stage_asset("labels", "npy", {"numpy"}, LABEL_CHECKS, light=True)
def train_labels(
    context: dg.AssetExecutionContext,
    x_train: pd.DataFrame,
    y_train: pd.DataFrame,
    label_encoder: dict[str, int],
) -> Gives[np.ndarray]:
    """Label of each train row, int64 (n,), in the order of the product file."""
    encoder = {int(code): label for code, label in label_encoder.items()}
    codes = codes_of_rows(x_train, y_train)
    labels = encode_labels(codes, encoder)
    result = dg.MaterializeResult(
        value=labels,
        metadata={"dagster/row_count": len(labels), "classes": len(encoder)},
        data_version=dg.DataVersion(array_version(labels)),
    )
    yield from publish(context, result, [labels_match_rows(labels, codes, encoder)])


@stage_asset("labels", "npy", {"numpy"}, WEIGHT_CHECKS, light=True)
def class_weights(
    context: dg.AssetExecutionContext, train_labels: np.ndarray, label_encoder: dict[str, int]
) -> Gives[np.ndarray]:
    """Weight of each class in a loss, float64 (classes,): n / (classes * rows of the class)."""
    weights = balanced_class_weights(train_labels, len(label_encoder))
    names = [class_on_axis(int(code)) for code in label_encoder]
    chart = bars_png(names, weights.tolist(), "Class weights", "weight", value_format="{:.2f}")
    result = dg.MaterializeResult(
        value=weights,
        metadata={
            "smallest": float(weights.min()),
            "largest": float(weights.max()),
            "weights": picture(chart, "class weights"),
        },
        data_version=dg.DataVersion(array_version(weights)),
    )
    yield from publish(context, result, [weights_are_balanced(weights, train_labels)])
