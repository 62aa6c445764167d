import io

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from rakuten_assets.errors import CatalogError
from rakuten_assets.synthetic.encoding import ImageTask, image_bytes
from rakuten_assets.synthetic.faults import FaultKind


def made(kind: str = "", ordinal: int = 0, detail: str = "", code: int = 1280, seed: int = 11) -> bytes:
    return image_bytes(ImageTask("image_train/x.jpg", code, seed, kind, ordinal, detail))


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(opened(content).convert("RGB")).astype(np.int16)


@pytest.mark.parametrize("code", [10, 1300, 2583])
def test_a_healthy_file_is_what_the_challenge_ships(code):
    content = made(code=code)
    image = opened(content)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (500, 500))
    assert image.info["progressive"] and image.info["jfif"]
    assert "exif" not in image.info and "icc_profile" not in image.info
    # IJG quality 80: the first entries of the scaled standard tables, luma and chroma.
    assert image.quantization[0][:4] == [6, 4, 4, 6] and image.quantization[1][:4] == [7, 7, 10, 19]
    assert [(h, v) for _, h, v, _ in image.layer] == [(2, 2), (1, 1), (1, 1)]
    assert content.endswith(b"\xff\xd9") and 2_000 < len(content) < 110_000
    simplejpeg.decode_jpeg(content, "RGB", strict=True)


@pytest.mark.parametrize("kind", [kind.value for kind in FaultKind if kind is not FaultKind.MISSING])
def test_bytes_are_a_function_of_the_task(kind):
    detail = {"pixel_twin": "comment", "near_duplicate": "cropped"}.get(kind, "")
    assert made(kind, detail=detail) == made(kind, detail=detail)


@pytest.mark.parametrize("seed", range(5))
def test_truncated_file_lacks_its_end(seed):
    content = made("truncated", seed=seed)
    assert made(seed=seed).startswith(content) and b"\xff\xd9" not in content[-2:]
    with pytest.raises(ValueError, match="Premature end"):
        simplejpeg.decode_jpeg(content, "RGB", strict=True)


@pytest.mark.parametrize("seed", range(8))
def test_corrupt_scan_is_whole_but_for_its_data_and_a_strict_decoder_notices(seed):
    content, healthy = made("corrupt_scan", seed=seed), made(seed=seed)
    assert len(content) == len(healthy) and content[-2:] == b"\xff\xd9"
    changed = [place for place, (a, b) in enumerate(zip(content, healthy, strict=True)) if a != b]
    assert changed[-1] - changed[0] < 24
    with pytest.raises(ValueError, match="bad Huffman code"):
        simplejpeg.decode_jpeg(content, "RGB", strict=True)


def test_garbage_and_empty_are_no_images():
    assert made("empty") == b""
    for ordinal in range(4):
        with pytest.raises(Image.UnidentifiedImageError):
            Image.open(io.BytesIO(made("garbage", ordinal)))
    assert b"404" in made("garbage", 1)


def test_header_lies_about_the_size():
    with pytest.raises(Image.DecompressionBombError, match="4294836225"):
        Image.open(io.BytesIO(made("too_many_pixels")))


@pytest.mark.parametrize("ordinal", range(6))
def test_blank_is_one_colour_and_near_blank_is_nearly(ordinal):
    blank, near = pixels(made("blank", ordinal)), pixels(made("near_blank", ordinal))
    assert np.ptp(blank.reshape(-1, 3), axis=0).max() == 0
    assert 1 <= np.ptp(near.reshape(-1, 3), axis=0).max() <= 12


def test_blank_files_are_not_duplicates_of_each_other():
    colours = np.array([pixels(made("blank", ordinal))[0, 0] for ordinal in range(90)])
    apart = np.abs(colours[:, None] - colours[None]).max(axis=2) + 999 * np.eye(90)
    assert apart.min() >= 8


@pytest.mark.parametrize(
    ("kind", "form", "mode"),
    [
        ("grayscale", "JPEG", "L"),
        ("cmyk", "JPEG", "CMYK"),
        ("png_named_jpg", "PNG", "RGB"),
        ("animated_gif", "GIF", "P"),
    ],
)
def test_other_formats_and_modes_decode_whole(kind, form, mode):
    image = opened(made(kind))
    assert (image.format, image.mode) == (form, mode)


def test_animated_gif_has_several_frames_and_trailing_bytes_leave_the_pixels_alone():
    assert opened(made("animated_gif")).n_frames == 3
    trailing, healthy = made("trailing_bytes"), made()
    assert trailing.startswith(healthy) and len(trailing) > len(healthy) + 16
    assert (pixels(trailing) == pixels(healthy)).all()


def test_odd_sizes_are_odd():
    assert len({opened(made("odd_size", ordinal)).size for ordinal in range(7)}) == 7
    assert all(opened(made("odd_size", ordinal)).size != (500, 500) for ordinal in range(7))


@pytest.mark.parametrize("detail", ["comment", "baseline"])
@pytest.mark.parametrize("seed", range(4))
def test_pixel_twins_differ_in_bytes_only(detail, seed):
    original, twin = (
        made("pixel_twin", detail="original", seed=seed),
        made("pixel_twin", detail=detail, seed=seed),
    )
    assert original == made(seed=seed) != twin
    assert (pixels(original) == pixels(twin)).all()
    assert (simplejpeg.decode_jpeg(twin, "RGB", strict=True) == pixels(original)).all()


@pytest.mark.parametrize("detail", ["recompressed", "brightened", "cropped"])
@pytest.mark.parametrize("code", [10, 1560, 2905])
def test_near_duplicates_differ_a_little(detail, code):
    original, copy = pixels(made(code=code)), pixels(made("near_duplicate", detail=detail, code=code))
    assert 0.05 < np.abs(original - copy).mean() < 14
    assert np.corrcoef(original.ravel(), copy.ravel())[0, 1] > 0.9


def test_an_unknown_fault_is_refused():
    with pytest.raises(CatalogError, match="melted"):
        made("melted")
    with pytest.raises(CatalogError, match="painted"):
        made("near_duplicate", detail="painted")
