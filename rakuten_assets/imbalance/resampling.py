"""Training rows made more or fewer until every class has as many, by imbalanced-learn.

Hand in training rows only: a copy of a validation row, or a point between it and another, in train makes any score
on it worthless.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt

from rakuten_assets.evaluation.inputs import Floats, Ints, checked_features, checked_labels
from rakuten_assets.evaluation.leakage import SEED

Method = Literal["oversampling", "undersampling", "smote"]
NEIGHBOURS = 5


def resample(
    features: npt.ArrayLike, labels: npt.ArrayLike, method: Method, seed: int = SEED
) -> tuple[Floats, Ints]:
    """Resampled training rows.

    - oversampling: rows of smaller classes are drawn again until each is as large as the largest;
    - undersampling: each class keeps as many rows as the smallest has;
    - smote: new rows lie between a row and one of its nearest neighbours of the same class. A class too small for
      `NEIGHBOURS` neighbours is interpolated among those that it has; a class of one row is drawn again.

    Args:
        features: float32 (n, d).
        labels: whole numbers (n,).

    Returns:
        features float32 (m, d) and labels int64 (m,).

    Raises:
        CatalogError: for arrays that do not fit together.
    """
    values, _ = checked_features(features)
    classes = checked_labels(labels, len(values))
    counts = np.bincount(classes)
    if (counts > 0).sum() < 2:
        return values, classes
    if method == "smote":
        # A class of one row has no neighbour: it is drawn twice first, and interpolates to itself.
        alone = np.flatnonzero(np.isin(classes, np.flatnonzero(counts == 1)))
        values, classes = np.concatenate([values, values[alone]]), np.concatenate([classes, classes[alone]])
        return _smote(values, classes, seed)
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    sampler = {"oversampling": RandomOverSampler, "undersampling": RandomUnderSampler}[method]
    with _targets_are_classes():
        more, of = sampler(random_state=seed).fit_resample(values, classes)
    return np.ascontiguousarray(more, dtype=np.float32), np.asarray(of, dtype=np.int64)


@contextmanager
def _targets_are_classes() -> Iterator[None]:
    """On few rows scikit-learn asks whether the labels are a regression's targets. They are classes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        yield


def _smote(values: Floats, classes: Ints, seed: int) -> tuple[Floats, Ints]:
    from imblearn.over_sampling import SMOTE

    counts = np.bincount(classes)
    neighbours = np.minimum(NEIGHBOURS, counts - 1)
    made, labels = [values], [classes]
    # imbalanced-learn has one number of neighbours for all classes; a tiny one would make it small for the others too.
    for several in np.unique(neighbours[counts > 0])[::-1].tolist():
        wanted = {
            int(code): int(counts.max()) for code in np.flatnonzero((counts > 0) & (neighbours == several))
        }
        sampler = SMOTE(sampling_strategy=wanted, random_state=seed, k_neighbors=several)
        with _targets_are_classes():
            more, of = sampler.fit_resample(values, classes)
        made.append(more[len(values) :])
        labels.append(of[len(values) :])
    return np.ascontiguousarray(np.concatenate(made), dtype=np.float32), np.concatenate(labels).astype(
        np.int64
    )
