"""Whether test looks like train, judged by the size of the difference: at 85,000 rows every p-value is tiny."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.bootstrap import holm
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.evaluation.heads.out_of_fold import out_of_fold
from rakuten_assets.evaluation.inputs import Doubles, Floats, Ints
from rakuten_assets.evaluation.leakage import SEED

Verdict = Literal["none", "small", "large"]

# An AUC of 0.5 is chance. Distances are the Kolmogorov-Smirnov statistic, 0 to 1.
SMALL_AUC, LARGE_AUC = 0.55, 0.70
SMALL_DISTANCE, LARGE_DISTANCE = 0.05, 0.15
_LIMITS = {"small": (SMALL_AUC, SMALL_DISTANCE), "large": (LARGE_AUC, LARGE_DISTANCE)}
SIGNIFICANCE = 0.05
MAX_ROWS = 30_000
_PENALTY = 0.1
_TELLING = 20


@dataclass(frozen=True)
class Drift:
    """Train against test.

    Attributes:
        auc: of a linear classifier that tells test from train, out of grouped folds; 0.5 is chance.
        telling_train, telling_test: rows that look most like the other split's opposite: surest train, surest test.
        distances: float64 (k,): Kolmogorov-Smirnov distance of each column compared.
        p_values: float64 (k,): adjusted by Holm.
        columns: what each column is.
        verdict: "none", "small" or "large", by effect size; a distance counts only where it is significant.
    """

    auc: float
    telling_train: Ints
    telling_test: Ints
    distances: Doubles
    p_values: Doubles
    columns: tuple[str, ...]
    verdict: Verdict

    @property
    def told(self) -> str:
        """The verdict and what decided it."""
        pairs = zip(self.distances.tolist(), self.p_values.tolist(), strict=True)
        return drift_told(self.verdict, self.auc, dict(zip(self.columns, pairs, strict=True)))


def drift(
    train: Floats,
    test: Floats,
    groups_train: npt.NDArray[np.generic],
    groups_test: npt.NDArray[np.generic],
    compared_train: Floats,
    compared_test: Floats,
    columns: tuple[str, ...],
    *,
    max_rows: int = MAX_ROWS,
    seed: int = SEED,
) -> Drift:
    """Compare valid rows of train and test.

    Args:
        train, test: float32 (n, d) and (m, d).
        groups_train, groups_test: group of duplicates of each row, numbered alike in both.
        compared_train, compared_test: float32 (n, k) and (m, k): leading components and head outputs.
        columns: name of each of the k.
        max_rows: the domain classifier takes at most as many rows of each, drawn by the seed.

    Raises:
        CatalogError: with fewer than two rows on a side.
    """
    from scipy.stats import ks_2samp

    if min(len(train), len(test)) < 2:
        raise CatalogError(
            f"{len(train):,} train and {len(test):,} test rows are valid; drift needs two of each"
        )
    random = np.random.default_rng(seed)
    chosen = [
        np.sort(random.choice(len(one), min(len(one), max_rows), replace=False)) for one in (train, test)
    ]
    features = np.concatenate([train[chosen[0]], test[chosen[1]]])
    domain = np.repeat([0, 1], [len(chosen[0]), len(chosen[1])])
    members = np.concatenate([groups_train[chosen[0]], groups_test[chosen[1]]])

    def fit(
        rows: Floats, labels: Ints, groups: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_]
    ) -> Head:
        return fit_logistic(rows, labels, groups, valid, codes=[0, 1], penalties=(_PENALTY,), seed=seed)

    folds = min(5, len(np.unique(members)))
    logits = out_of_fold(fit, features, domain, members, folds=folds, seed=seed).logits
    score = (logits[:, 1] - logits[:, 0]).astype(np.float64)
    auc = area_under_curve(score, domain)
    order = np.argsort(score, kind="stable")
    compared = [
        ks_2samp(compared_train[:, k], compared_test[:, k], method="asymp") for k in range(len(columns))
    ]
    distances = np.array([float(one.statistic) for one in compared])
    p_values = holm([float(one.pvalue) for one in compared])
    return Drift(
        auc=auc,
        telling_train=chosen[0][order[domain[order] == 0][:_TELLING]],
        telling_test=chosen[1][(order[domain[order] == 1] - len(chosen[0]))[::-1][:_TELLING]],
        distances=distances,
        p_values=p_values,
        columns=columns,
        verdict=_verdict(auc, float(distances[p_values < SIGNIFICANCE].max(initial=0.0))),
    )


def drift_told(verdict: Verdict, auc: float, columns: Mapping[str, tuple[float, float]]) -> str:
    """A verdict in words: what decided it, with its limit, and then the other measure.

    Args:
        columns: distance and adjusted p-value of each column compared.
    """
    level = "small" if verdict == "none" else verdict
    auc_limit, distance_limit = _LIMITS[level]
    by_auc = (
        f"a linear classifier tells test from train with an AUC of {auc:.3f} (chance: 0.5, {level} from "
        f"{auc_limit:.2f})"
    )
    # As in the verdict: a distance that chance explains decides nothing.
    distances = {name: distance for name, (distance, p_value) in columns.items() if p_value < SIGNIFICANCE}
    largest = max(distances, key=distances.__getitem__, default="")
    by_distance = (
        f"the Kolmogorov-Smirnov distance of {_described(largest)} is {distances[largest]:.3f} ({level} from "
        f"{distance_limit:.2f})"
        if largest
        else "no column has a significant Kolmogorov-Smirnov distance"
    )
    reached = {by_auc: auc >= auc_limit, by_distance: distances.get(largest, 0.0) >= distance_limit}
    deciding, other = (
        [text for text, reaches in reached.items() if reaches is wanted] for wanted in (True, False)
    )
    if verdict == "none" or not deciding:
        return f"{verdict}: {', and '.join(reached)}"
    return "; ".join([f"{verdict}, because {' and '.join(deciding)}", *other])


def _described(column: str) -> str:
    """What a column holds, for a reader who does not know the table: its names are short."""
    return f"the head's probability of {column}" if column.startswith("class ") else f"principal {column}"


def area_under_curve(scores: Doubles, positive: npt.ArrayLike) -> float:
    """Probability that a positive row scores above a negative one, ties half (Mann-Whitney): 0 to 1."""
    truth = np.asarray(positive, dtype=bool)
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]
    many, few = int(truth.sum()), int((~truth).sum())
    if not many or not few:
        return 0.5
    return float((ranks[truth].sum() - many * (many + 1) / 2) / (many * few))


def _verdict(auc: float, distance: float) -> Verdict:
    if auc >= LARGE_AUC or distance >= LARGE_DISTANCE:
        return "large"
    return "small" if auc >= SMALL_AUC or distance >= SMALL_DISTANCE else "none"
