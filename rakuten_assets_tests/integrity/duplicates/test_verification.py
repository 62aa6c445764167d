import numpy as np
import pytest
from PIL import Image, ImageDraw

from rakuten_assets.images.thumbnails import small_picture
from rakuten_assets.integrity.duplicates.verification import (
    OUTLINE_SIDE,
    ZOOMS,
    compare,
    outline,
    possible_pairs,
    same_pictures,
    versions,
)
from rakuten_assets_tests.images.pictures import encoded
from rakuten_assets_tests.integrity.gallery import brighter, cropped, product


def seen(picture: Image.Image, **options: object) -> np.ndarray:
    """The versions of a picture after a trip through a JPEG file: uint8 (1, zooms, 32, 32, 3)."""
    return versions(small_picture(encoded(picture, **options), "JPEG", 96))[None]


COPIES = {
    "saved again": lambda picture: seen(picture, quality=50),
    "brighter": lambda picture: seen(brighter(picture, 1.06)),
    "darker": lambda picture: seen(brighter(picture, 0.94)),
    "half a percent cropped": lambda picture: seen(cropped(picture, 0.005)),
    "two percent cropped": lambda picture: seen(cropped(picture, 0.02)),
    "half the size": lambda picture: seen(picture.resize((100, 100), Image.Resampling.BILINEAR)),
    "all at once": lambda picture: seen(brighter(cropped(picture, 0.01), 1.04), quality=60),
    "as PNG": lambda picture: versions(small_picture(encoded(picture, "PNG"), "PNG", 96))[None],
}


@pytest.mark.parametrize("change", COPIES)
@pytest.mark.parametrize("seed", range(4))
def test_a_changed_copy_shows_the_same_picture(change, seed):
    original, copy = seen(product(seed)), COPIES[change](product(seed))
    assert possible_pairs(outline(original[0])[None], outline(copy[0])[None]).all()
    assert same_pictures(original, copy).all()


def test_different_products_never_show_the_same_picture():
    pictures = np.concatenate([seen(product(seed)) for seed in range(12)])
    left, right = np.triu_indices(12, k=1)
    assert not same_pictures(pictures[left], pictures[right]).any()
    outlines = np.stack([outline(picture) for picture in pictures])
    assert outlines.shape == (12, OUTLINE_SIDE, OUTLINE_SIDE, 3)
    assert possible_pairs(outlines[left], outlines[right]).mean() < 0.2


def test_small_products_on_white_are_told_apart():
    # Seen as whole pictures these correlate above 0.9: most of both is the same white.
    box = (85, 75, 115, 125)
    one, other = product(1, box), product(2, box)
    whole = np.corrcoef(np.asarray(one, float).ravel(), np.asarray(other, float).ravel())[0, 1]
    assert whole > 0.8
    assert not same_pictures(seen(one), seen(other)).any()
    assert same_pictures(seen(one), seen(one, quality=60)).all()


def test_another_print_on_the_same_shirt_is_another_picture():
    def shirt(text_colour: str, mark: tuple[int, int]) -> Image.Image:
        picture = Image.new("RGB", (200, 200), "white")
        pen = ImageDraw.Draw(picture)
        pen.polygon(
            [(40, 30), (160, 30), (190, 80), (160, 90), (155, 190), (45, 190), (40, 90), (10, 80)],
            fill="navy",
        )
        pen.rectangle((*mark, mark[0] + 30, mark[1] + 30), fill=text_colour)
        return picture

    plain, printed = shirt("navy", (85, 90)), shirt("yellow", (85, 90))
    correlation, residual = compare(seen(plain)[:, 0], seen(printed)[:, 0])
    assert correlation[0] > 0.4
    assert residual[0] > 12
    assert not same_pictures(seen(plain), seen(printed)).any()


def test_a_small_change_in_one_place_is_seen_where_the_whole_correlates():
    one, other = product(1), product(1)
    ImageDraw.Draw(other).rectangle((90, 90, 108, 108), fill="white")
    correlation, residual = compare(seen(one)[:, 0], seen(other)[:, 0])
    assert correlation[0] > 0.95
    assert residual[0] > 12
    assert not same_pictures(seen(one), seen(other)).any()


def test_comparing_is_symmetric():
    pictures = np.concatenate(
        [seen(product(0)), seen(cropped(product(0), 0.02)), seen(product(3)), seen(product(4))]
    )
    left, right = (index.ravel() for index in np.indices((4, 4)))
    np.testing.assert_allclose(
        compare(pictures[left, 0], pictures[right, 0]),
        compare(pictures[right, 0], pictures[left, 0]),
        atol=1e-3,
    )
    np.testing.assert_array_equal(
        same_pictures(pictures[left], pictures[right]), same_pictures(pictures[right], pictures[left])
    )


def test_nothing_but_white_is_no_evidence():
    white = np.full((1, len(ZOOMS), 32, 32, 3), 255, np.uint8)
    assert not same_pictures(white, white).any()
    assert [part.tolist() for part in compare(white[:, 0], white[:, 0])] == [[-1.0], [255.0]]


def test_many_pairs_are_compared_as_each_alone():
    rng = np.random.default_rng(0)
    pictures = np.concatenate(
        [seen(product(seed), quality=int(rng.integers(40, 95))) for seed in range(5) for _ in range(2)]
    )
    left, right = rng.integers(0, 10, (2, 300))
    alone = [bool(same_pictures(pictures[[i]], pictures[[j]])[0]) for i, j in zip(left, right, strict=True)]
    assert same_pictures(pictures[left], pictures[right]).tolist() == alone
    assert alone == [i // 2 == j // 2 for i, j in zip(left, right, strict=True)]


def test_no_pair_gives_no_answer():
    none = np.empty((0, len(ZOOMS), 32, 32, 3), np.uint8)
    assert same_pictures(none, none).shape == (0,)
    assert possible_pairs(none[:, 0], none[:, 0]).shape == (0,)
