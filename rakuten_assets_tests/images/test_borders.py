import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.images.borders import Box, without_border


def picture(height: int, width: int, box: Box, colour: int = 90) -> np.ndarray:
    image = np.full((height, width, 3), 255, np.uint8)
    image[box.top : box.bottom, box.left : box.right] = colour
    return image


def test_a_white_border_is_cut_off() -> None:
    box = Box(10, 20, 60, 45)
    assert without_border(picture(80, 100, box), 0.0) == box


def test_the_margin_is_a_share_of_the_longer_side_and_ends_at_the_edge() -> None:
    assert without_border(picture(80, 100, Box(10, 20, 60, 45)), 0.1) == Box(5, 15, 65, 50)
    assert without_border(picture(80, 100, Box(2, 20, 52, 80)), 0.1) == Box(0, 14, 58, 80)


@pytest.mark.parametrize("colour", [245, 255])
def test_a_white_picture_stays_whole(colour: int) -> None:
    assert without_border(np.full((30, 40, 3), colour, np.uint8), 0.3) == Box(0, 0, 40, 30)


def test_one_channel_under_the_threshold_is_content() -> None:
    image = np.full((30, 40, 3), 255, np.uint8)
    image[7, 9, 2] = 244
    assert without_border(image, 0.0) == Box(9, 7, 10, 8)


@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.randoms())
def test_what_is_cut_off_is_white(height: int, width: int, margin: float, random: object) -> None:
    seed = random.getrandbits(32)  # type: ignore[attr-defined]
    drawn = np.random.default_rng(seed)
    image = np.where(drawn.random((height, width, 3)) < 0.02, 0, 250).astype(np.uint8)
    left, top, right, bottom = without_border(image, margin)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    outside = np.ones((height, width), bool)
    outside[top:bottom, left:right] = False
    assert (image[outside] >= 245).all()
