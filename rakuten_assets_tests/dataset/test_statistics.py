"""Channel statistics: exact, whatever the order and the split into shards."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.models import EfficientNet_B0_Weights

from rakuten_assets.backbones import IMAGENET
from rakuten_assets.dataset.statistics import (
    TABLE_COLUMNS,
    ChannelSums,
    channel_table,
    comparison,
    statistics_of,
    statistics_plausible,
    sums_of_image,
    sums_of_table,
    table_covers,
)
from rakuten_assets.errors import ManifestError
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets_tests.images.pictures import encoded, pillow_rgb, smooth

LIMITS = DecodeLimits(max_file_bytes=10_000_000, max_pixels=10_000_000)


def pictures() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(5)
    found = [random.integers(low, 256, (high, wide, 3), dtype=np.uint8)
             for low, high, wide in ((0, 7, 9), (200, 300, 301), (90, 1, 1), (250, 64, 50))]  # fmt: skip
    found += [np.full((40, 30, 3), 255, np.uint8), np.zeros((3, 4, 3), np.uint8)]
    return found


def test_they_equal_a_float64_reference() -> None:
    images = pictures()
    statistics = statistics_of(sum(map(sums_of_image, images), ChannelSums()))
    pooled = np.concatenate([image.reshape(-1, 3) for image in images]) / 255.0
    assert (statistics.images, statistics.pixels) == (len(images), len(pooled))
    assert np.abs(pooled.mean(axis=0) - statistics.pixel_mean).max() < 1e-12
    assert np.abs(pooled.std(axis=0) - statistics.pixel_std).max() < 1e-12
    means = np.mean([(image / 255.0).mean(axis=(0, 1)) for image in images], axis=0)
    deviations = np.mean([(image / 255.0).std(axis=(0, 1)) for image in images], axis=0)
    assert np.abs(means - statistics.image_mean).max() < 1e-12
    assert np.abs(deviations - statistics.image_std).max() < 1e-12
    assert np.abs(np.subtract(statistics.pixel_std, statistics.image_std)).min() > 0.005, (
        "the two kinds differ"
    )


@pytest.mark.parametrize("pixels", [1, 1023, 1024, 1025, 64 * 1024, 64 * 1024 + 1, 200_000])
def test_no_pixel_is_left_out_at_the_edges_of_lines(pixels: int) -> None:
    image = np.random.default_rng(pixels).integers(0, 256, (pixels, 1, 3), dtype=np.uint8)
    values = image.reshape(-1, 3).astype(np.int64)
    sums = sums_of_image(image)
    assert (sums.pixels, sums.values) == (pixels, tuple(values.sum(axis=0)))
    assert sums.squares == tuple((values * values).sum(axis=0))


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_order_and_shards_do_not_show(random: object, shards: int) -> None:
    sums = [sums_of_image(image) for image in pictures()]
    expected = reduce(ChannelSums.__add__, sums)
    random.shuffle(sums)  # type: ignore[attr-defined]
    parts = [sum(sums[shard::shards], ChannelSums()) for shard in range(shards)]
    assert sum(reversed(parts), ChannelSums()) == expected


def test_a_large_image_does_not_overflow() -> None:
    white = np.full((1200, 1100, 3), 255, np.uint8)
    sums = sums_of_image(white)
    assert sums.squares == (255 * 255 * 1200 * 1100,) * 3
    assert statistics_of(sums).pixel_std == (0.0, 0.0, 0.0)
    assert statistics_of(sums).pixel_mean == (1.0, 1.0, 1.0)


def test_many_images_lose_no_bit() -> None:
    """The standard deviation of a billion nearly equal pixels, where a float64 sum of squares would be at its end."""
    sums = ChannelSums()
    one = sums_of_image(np.array([[[254, 254, 254], [255, 255, 255]]], np.uint8))
    for _ in range(40):
        sums, one = sums + one, one + one
    assert statistics_of(sums).pixel_std == pytest.approx([0.5 / 255] * 3, rel=1e-14)


def test_files_are_decoded_once_whatever_the_number_of_workers(tmp_path: Path) -> None:
    files, digests = [], []
    for number in range(24):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(encoded(smooth(50 + number, 60, number)))
        files.append(file)
        digests.append(sha256_of_bytes(file.read_bytes()))
    one, several = channel_table(files, digests, LIMITS, 1), channel_table(files, digests, LIMITS, 3)
    pd.testing.assert_frame_equal(one, several)
    expected = sum((sums_of_image(pillow_rgb(file.read_bytes())) for file in files), ChannelSums())
    assert sums_of_table(one) == expected
    stored = tmp_path / "table.parquet"
    one.to_parquet(stored)
    for file in files[:20]:
        file.unlink()
    again = channel_table(files, digests, LIMITS, 2, known=pd.read_parquet(stored).iloc[:20])
    pd.testing.assert_frame_equal(again, one)
    with pytest.raises(ManifestError, match=r"0\.jpg cannot be used: No such file"):
        channel_table(files, digests, LIMITS, known=one.iloc[1:])
    digests[21] = "0" * 64
    with pytest.raises(ManifestError, match=r"21\.jpg has changed since the scan"):
        channel_table(files, digests, LIMITS, known=one.iloc[:20])


def test_no_image_is_refused() -> None:
    with pytest.raises(ManifestError, match="no image decodes whole"):
        statistics_of(sums_of_table(channel_table([], [], LIMITS)))
    with pytest.raises(ManifestError, match="without pixels"):
        sums_of_image(np.zeros((0, 5, 3), np.uint8))


def test_verdicts_see_what_is_missing() -> None:
    one = statistics_of(sums_of_image(pictures()[0]))
    assert statistics_plausible(one, 1).passed
    assert statistics_plausible(one, 2).stops
    assert "constant" in statistics_plausible(statistics_of(sums_of_image(pictures()[4])), 1).summary
    table = pd.DataFrame([("ab", *range(1, 8)), ("cd", *range(1, 8))], columns=TABLE_COLUMNS)
    assert table_covers(table, ["ab", "cd"]).passed
    assert table_covers(table, ["cd", "ab"]).stops
    assert table_covers(table, ["ab"]).stops


def test_they_are_shown_beside_imagenets_and_the_documents() -> None:
    rows = comparison(statistics_of(sums_of_image(np.full((2, 2, 3), 51, np.uint8))))
    assert [row["of"] for row in rows][2:] == ["ImageNet", "the document's example"]
    assert rows[0]["mean red"] == rows[1]["mean blue"] == pytest.approx(0.2)
    published = EfficientNet_B0_Weights.IMAGENET1K_V1.transforms()
    assert (list(IMAGENET.mean), list(IMAGENET.std)) == (published.mean, published.std)
    assert rows[2]["std blue"] == 0.225
    assert rows[3]["mean red"] == 0.91
