import dataclasses
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rakuten_assets.backbones import IMAGENET  # noqa: E402
from rakuten_assets.errors import EngineError  # noqa: E402
from rakuten_assets.extraction.engines import torch as torch_module  # noqa: E402
from rakuten_assets.extraction.engines.choice import EngineChoice  # noqa: E402
from rakuten_assets.extraction.engines.torch import TorchEngine  # noqa: E402
from rakuten_assets.extraction.networks.weights import WeightsSource  # noqa: E402
from rakuten_assets.extraction.preprocessing import Preprocessing, Resize  # noqa: E402
from rakuten_assets.extraction.specification import extractor_spec  # noqa: E402
from rakuten_assets.settings import Settings  # noqa: E402

SIDE = 64
PREPROCESSING = Preprocessing("document", (Resize(SIDE, "bilinear"),), IMAGENET)
SPEC = dataclasses.replace(extractor_spec(Settings(backbone="resnet18")), preprocessing=PREPROCESSING)
SEEDED = WeightsSource("seeded", "seeded", None, "seeded")


@pytest.fixture(scope="module", autouse=True)
def small_backbone() -> Any:
    """A real torchvision network, built once, without the calibration."""
    torch.manual_seed(0)
    from torchvision.models import resnet18

    model = resnet18(weights=None).eval()
    model.fc = torch.nn.Identity()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_module, "build_backbone", lambda spec, weights: model)
        yield model


def opened(log: Any = print, **changes: Any) -> TorchEngine:
    choice = {"engine": "torch", "device": "cpu", "precision": "f32", "threads": 2, "batch": 4, **changes}
    return TorchEngine(SPEC, SEEDED, EngineChoice(**choice), log)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, SIDE, SIDE, 3), dtype=np.uint8)


def rows(engine: TorchEngine, images: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [engine.infer(images[at : at + engine.batch]) for at in range(0, len(images), engine.batch)]
    )


def test_rows_are_the_networks(small_backbone: Any, images: np.ndarray) -> None:
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (IMAGENET.mean, IMAGENET.std))
    with torch.inference_mode():
        expected = small_backbone((torch.from_numpy(images).permute(0, 3, 1, 2) / 255.0 - mean) / std).numpy()
    with opened() as engine:
        got = rows(engine, images)
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_row_does_not_depend_on_neighbours_place_or_threads(images: np.ndarray) -> None:
    with opened() as engine:
        expected = rows(engine, images)
        order = np.random.default_rng(1).permutation(len(images))
        assert np.array_equal(rows(engine, images[order]), expected[order])
        assert np.array_equal(engine.infer(images[7:8])[0], expected[7])
    with opened(threads=1) as engine:
        assert np.array_equal(rows(engine, images), expected)


def test_torchs_switches_are_exact_while_open_and_put_back() -> None:
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    threads = torch.get_num_threads()
    try:
        with opened(threads=1):
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32
            assert torch.backends.cudnn.deterministic
            assert torch.get_num_threads() == 1
        assert torch.backends.cudnn.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.deterministic
        assert torch.get_num_threads() == threads
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def test_what_really_runs_is_described() -> None:
    with opened() as engine:
        described = engine.describe()
    assert (described["engine"], described["device"], described["precision"]) == ("torch", "cpu", "f32")
    assert (described["threads"], described["batch"], described["tf32"]) == (2, 4, False)


def test_a_precision_that_the_cpu_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_module, "cpu_features", lambda: ["avx2"])
    for precision in ("bf16", "f16"):
        with pytest.raises(EngineError, match=f"RAKUTEN_PRECISION={precision}.*RAKUTEN_PRECISION=f32"):
            opened(precision=precision)


def test_bf16_computes_in_bf16(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch, small_backbone: Any
) -> None:
    monkeypatch.setattr(torch_module, "cpu_features", lambda: ["avx512_bf16"])
    with opened() as engine:
        exact = rows(engine, images)
    try:
        with opened(precision="bf16") as engine:
            rough = rows(engine, images)
    finally:
        small_backbone.to(torch.float32)
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.abs(exact).max()


def test_cuda_without_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineError, match="torch cannot use CUDA here"):
        opened(device="cuda")


def test_out_of_memory_halves_the_batch_and_the_run_goes_on(images: np.ndarray) -> None:
    messages: list[str] = []
    with opened(messages.append) as engine:
        expected = rows(engine, images)
        forward = engine._run._forward

        def crowded(batch: np.ndarray) -> np.ndarray:
            if len(batch) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(batch)

        engine._run._forward = crowded
        got = rows(engine, images)
        assert engine.describe()["batch"] == 2
    assert np.allclose(got, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert messages == ["the device has no memory for 4 images at once; going on with 2"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_agrees_with_the_cpu(images: np.ndarray, small_backbone: Any) -> None:
    with opened() as engine:
        expected = rows(engine, images)
    try:
        with opened(device="cuda", batch=16) as engine:
            got = rows(engine, images)
            again = rows(engine, images[::-1])[::-1]
    finally:
        small_backbone.to("cpu")
    assert np.array_equal(got, again)
    assert np.abs(got - expected).max() <= 1e-3 * np.abs(expected).max()
