import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines import openvino as openvino_module
from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.extraction.engines.numerics import uses_blocked_kernels
from rakuten_assets.extraction.engines.openvino import OpenVinoEngine
from rakuten_assets.extraction.engines.openvino_kernels import wish_for_blocked
from rakuten_assets.extraction.networks.converted import ConvertedModel, converted_model
from rakuten_assets.extraction.networks.weights import find_weights
from rakuten_assets.extraction.specification import ExtractorSpec, extractor_spec
from rakuten_assets.runtime.machine import cpu_features
from rakuten_assets.settings import Settings

B0 = extractor_spec(Settings(backbone="efficientnet_b0"))
HAS_BF16 = bool({"avx512_bf16", "amx_bf16"} & set(cpu_features()))


@pytest.fixture(scope="module")
def model(converted_models: Path, weights_file: Path) -> ConvertedModel:
    weights = find_weights(B0.backbone, str(weights_file), False)
    assert weights is not None
    return converted_model(
        UPath(converted_models.parent), B0.backbone, weights, B0.preprocessing, pytest.fail
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (9, 14, 14, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


def engine(
    model: ConvertedModel, precision: str, threads: int, batch: int, spec: ExtractorSpec = B0
) -> OpenVinoEngine:
    return OpenVinoEngine(spec, model, EngineChoice("openvino", "cpu", precision, threads, batch))


def rows(model: ConvertedModel, images: np.ndarray, precision: str, threads: int, batch: int) -> np.ndarray:
    with engine(model, precision, threads, batch) as opened:
        return np.concatenate([opened.infer(images[at : at + batch]) for at in range(0, len(images), batch)])


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
    with engine(model, "f32", 2, 2) as opened:

        def call(first: int) -> None:
            for _ in range(3):
                got = opened.infer(images[first : first + 2])
                wrong.extend([first] * (not np.array_equal(got, expected[first : first + 2])))

        threads = [threading.Thread(target=call, args=(first,)) for first in range(7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_what_really_runs_is_described(model: ConvertedModel) -> None:
    with engine(model, "f32", 2, 0) as opened:
        described = opened.describe()
    assert (described["engine"], described["device"], described["precision"]) == ("openvino", "cpu", "f32")
    assert (described["threads"], described["streams"], described["batch"]) == (2, 2, opened.batch)
    assert described["cpu_features"] == cpu_features()
    assert len(described["model_state_sha256"]) == 64


def test_the_convolutions_run_on_the_faster_kernels(model: ConvertedModel, images: np.ndarray) -> None:
    with engine(model, "f32", 1, 2) as opened:
        kernels, features = opened.describe()["kernels"], opened.infer(images[:2])
    unlisted = dataclasses.replace(B0, backbone=dataclasses.replace(B0.backbone, blocked_kernels=False))
    with engine(model, "f32", 1, 2, unlisted) as opened:
        usual, expected = opened.describe()["kernels"], opened.infer(images[:2])
    assert usual
    if uses_blocked_kernels(B0.backbone, EngineChoice("openvino", "cpu", "f32", 1, 2)):
        assert kernels == ["jit_avx512_1x1_f32", "jit_avx512_dw_f32", "jit_avx512_f32"]
        assert not set(usual) & set(kernels)
    else:
        assert kernels == usual
    assert np.abs(features - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_wish_joins_the_notes_that_a_layer_has() -> None:
    noted = b'<net><layer type="Convolution"><data /><rt_info><attribute name="a" /></rt_info></layer></net>'
    bare = b'<net><layer type="GroupConvolution"><data /><input /></layer><layer type="Add"><data /></layer></net>'
    assert wish_for_blocked(noted) == (
        b'<net><layer type="Convolution"><data /><rt_info><attribute name="a" />'
        b'<attribute name="primitives_priority" version="0" value="cpu:jit_avx512_1x1" /></rt_info></layer></net>'
    )
    assert wish_for_blocked(bare) == (
        b'<net><layer type="GroupConvolution"><data /><rt_info><attribute name="primitives_priority" version="0" '
        b'value="cpu:jit_avx512_dw" /></rt_info><input /></layer><layer type="Add"><data /></layer></net>'
    )


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
            engine(model, precision, 1, 1)
