"""What each backbone costs on this machine, beside what the document says of it, and the document's decision matrix.

Inference alone: prepared images in, features out, so that decoding and the store do not blur the difference. Every
backbone is converted in one process and measured in another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rakuten_assets.backbones import find_backbone
from rakuten_assets.benchmarks.extraction import Contestant, weights_to_measure
from rakuten_assets.benchmarks.measuring.memory import run_watched
from rakuten_assets.benchmarks.measuring.tables import markdown_table
from rakuten_assets.errors import SettingsError

COLUMNS = {
    "backbone": "",
    "engine": "engine",
    "parameters_m": "M parameters",
    "feature_dim": "features",
    "gmacs": "GMACs",
    "images_per_second": "images/s",
    "single_ms": "ms, one image",
    "load_seconds": "load s",
    "peak_mb": "peak MB",
    "document_ms": "document: CPU ms",
    "document_gb": "document: GB",
    "top1": "ImageNet top-1 %",
}
MATRIX_COLUMNS = {
    "backbone": "",
    "engine": "engine",
    "accuracy": "accuracy (25 %)",
    "speed": "CPU time (25 %)",
    "memory": "memory (20 %)",
    "dimension": "features (15 %)",
    "score": "of 10",
}
DOCUMENT = {
    "resnet18": (45, 1.2),
    "resnet50": (120, 2.5),
    "resnet101": (200, 4.2),
    "efficientnet_b0": (80, 1.0),
    "efficientnet_b3": (150, 2.0),
    "efficientnet_b7": (800, 8.0),
    "vit_b_16": (500, 6.0),
    "densenet121": (150, 1.5),
    "mobilenet_v3_large": (40, 0.8),
    "convnext_tiny": (180, 3.0),
}
"""The document's table 4.3: inference on a CPU (ms an image) and memory (GB)."""

WEIGHTS = {"accuracy": 0.25, "speed": 0.25, "memory": 0.20, "dimension": 0.15}
"""The document's matrix 4.4. Its fifth criterion, support (15 %), is nothing that can be measured: it is left out, and
the score is out of what the others weigh."""


def measure(
    names: Sequence[str],
    storage: Path,
    images: int,
    seconds: float,
    workers: int,
    chosen: Sequence[Contestant],
    log: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Measure backbones, each on every engine.

    Args:
        names: of the registry, or `timm:<name>`.
        storage: folder for weights and converted models.
        images: how many different prepared images there are.
        seconds: about how long the rate is taken over, twice; the better counts.
        workers: threads.
        chosen: engines and precisions.
        log: told of each in a line, once it is measured.

    Returns:
        One row a backbone and engine, with the keys of `COLUMNS`.

    Raises:
        WeightsError: a name is unknown.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        backbone = find_backbone(name)
        for contestant in chosen:
            request = {
                "backbone": name,
                "weights": weights_to_measure(backbone),
                "preprocessing": "preset" if backbone.releases else "document",
                "storage": str(storage),
                "workers": workers,
                "engine": contestant.engine,
                "precision": contestant.precision,
                "images": images,
                "seconds": seconds,
            }
            about, _ = _asked(request, "convert")
            costs, peak = _asked(request, "costs")
            document_ms, document_gb = DOCUMENT.get(name, (None, None))
            log(
                f"{len(rows) + 1} of {len(names) * len(chosen)}: {name}, {contestant.engine} {contestant.precision}: "
                f"{costs['images_per_second']:.1f} images/s, {costs['single_ms']:.1f} ms one image, "
                f"{peak:.0f} MB, opened in {costs['load_seconds']:.2f} s, converted in "
                f"{about['conversion_seconds']:.1f} s"
            )
            rows.append(
                {
                    **about,
                    **costs,
                    "backbone": name,
                    "engine": f"{contestant.engine} {contestant.precision}",
                    "parameters_m": about["parameters"] / 1e6 if about["parameters"] else None,
                    "peak_mb": peak,
                    "document_ms": document_ms,
                    "document_gb": document_gb,
                }
            )
    return rows


def decision_matrix(
    rows: Sequence[Mapping[str, Any]], accuracies: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The document's matrix, from measured values: on each criterion the best backbone has 10, another its share.

    Args:
        rows: as `measure` gives them.
        accuracies: backbone -> accuracy on the user's own labels, in any one unit; where it is empty, ImageNet's
            top-1 of the published weights, as in the document.

    Returns:
        The rows whose accuracy is known, best first, with the keys of `MATRIX_COLUMNS`.
    """
    known = [
        (row, accuracy)
        for row in rows
        if (accuracy := accuracies.get(row["backbone"]) if accuracies else row["top1"]) is not None
    ]
    if not known:
        return []
    best = {
        "accuracy": max(accuracy for _, accuracy in known),
        "speed": max(row["images_per_second"] for row, _ in known),
        "memory": min(row["peak_mb"] for row, _ in known),
        "dimension": min(row["feature_dim"] for row, _ in known),
    }
    scored = []
    for row, accuracy in known:
        points = {
            "accuracy": 10 * accuracy / best["accuracy"],
            "speed": 10 * row["images_per_second"] / best["speed"],
            "memory": 10 * best["memory"] / row["peak_mb"],
            "dimension": 10 * best["dimension"] / row["feature_dim"],
        }
        score = sum(WEIGHTS[name] * value for name, value in points.items()) / sum(WEIGHTS.values())
        scored.append({"backbone": row["backbone"], "engine": row["engine"], **points, "score": score})
    return sorted(scored, key=lambda row: -row["score"])


def report(rows: Sequence[Mapping[str, Any]], accuracies: Mapping[str, float]) -> str:
    """The tables for a person."""
    matrix = decision_matrix(rows, accuracies)
    if not matrix:
        return markdown_table(rows, COLUMNS)
    source = "your own labels" if accuracies else "ImageNet; give yours with --accuracy NAME=SCORE,..."
    heading = f"The document's decision matrix, from these figures. Accuracy: of {source}."
    choice = f"It chooses {matrix[0]['backbone']} on {matrix[0]['engine']}."
    return "\n\n".join(
        [markdown_table(rows, COLUMNS), heading, markdown_table(matrix, MATRIX_COLUMNS), choice]
    )


def parse_accuracies(text: str, names: Iterable[str]) -> dict[str, float]:
    """`name=0.41,name=0.39` as a mapping.

    Raises:
        SettingsError: a pair is malformed, or names a backbone that is not measured.
    """
    found = {}
    for pair in filter(None, text.split(",")):
        name, _, value = pair.strip().rpartition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise SettingsError(f"--accuracy {pair!r} is not NAME=NUMBER, as efficientnet_b0=0.41") from None
        if name not in set(names) or not 0 < found[name] < float("inf"):
            raise SettingsError(
                f"--accuracy {pair!r}: needed: a number above 0, of one of {', '.join(names)}"
            )
    return found


def _asked(request: Mapping[str, Any], what: str) -> tuple[dict[str, Any], float]:
    arguments = ["-m", "rakuten_assets.benchmarks.programs.backbone", json.dumps({**request, "what": what})]
    _, peak, output = run_watched(arguments)
    answer: dict[str, Any] = json.loads(output)
    return answer, peak
