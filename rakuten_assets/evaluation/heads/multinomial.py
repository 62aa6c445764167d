"""Multinomial logistic regression: the solver.

Minimised is mean(weight_i * -log p(y_i | x_i)) + penalty / 2 * ||W||^2, the intercept free; scikit-learn's C is
1 / (penalty * n). L-BFGS runs in coordinates in which the curvature is nearly the same in every direction: the
eigenvectors V of X'X/n, each divided by the root of h * eigenvalue + penalty, with h = p (1 - p) of each class's share.
On features with the usual spectrum this needs several times fewer evaluations than on standardised ones.

An evaluation reads the rows once, block by block, in float32. Threads take chunks of blocks and use one core each,
which on a busy machine is several times faster than threads that wait for each other in every product; chunks are
summed in float64 and in order, and small products and eigenvectors take one thread, so that the number of threads does
not change a bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from rakuten_assets.evaluation.inputs import BLOCK_ROWS, Doubles, Floats, Ints
from rakuten_assets.runtime.machine import usable_cores

# Relative decrease of the objective, and largest element of its preconditioned gradient, at which it has converged.
# A tenth of it moved the validation loss by less than 5e-4 and took half as many evaluations again.
OBJECTIVE_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
MAX_ITERATIONS = 300
_MEMORY = 10
_RANK_TOLERANCE = 1e-9
_CHUNK_ROWS = 8 * BLOCK_ROWS
_TURNED_ROWS = 8 * BLOCK_ROWS


@dataclass(frozen=True)
class Coefficients:
    """A linear classifier: logits = X @ weight + bias.

    Attributes:
        weight: float64 (d, C).
        bias: float64 (C,).
        objective: the minimum that was reached.
        evaluations: of the objective and its gradient that it took.
        converged: whether a tolerance was met before the iterations ran out.
    """

    weight: Doubles
    bias: Doubles
    objective: float
    evaluations: int
    converged: bool


@dataclass(frozen=True)
class Spectrum:
    """Coordinates for L-BFGS.

    Attributes:
        values: float64 (r,), at least 0: eigenvalues of X'X/n.
        vectors: float64 (d, r): their orthonormal eigenvectors, a column each.
    """

    values: Doubles
    vectors: Doubles

    @property
    def whole(self) -> bool:
        """Whether the vectors are a basis of all d dimensions: then they serve other rows too, and the minimum is the
        same."""
        dimensions, count = self.vectors.shape
        return bool(dimensions == count)


class MultinomialRegression:
    """The regression on one set of rows, for any number of penalties.

    Args:
        features: standardised, float32 (n, d), C order.
        labels: int64 (n,), 0 to num_classes-1.
        row_weights: float64 (n,), each row's weight in the loss; None: 1.
        spectrum: whole, of similar rows, where one is known: with many dimensions to find it takes longer than the
            fit. None: of these rows.
    """

    def __init__(
        self,
        features: Floats,
        labels: Ints,
        num_classes: int,
        row_weights: Doubles | None = None,
        spectrum: Spectrum | None = None,
    ) -> None:
        import torch  # Its products of a tall and a narrow matrix take half of NumPy's time.

        self._torch = torch
        self._labels = torch.from_numpy(labels)
        self._num_classes = num_classes
        weights = np.ones(len(labels)) if row_weights is None else row_weights
        self._total = float(weights.sum())
        self._weights = None if row_weights is None else torch.from_numpy(weights.astype(np.float32))[:, None]
        mass = np.bincount(labels, weights=weights, minlength=num_classes) / self._total
        self._curvature = np.maximum(mass * (1 - mass), 1.0 / (4 * num_classes * num_classes))
        self._start = np.log(np.maximum(mass, 1e-6))
        self.spectrum = spectrum or _spectrum(features)
        self._values, self._vectors = self.spectrum.values, self.spectrum.vectors
        # Few rows are turned once; with many, turning the weights in every evaluation is cheap beside reading the rows.
        self._turned = len(labels) <= _TURNED_ROWS
        if self._turned:
            features = self._product(features, self._vectors.astype(np.float32))
        self._features = torch.from_numpy(features)

    def fit(
        self,
        penalty: float,
        start: Coefficients | None = None,
        max_iterations: int = MAX_ITERATIONS,
        tolerance: float = OBJECTIVE_TOLERANCE,
    ) -> Coefficients:
        """The minimum for a penalty.

        Args:
            penalty: at least 0, per row.
            start: coefficients to start from (of a neighbouring penalty); default: zero, with the classes' shares.
        """
        from scipy.optimize import minimize
        from threadpoolctl import threadpool_limits

        size, classes = len(self._values), self._num_classes
        scale = 1 / np.sqrt(self._values[:, None] * self._curvature + max(penalty, 1e-12))
        bias_scale = 1 / np.sqrt(self._curvature)
        evaluations = 0

        def coefficients(point: Doubles) -> tuple[Doubles, Doubles]:
            """Of the eigenvectors' coordinates, float64 (r, C), and the intercepts."""
            return point[: size * classes].reshape(size, classes) * scale, point[
                size * classes :
            ] * bias_scale

        def objective(point: Doubles) -> tuple[float, Doubles]:
            nonlocal evaluations
            evaluations += 1
            turned, bias = coefficients(point)
            if self._turned:
                loss, gradient, bias_gradient = self._loss(turned, bias)
            else:
                loss, gradient, bias_gradient = self._loss(self._product(self._vectors, turned), bias)
                gradient = self._product(self._vectors.T, gradient)
            # The eigenvectors are orthonormal: a weight is as long as its coordinates.
            loss += 0.5 * penalty * float(np.vdot(turned, turned))
            inner = (gradient + penalty * turned) * scale
            return loss, np.concatenate([inner.ravel(), bias_gradient * bias_scale])

        turned, bias = (
            (np.zeros((size, classes)), self._start)
            if start is None
            else (self._product(self._vectors.T, start.weight), start.bias)
        )
        first = np.concatenate([(turned / scale).ravel(), bias / bias_scale])
        # Its own vectors are too short to share: on a busy machine, threads that wait for each other in every one of
        # its sums took eight times as long.
        with threadpool_limits(1, "blas"):
            found: Any = minimize(
                objective,
                first,
                jac=True,
                method="L-BFGS-B",
                options={
                    "maxiter": max_iterations,
                    "maxcor": _MEMORY,
                    "ftol": tolerance,
                    "gtol": GRADIENT_TOLERANCE,
                },
            )
        turned, bias = coefficients(found.x)
        weight = self._product(self._vectors, turned)
        return Coefficients(weight, bias, float(found.fun), evaluations, found.status == 0)

    def _product(self, left: Any, right: Any) -> Any:
        return one_core_product(self._torch, left, right)

    def _loss(self, weight: Doubles, bias: Doubles) -> tuple[float, Doubles, Doubles]:
        torch = self._torch
        narrow, shift = torch.from_numpy(weight).float(), torch.from_numpy(bias).float()

        def of_chunk(start: int) -> tuple[float, Any, Any]:
            return self._chunk_loss(start, narrow, shift)

        loss = 0.0
        weight_gradient = torch.zeros((self._num_classes, len(weight)), dtype=torch.float64)
        bias_gradient = torch.zeros(self._num_classes, dtype=torch.float64)
        chunks = range(0, len(self._labels), _CHUNK_ROWS)
        with one_core_per_thread(torch), _threads(len(chunks)) as each:
            for one_loss, one_weight, one_bias in each(of_chunk, chunks):
                loss += one_loss
                weight_gradient += one_weight
                bias_gradient += one_bias
        return (
            loss / self._total,
            np.ascontiguousarray(weight_gradient.numpy().T) / self._total,
            bias_gradient.numpy() / self._total,
        )

    def _chunk_loss(self, begin: int, narrow: Any, shift: Any) -> tuple[float, Any, Any]:
        torch = self._torch
        loss = 0.0
        weight_gradient = torch.zeros((self._num_classes, len(narrow)), dtype=torch.float32)
        bias_gradient = torch.zeros(self._num_classes, dtype=torch.float64)
        end = min(begin + _CHUNK_ROWS, len(self._labels))
        with torch.inference_mode():
            for start in range(begin, end, BLOCK_ROWS):
                rows = slice(start, min(start + BLOCK_ROWS, end))
                block, labels = self._features[rows], self._labels[rows, None]
                logarithms = torch.log_softmax(torch.addmm(shift, block, narrow), dim=1)
                chosen = logarithms.gather(1, labels)
                residual = logarithms.exp_()
                residual.scatter_add_(1, labels, torch.full_like(chosen, -1.0))
                if self._weights is not None:
                    chosen = chosen * self._weights[rows]
                    residual *= self._weights[rows]
                loss -= float(chosen.sum(dtype=torch.float64))
                weight_gradient.addmm_(residual.T, block)
                bias_gradient += residual.sum(dim=0, dtype=torch.float64)
        return loss, weight_gradient.double(), bias_gradient


@contextmanager
def one_core_per_thread(torch: Any) -> Iterator[None]:
    """Within the block, torch's operations use one thread each: threads of our own share the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def one_core_product(torch: Any, left: Any, right: Any) -> Any:
    """left @ right as a NumPy array, the same to the bit whatever the number of threads: on one."""
    with one_core_per_thread(torch):
        # Memory of torch's own lies on a boundary of 64 bytes, on which its products depend.
        return (torch.from_numpy(left).clone() @ torch.from_numpy(right).clone()).numpy()


def one_core_eigenvectors(torch: Any, matrix: Doubles) -> tuple[Doubles, Doubles]:
    """Eigenvalues (d,), ascending, and eigenvectors (d, d), a column each, of a symmetric matrix: on one thread.

    With several their last bits differ, and on a busy machine threads that wait for each other take ten times as long.
    """
    with one_core_per_thread(torch):
        values, vectors = torch.linalg.eigh(torch.from_numpy(matrix).clone())
    return values.numpy(), vectors.numpy()


@contextmanager
def _threads(chunks: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """An ordered map over chunks, on as many threads as pay."""
    if min(chunks, usable_cores()) == 1:
        yield map
        return
    with ThreadPoolExecutor(min(chunks, usable_cores())) as threads:
        yield threads.map


def _spectrum(features: Floats) -> Spectrum:
    """All eigenvectors of X'X/n, or with fewer rows than dimensions those whose eigenvalue is not zero.

    These come from the smaller matrix XX'. The minimum lies in their span, since the penalty pulls every other
    direction to zero.
    """
    import torch

    rows, dimensions = features.shape
    if rows >= dimensions:
        values, vectors = one_core_eigenvectors(torch, (features.T @ features).astype(np.float64) / rows)
        return Spectrum(np.maximum(values, 0.0), np.ascontiguousarray(vectors))
    values, left = one_core_eigenvectors(torch, (features @ features.T).astype(np.float64) / rows)
    kept = values > values[-1] * _RANK_TOLERANCE
    turned = one_core_product(torch, features.T.astype(np.float64), np.ascontiguousarray(left[:, kept]))
    return Spectrum(values[kept], turned / np.sqrt(values[kept] * rows))
