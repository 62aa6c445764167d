import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.converted import ConvertedModel, converted_model
from rakuten_assets.extraction.engines import openvino as openvino_module
from rakuten_assets.extraction.engines.openvino import OpenVinoEngine
from rakuten_assets.extraction.preprocessing import preprocessing_for
from rakuten_assets.extraction.weights import resolve_weights
from rakuten_assets.machine import cpu_features
from rakuten_assets.settings import Settings

HAS_BF16 = bool({"avx512_bf16", "amx_bf16"} & set(cpu_features()))


@pytest.fixture(scope="module")
def model(converted_models: Path, weights_file: Path) -> ConvertedModel:
    settings = Settings(weights=str(weights_file))
    return converted_model(
        UPath(converted_models),
        "efficientnet_b0",
        resolve_weights(settings),
        preprocessing_for(settings),
        pytest.fail,
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (9, 14, 14, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


def rows(model: ConvertedModel, images: np.ndarray, precision: str, threads: int, batch: int) -> np.ndarray:
    with OpenVinoEngine(model, 224, precision, threads, batch) as engine:
        return np.concatenate([engine.infer(images[at : at + batch]) for at in range(0, len(images), batch)])


@pytest.mark.parametrize(
    "precision",
    [
        "f32",
        pytest.param(
            "bf16", marks=pytest.mark.skipif(not HAS_BF16, reason="this CPU has no bf16 arithmetic")
        ),
    ],
)
def test_rows_are_equal_to_the_bit_whatever_batch_threads_and_order(
    model: ConvertedModel, images: np.ndarray, precision: str
) -> None:
    expected = rows(model, images, precision, 1, 1)
    for threads, batch in ((2, 1), (2, 2), (1, 4), (3, 8)):
        assert np.array_equal(rows(model, images, precision, threads, batch), expected), (threads, batch)
    order = np.random.default_rng(1).permutation(len(images))
    assert np.array_equal(rows(model, images[order], precision, 2, 2), expected[order])
    alone = rows(model, images[4:5], precision, 2, 4)
    assert np.array_equal(alone[0], expected[4])


def test_callers_do_not_disturb_each_other(model: ConvertedModel, images: np.ndarray) -> None:
    expected = rows(model, images, "f32", 2, 2)
    wrong: list[int] = []
    with OpenVinoEngine(model, 224, "f32", 2, 2) as engine:

        def call(first: int) -> None:
            for _ in range(3):
                got = engine.infer(images[first : first + 2])
                wrong.extend([first] * (not np.array_equal(got, expected[first : first + 2])))

        threads = [threading.Thread(target=call, args=(first,)) for first in range(7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_what_really_runs_is_described(model: ConvertedModel) -> None:
    with OpenVinoEngine(model, 224, "f32", 2, 0) as engine:
        described = engine.describe()
    assert (described["engine"], described["device"], described["precision"]) == ("openvino", "cpu", "f32")
    assert (described["threads"], described["streams"], described["batch"]) == (2, 2, engine.batch)
    assert described["cpu_features"] == cpu_features()
    assert len(described["model_state_sha256"]) == 64


def test_a_precision_that_the_cpu_lacks_is_refused(
    model: ConvertedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvino = openvino_module.import_openvino()

    class Core(openvino.Core):  # type: ignore[misc, name-defined]
        def get_property(self, device: str, name: str) -> Any:
            return (
                ["FP32", "INT8"]
                if name == "OPTIMIZATION_CAPABILITIES"
                else super().get_property(device, name)
            )

    monkeypatch.setattr(openvino, "Core", Core)
    for precision in ("bf16", "f16"):
        with pytest.raises(
            EngineError, match=rf"RAKUTEN_PRECISION={precision}: this CPU has no {precision}.*FP32, INT8"
        ):
            OpenVinoEngine(model, 224, precision, 1, 1)
