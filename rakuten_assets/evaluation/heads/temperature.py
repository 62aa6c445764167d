"""Temperature scaling: one number by which logits are divided, so that confidence is the share of hits.

Source: Guo et al., "On calibration of modern neural networks", 2017.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.head import log_loss

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The temperature with the smallest loss on logits that were predicted out of fold.

    Args:
        logits: (n, C), of rows on which the head was not trained.
        labels: whole numbers (n,).

    Returns:
        LOWEST to HIGHEST. It changes no prediction, only its probability.

    Raises:
        CatalogError: without a row.
    """
    from scipy.optimize import minimize_scalar

    values, classes = np.asarray(logits, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    if not len(values):
        raise CatalogError("a temperature needs at least one row of logits; all rows are invalid")
    found = minimize_scalar(
        lambda logarithm: log_loss(values, classes, exp(logarithm)),
        bounds=(log(LOWEST), log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return exp(float(found.x))
