from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rakuten_assets.errors import EngineError
from rakuten_assets.extraction import calibration_images as module
from rakuten_assets.extraction.calibration_images import CalibrationImages, draw_calibration_images
from rakuten_assets.extraction.images import ImageReader
from rakuten_assets.extraction.specification import extractor_spec
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import MakeImages

READER = ImageReader(Settings().limits, extractor_spec(Settings(backbone="resnet18")).preprocessing)


def draw(folder: Path, target: Path) -> tuple[CalibrationImages, list[bytes]]:
    drawn = draw_calibration_images(folder, READER, target)
    images = np.load(drawn.file)[: drawn.calibration + drawn.held_out]
    return drawn, [image.tobytes() for image in images]


def test_images_are_prepared_as_for_extraction(make_images: MakeImages, tmp_path: Path) -> None:
    files = make_images(13)
    drawn, images = draw(files[0].parent, tmp_path / "images.npy")
    assert (drawn.calibration, drawn.held_out) == (11, 2)
    assert set(images) == {READER.read_single(file).tobytes() for file in files}


def test_the_order_of_the_folder_does_not_matter(
    make_images: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_images(14)[0].parent
    names = [file.name for file in folder.iterdir()]
    monkeypatch.setattr(module, "_names", lambda folder: sorted(names))
    one = draw(folder, tmp_path / "one.npy")
    monkeypatch.setattr(module, "_names", lambda folder: sorted(names, reverse=True))
    other = draw(folder, tmp_path / "other.npy")
    assert one[1] == other[1]
    assert one[0].sha256 == other[0].sha256


def test_one_image_more_leaves_most_of_the_sample(
    make_images: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALIBRATION", 14)
    monkeypatch.setattr(module, "HELD_OUT", 2)
    folder = make_images(30)[0].parent
    before = draw(folder, tmp_path / "before.npy")
    make_images(1, first_seed=30)
    after = draw(folder, tmp_path / "after.npy")
    assert len(before[1]) == len(after[1]) == 16
    assert len(set(before[1]) & set(after[1])) >= 15


def test_what_does_not_decode_or_was_taken_before_is_passed_over(
    make_images: MakeImages, tmp_path: Path
) -> None:
    files = make_images(12)
    folder = files[0].parent
    expected, _ = draw(folder, tmp_path / "expected.npy")
    for place in range(8):
        (folder / f"broken{place}.jpg").write_bytes(files[place].read_bytes()[:-100])
        shutil.copy(files[place], folder / f"copy{place}.jpg")
        (folder / f"folder{place}").mkdir()
    drawn, images = draw(folder, tmp_path / "images.npy")
    assert (drawn.calibration, drawn.held_out) == (expected.calibration, expected.held_out) == (10, 2)
    assert set(images) == {READER.read_single(file).tobytes() for file in files}


def test_too_few_are_refused(make_images: MakeImages, tmp_path: Path) -> None:
    folder = make_images(11)[0].parent
    with pytest.raises(
        EngineError, match=r"at least 12 different train images, and .*images holds 11 that decode"
    ):
        draw(folder, tmp_path / "images.npy")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError, match="holds 0 that decode"):
        draw(tmp_path / "empty", tmp_path / "none.npy")
