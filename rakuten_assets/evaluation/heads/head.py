"""A head: what turns a row of features into probabilities of the classes.

head = load_head(folder)
probabilities = head.probabilities(features)
codes = head.codes[probabilities.argmax(axis=1)]
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.standardisation import Standardisation
from rakuten_assets.evaluation.inputs import BLOCK_ROWS, Doubles, Floats, Ints, checked_features

Kind = Literal["logistic", "mlp"]


@dataclass(frozen=True)
class Head:
    """A trained classifier on frozen features: standardised, then layers with ReLU between them, then softmax.

    Attributes:
        kind: "logistic" or "mlp".
        standardisation: of the training rows.
        layers: weight float32 (inputs, outputs) and bias float32 (outputs,) of each layer.
        codes: int64 (C,): class code of each label.
        prior: float64 (C,): the classes' shares of the training rows; the prediction where there are no features.
        temperature: by which logits are divided.
        fingerprint: of the extractor whose features it was trained on; "" if not known.
        details: how it was trained, as JSON.
    """

    kind: Kind
    standardisation: Standardisation
    layers: tuple[tuple[Floats, Floats], ...]
    codes: Ints
    prior: Doubles
    temperature: float = 1.0
    fingerprint: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def dimensions(self) -> int:
        return len(self.standardisation.mean)

    def logits(self, features: npt.ArrayLike, valid: npt.ArrayLike | None = None) -> Floats:
        """Logits before the temperature, float32 (n, C); those of the prior for invalid rows.

        Raises:
            CatalogError: for features of another number of dimensions, or not finite.
        """
        values, mask = checked_features(features, valid)
        if values.shape[1] != self.dimensions:
            raise CatalogError(
                f"the head was trained on {self.dimensions:,} dimensions, the features have {values.shape[1]:,}; "
                "extract them with the head's backbone"
            )
        found = np.empty((len(values), len(self.codes)), dtype=np.float32)
        for start in range(0, len(values), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            # Invalid rows may hold anything; they are replaced below.
            layer = self.standardisation.apply(np.where(mask[rows, None], values[rows], 0))
            for place, (weight, bias) in enumerate(self.layers):
                layer = (np.maximum(layer, 0) if place else layer) @ weight + bias
            found[rows] = layer
        found[~mask] = np.log(np.maximum(self.prior, 1e-30)) * self.temperature
        return found

    def probabilities(self, features: npt.ArrayLike, valid: npt.ArrayLike | None = None) -> Doubles:
        """Calibrated probabilities, float64 (n, C), each row sums to 1; the prior for invalid rows."""
        return softmax(self.logits(features, valid).astype(np.float64) / self.temperature)

    def predict(self, features: npt.ArrayLike, valid: npt.ArrayLike | None = None) -> Ints:
        """The most probable class code of each row, int64 (n,)."""
        chosen: Ints = self.codes[self.logits(features, valid).argmax(axis=1)]
        return chosen

    def with_temperature(self, temperature: float) -> Head:
        """The same head, calibrated."""
        return replace(self, temperature=float(temperature))


def softmax(logits: Doubles) -> Doubles:
    """Probabilities float64 (n, C) of logits (n, C).

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Doubles = powers / powers.sum(axis=1, keepdims=True)
    return found


def log_loss(logits: npt.ArrayLike, labels: Ints, temperature: float = 1.0) -> float:
    """Mean of -log p of the labels (n,) under logits (n, C)."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(scaled, np.asarray(labels)[:, None], axis=1)[:, 0]
    return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())
