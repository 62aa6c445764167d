"""The child process' part of int8: quantise a model by nncf, and measure how near its rows are to those in f32.

- post-training quantisation: weights by channel, activations by ranges measured on the calibration images
- every weight takes half of its range, 7 bits: without VNNI the CPU adds up products in 16 bits, which overflow with
  8. So the same model is right on every CPU, and near to the same rows
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rakuten_assets.extraction.networks.telemetry import import_nncf, import_openvino

_BATCH = 4


def quantise(request: dict[str, Any]) -> dict[str, Any]:
    """Write the model of `request["model"]` to `request["folder"]` in int8, and return its `fidelity`."""
    openvino, nncf = import_openvino(), import_nncf()
    images = np.load(request["file"], mmap_mode="r")
    calibration = request["calibration"]
    sample, others = images[:calibration], images[calibration : calibration + request["held_out"]]
    core = openvino.Core()
    quantised = nncf.quantize(
        core.read_model(request["model"]),
        nncf.Dataset(range(calibration), lambda place: np.array(sample[place : place + 1])),
        subset_size=calibration,
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    )
    openvino.save_model(quantised, Path(request["folder"]) / "model.xml", compress_to_fp16=False)
    del quantised

    def rows(file: str | Path) -> NDArray[np.float32]:
        compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        batches = [np.array(others[at : at + _BATCH]) for at in range(0, len(others), _BATCH)]
        return np.concatenate([compiled(batch)[0].copy() for batch in batches])

    return {
        "nncf": version("nncf"),
        "fidelity": fidelity(rows(request["model"]), rows(Path(request["folder"]) / "model.xml")),
    }


def fidelity(f32: NDArray[np.float32], int8: NDArray[np.float32]) -> dict[str, float]:
    """How near rows are to the exact ones.

    Both are centred on the exact rows' mean: what all images share says nothing of any. A row that is not finite, or
    is the mean itself, has the cosine 0.

    Args:
        f32, int8: float32 (n, d), of the same n images.

    Returns:
        `mean_cosine` and `least_cosine` over the rows; `relative_error`: the norm of all differences over that of the
        centred exact rows.
    """
    exact = f32.astype(np.float64)
    centre = exact.mean(axis=0)
    exact, near = exact - centre, int8.astype(np.float64) - centre
    norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(near, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = np.nan_to_num((exact * near).sum(axis=1) / norms, nan=0.0, posinf=0.0, neginf=0.0)
        error = np.linalg.norm(near - exact) / np.linalg.norm(exact)
    return {
        "mean_cosine": float(cosines.mean()),
        "least_cosine": float(cosines.min()),
        "relative_error": float(error),
    }
