from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from rakuten_assets.plots.contact_sheet import _lines, contact_sheet_jpeg

RED = (200, 30, 40)
GAP, TEXT = 8, 20


def sheet(*args: object, **kwargs: object) -> Image.Image:
    return Image.open(io.BytesIO(contact_sheet_jpeg(*args, **kwargs))).convert("RGB")  # type: ignore[arg-type]


def plain(colour: tuple[int, int, int] = RED, size: tuple[int, int] = (60, 60)) -> np.ndarray:
    return np.full((size[1], size[0], 3), colour, dtype=np.uint8)


def encoded(kind: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(plain(size=(300, 300))).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def centre(picture: Image.Image, number: int, columns: int, tile: int) -> tuple[int, ...]:
    left = GAP + number % columns * (tile + GAP)
    top = GAP + number // columns * (tile + TEXT + GAP)
    pixel = picture.getpixel((left + tile // 2, top + tile // 2))
    assert isinstance(pixel, tuple)
    return pixel


def near(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(left, right, strict=True)) <= 6


def test_tiles_stand_in_reading_order() -> None:
    colours = [(200, 30, 40), (30, 160, 60), (40, 60, 190), (10, 10, 10), (220, 200, 20)]
    picture = sheet(
        [(plain(colour), str(number)) for number, colour in enumerate(colours)], columns=3, tile=64
    )
    assert picture.size == (GAP + 3 * (64 + GAP), GAP + 2 * (64 + TEXT + GAP))
    for number, colour in enumerate(colours):
        assert near(centre(picture, number, 3, 64), colour)


def test_proportions_are_kept() -> None:
    picture = np.asarray(sheet([(plain(size=(200, 50)), "wide")], tile=112))
    is_red = np.abs(picture.astype(int) - RED).max(axis=2) < 100  # JPEG softens the edges
    rows, columns = is_red.sum(axis=1), is_red.sum(axis=0)
    width, height = (columns > 10).sum(), (rows > 40).sum()
    assert (width, height) == (110, 28)


@pytest.mark.parametrize(
    "content",
    [encoded("JPEG"), encoded("PNG"), encoded("WEBP"), encoded("JPEG", "CMYK"), encoded("GIF", "P")],
)
def test_files_of_any_kind_are_shown(content: bytes) -> None:
    assert near(centre(sheet([(content, "file")], tile=96), 0, 1, 96), RED)


def test_a_grey_array_is_shown() -> None:
    grey = np.full((30, 40), 90, dtype=np.uint8)
    assert near(centre(sheet([(grey, "grey")], tile=96), 0, 1, 96), (90, 90, 90))


@pytest.mark.parametrize(
    "broken",
    [None, b"", b"not an image", encoded("JPEG")[:200], encoded("PNG")[:60], encoded("GIF", "P")[:20]],
)
def test_a_broken_picture_is_a_hatched_tile_beside_the_others(broken: bytes | None) -> None:
    hatched = contact_sheet_jpeg([(None, "x"), (plain(), "y")])
    assert contact_sheet_jpeg([(broken, "x"), (plain(), "y")]) == hatched
    assert near(centre(sheet([(broken, "x"), (plain(), "y")]), 1, 2, 112), RED)


def test_a_huge_image_is_not_decoded() -> None:
    claim = bytearray(encoded("JPEG"))
    at = claim.index(b"\xff\xc0") + 5
    claim[at : at + 4] = b"\xff\xff\xff\xff"
    whole = io.BytesIO()
    Image.new("1", (8000, 7000)).save(whole, "PNG")
    for content in (bytes(claim), whole.getvalue()):
        assert contact_sheet_jpeg([(content, "x")]) == contact_sheet_jpeg([(None, "x")])


def test_a_caption_is_broken_into_lines_and_not_cut() -> None:
    one, three = (
        sheet([(plain(), "10 Livres")], tile=112),
        sheet([(plain(), "2403 Livres anciens et d'occasion")]),
    )
    assert three.height - one.height == 32
    several = _lines("2403 Livres anciens et d'occasion", 112)
    assert " ".join(several) == "2403 Livres anciens et d'occasion"
    assert len(several) == 3
    assert [line[-3:] for line in _lines("2583 " * 40, 112)].count("...") == 1
    assert _lines("Piscinesetaccessoiresdejardin", 60)[0].endswith("...")


def test_long_text_is_cut_to_its_tile() -> None:
    assert contact_sheet_jpeg([(None, "2583 " * 40)], tile=112) == contact_sheet_jpeg(
        [(None, "2583 " * 90)], tile=112
    )
    assert contact_sheet_jpeg([(None, "line\nbreak")]) == contact_sheet_jpeg([(None, "line break")])


def test_the_same_pictures_give_the_same_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    first, second = (contact_sheet_jpeg([(picture, "noise") for picture in noise]) for _ in range(2))
    assert first == second


def test_an_empty_sheet_is_a_picture() -> None:
    assert sheet([]).size[0] > 0


def test_a_sheet_of_noise_loses_quality_to_stay_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (27, 112, 112, 3), dtype=np.uint8)
    coarse = contact_sheet_jpeg([(picture, "noise") for picture in noise])
    fine = contact_sheet_jpeg([(picture, "noise") for picture in noise[:1]])
    # 0.4 megapixels of noise; at the quality of the small sheet they take half a megabyte.
    assert len(coarse) < 20 * len(fine)
    assert len(coarse) < 300_000
