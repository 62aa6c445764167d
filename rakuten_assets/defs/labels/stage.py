"""The stage as a whole: encoder, labels and weights."""

import dagster as dg

from rakuten_assets.defs.labels.assets import class_weights, label_encoder, train_labels


def build() -> dg.Definitions:
    """Definitions of the stage."""
    return dg.Definitions(assets=[label_encoder, train_labels, class_weights])
