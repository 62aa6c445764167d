"""The real engines end to end, against plain torch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.runtime.machine import cpu_features
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import MakeImages, sha256_of

# Memory of this process is no measure under pytest: the child extracts, then says what it held at most.
_CHILD = """
import sys
from pathlib import Path
import numpy as np
from upath import UPath
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.images.resampling import KERNELS
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import sha256_of
files = [Path(name) for name in sys.argv[3:]]
KERNELS.compiled()
settings = Settings(storage=UPath(sys.argv[1]), backbone="efficientnet_b0", weights=sys.argv[2])
with Extractor.open(settings, log=lambda message: None) as extractor:
    out = np.empty((len(files), extractor.feature_dim), np.float32)
    print(extractor.extract(files, sha256_of(files), out).computed)
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(*peak, "torch" in sys.modules)
"""


def plain_torch(files: list[Path], weights_file: Path) -> np.ndarray:
    """What the document does: Pillow, RGB, bilinear to 224x224, [0, 1], normalise, EfficientNet-B0 in eval mode."""
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.efficientnet_b0(weights=None)
    model.classifier = torch.nn.Identity()
    model.load_state_dict(torch.load(weights_file, weights_only=True))
    model.eval()
    rows = []
    for file in files:
        image = Image.open(file).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        scaled = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255.0
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        with torch.inference_mode():
            rows.append(model(((scaled - mean) / std)[None])[0].numpy())
    return np.stack(rows)


Run = Callable[..., tuple[np.ndarray, dict[str, Any]]]


@pytest.fixture
def run(storage: UPath, weights_file: Path) -> Run:
    """run(files, **settings) gives the features and what computed them."""

    def run(files: list[Path], **knobs: Any) -> tuple[np.ndarray, dict[str, Any]]:
        with Extractor.open(
            Settings(storage=storage, weights=str(weights_file), **knobs), log=print
        ) as extractor:
            out = np.empty((len(files), extractor.feature_dim), np.float32)
            extractor.extract(files, sha256_of(files), out)
            return out, extractor.describe()

    return run


def assert_same_features(ours: np.ndarray, reference: np.ndarray, tolerance: float = 1e-4) -> None:
    assert np.abs(ours - reference).max() <= tolerance * np.abs(reference).max()


def test_features_are_plain_torchs(run: Run, make_images: MakeImages, weights_file: Path) -> None:
    files = make_images(11)
    ours, described = run(files)
    assert_same_features(ours, plain_torch(files, weights_file))
    assert described["engine"]["engine"] == "openvino"
    assert described["engine"]["precision"] == "f32"
    assert ours.std(axis=0).mean() > 1e-3, "seeded features must tell images apart"
    on_torch, described = run(files[:4], engine="torch")
    assert described["engine"]["engine"] == "torch"
    assert_same_features(on_torch, ours[:4])


def test_a_row_does_not_depend_on_threads_batch_order_or_neighbours(
    storage: UPath, run: Run, make_images: MakeImages
) -> None:
    files = make_images(9)
    expected, _ = run(files)

    def anew(files: list[Path], **knobs: Any) -> np.ndarray:
        for segment in (Path(storage) / "cache" / "rows").rglob("*.safetensors"):
            segment.unlink()
        return run(files, **knobs)[0]

    assert np.array_equal(anew(files, threads=1, batch_size=1), expected)
    assert np.array_equal(anew(files, threads=3, batch_size=4), expected)
    assert np.array_equal(anew(files[::-1]), expected[::-1])
    assert np.array_equal(anew(files[4:5]), expected[4:5])


@pytest.fixture
def extractor(storage: UPath, weights_file: Path) -> Iterator[Extractor]:
    with Extractor.open(Settings(storage=storage, weights=str(weights_file)), log=print) as extractor:
        yield extractor


def test_a_single_picture_is_given_in_any_form_and_has_its_files_row(
    extractor: Extractor, make_images: MakeImages
) -> None:
    files = make_images(3)
    rows = np.empty((3, extractor.feature_dim), np.float32)
    extractor.extract(files, sha256_of(files), rows)
    file = files[1]
    pixels = Image.open(file).convert("RGB")
    for given in (file, str(file), UPath(file), file.read_bytes(), pixels, np.asarray(pixels)):
        single = extractor.extract_single(given)
        assert (single.dtype, single.shape) == (np.float32, (extractor.feature_dim,))
        assert np.array_equal(single, rows[1]), type(given)
    turned = np.asarray(pixels).transpose(1, 0, 2)  # not contiguous
    assert np.array_equal(extractor.extract_single(turned), extractor.extract_single(turned.copy()))


def test_what_is_no_single_picture_is_refused(
    extractor: Extractor, make_images: MakeImages, tmp_path: Path
) -> None:
    (file,) = make_images(1)
    with pytest.raises(UndecodableImageError):
        extractor.extract_single(file.read_bytes()[:-200])
    with pytest.raises(FileNotFoundError):
        extractor.extract_single(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match=r"of uint8 \(8, 8\) is not an image in RGB.*convert"):
        extractor.extract_single(Image.new("L", (8, 8)))
    for wrong in (
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match="is not an image in RGB"):
            extractor.extract_single(wrong)


@pytest.mark.skipif(
    not {"avx512_bf16", "amx_bf16"} & set(cpu_features()), reason="this CPU has no bf16 arithmetic"
)
def test_bf16_is_close_and_never_mixed_with_f32(run: Run, make_images: MakeImages) -> None:
    files = make_images(6)
    exact, _ = run(files)
    rough, described = run(files, precision="bf16")
    assert described["engine"]["precision"] == "bf16"
    assert not np.array_equal(rough, exact)
    assert_same_features(rough, exact, tolerance=0.1)
    assert np.array_equal(run(files)[0], exact)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_stays_small_and_torch_away(
    storage: UPath, make_images: MakeImages, weights_file: Path
) -> None:
    files = [str(file) for file in make_images(40)]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(storage), str(weights_file), *files],
        capture_output=True,
        text=True,
        check=True,
    )
    computed, last = done.stdout.splitlines()
    peak, has_torch = last.split()
    assert computed == "40"
    assert has_torch == "False"
    assert int(peak) * 1024 < 0.5e9


@pytest.mark.skipif(
    "REAL_SAMPLE_DIR" not in os.environ, reason="REAL_SAMPLE_DIR names no folder of real images"
)
def test_features_of_real_images_are_plain_torchs(run: Run, weights_file: Path) -> None:
    files = sorted(Path(os.environ["REAL_SAMPLE_DIR"]).rglob("image_train/*.jpg"))[::27]
    ours, _ = run(files)
    assert_same_features(ours, plain_torch(files, weights_file))
