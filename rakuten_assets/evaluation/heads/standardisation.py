"""Features with mean 0 and standard deviation 1, as the training rows have them and no other row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rakuten_assets.evaluation.inputs import BLOCK_ROWS, Floats, Ints


@dataclass(frozen=True)
class Standardisation:
    """What is subtracted from a row of features and by what it is divided.

    Attributes:
        mean: float32 (d,).
        scale: float32 (d,), positive; 1 for a dimension that is constant.
    """

    mean: Floats
    scale: Floats

    def apply(self, features: Floats) -> Floats:
        """Standardised float32 (n, d)."""
        scaled: Floats = (features - self.mean) / self.scale
        return scaled


def fit_standardisation(features: Floats, rows: Ints) -> Standardisation:
    """Mean and standard deviation over `rows` of features (n, d), in float64, in bounded memory."""
    count = max(len(rows), 1)
    mean = np.zeros(features.shape[1])
    for start in range(0, len(rows), BLOCK_ROWS):
        mean += features[rows[start : start + BLOCK_ROWS]].sum(axis=0, dtype=np.float64)
    mean /= count
    square = np.zeros_like(mean)
    for start in range(0, len(rows), BLOCK_ROWS):
        square += np.square(features[rows[start : start + BLOCK_ROWS]] - mean).sum(axis=0)
    deviation = np.sqrt(square / count)
    # A constant dimension is left with a deviation of rounding; dividing by it would make noise of it.
    constant = deviation <= 1e-7 * np.maximum(np.abs(mean), 1e-30)
    return Standardisation(
        mean.astype(np.float32), np.where(constant, 1.0, np.maximum(deviation, 1e-30)).astype(np.float32)
    )


def standardised_rows(features: Floats, rows: Ints, standardisation: Standardisation) -> Floats:
    """`rows` of the features, standardised: float32 (len(rows), d), C order.

    The memory is torch's, on a boundary of 64 bytes: then its products give the same bits in every run.
    """
    import torch

    chosen: Floats = torch.empty((len(rows), features.shape[1]), dtype=torch.float32).numpy()
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        chosen[block] = standardisation.apply(features[rows[block]])
    return chosen
