import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rakuten_assets.integrity.duplicates import near_groups, shelf
from rakuten_assets.integrity.duplicates.groups import GROUP_COLUMNS, LEVELS, duplicate_groups
from rakuten_assets_tests.images.pictures import encoded
from rakuten_assets_tests.integrity.gallery import (
    brighter,
    cropped,
    grouped,
    product,
    save,
    scan_table,
    scanned,
)

_SAMPLE = os.environ.get("REAL_SAMPLE_DIR", "")


def partition(groups: pd.DataFrame, level: str) -> list[list[str]]:
    """Groups of several files, by name."""
    sets = groups.groupby(f"{level}_group").groups.values()
    return sorted(sorted(names) for names in sets if len(names) > 1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Copies at every level, and lookalikes that are none."""
    white = Image.new("RGB", (200, 200), "white")
    nearly_grey = Image.fromarray(
        np.linspace(198, 204, 200, dtype=np.uint8).repeat(200).reshape(200, 200)
    ).convert("RGB")
    pictures = {
        "a.jpg": product(1),
        "a_copy.jpg": product(1),
        "a_comment.jpg": encoded(product(1), comment="another file"),
        "a_baseline.jpg": encoded(product(1), progressive=False),
        "a_quality.jpg": encoded(product(1), quality=60),
        "a_bright.jpg": brighter(product(1), 1.04),
        "b.jpg": product(2),
        "b_cropped.jpg": cropped(product(2), 0.01),
        "c.jpg": product(3),
        "small_1.jpg": product(4, (90, 80, 110, 120)),
        "small_2.jpg": product(5, (90, 80, 110, 120)),
        "small_3.jpg": product(6, (90, 80, 110, 120)),
        "white.jpg": white,
        "white_copy.jpg": white,
        "white_png.jpg": encoded(white, "PNG"),
        "grey.jpg": Image.new("RGB", (200, 200), (200, 200, 200)),
        "grey_lighter.jpg": Image.new("RGB", (200, 200), (203, 203, 203)),
        "nearly_grey.jpg": nearly_grey,
        "nearly_grey_again.jpg": encoded(nearly_grey, quality=90),
        "broken.jpg": encoded(product(7))[:500],
        "broken_copy.jpg": encoded(product(7))[:500],
        "empty.jpg": b"",
        "empty_too.jpg": b"",
    }
    paths = save(tmp_path_factory.mktemp("mixed"), pictures)
    return [*paths, paths[0].parent / "gone.jpg", paths[0].parent / "gone_too.jpg"]


def test_each_level_groups_what_it_says(mixed):
    """Pictures of hardly more than one colour are alike in every way, and are no near-duplicates."""
    assert (
        scanned(mixed).set_index("file").loc[["nearly_grey.jpg", "nearly_grey_again.jpg"], "near_blank"].all()
    )
    groups = grouped(mixed)
    white = ["white.jpg", "white_copy.jpg"]
    same_pixels = ["a.jpg", "a_baseline.jpg", "a_comment.jpg", "a_copy.jpg"]
    assert partition(groups, "exact") == [["a.jpg", "a_copy.jpg"], white]
    assert partition(groups, "pixel") == [same_pixels, [*white, "white_png.jpg"]]
    assert partition(groups, "near") == [
        sorted([*same_pixels, "a_bright.jpg", "a_quality.jpg"]),
        ["b.jpg", "b_cropped.jpg"],
        [*white, "white_png.jpg"],
    ]


def test_every_row_has_a_group_and_each_level_contains_the_one_before(mixed):
    groups = grouped(mixed)
    assert list(groups.columns) == list(GROUP_COLUMNS)
    assert groups.notna().all().all()
    for finer, coarser in itertools.pairwise(LEVELS):
        assert (groups.groupby(f"{finer}_group")[f"{coarser}_group"].nunique() == 1).all()
    for level in LEVELS:
        sizes = groups.groupby(f"{level}_group")[f"{level}_size"]
        assert (sizes.transform("size") == groups[f"{level}_size"]).all()
    assert (groups.loc[["broken.jpg", "broken_copy.jpg"], "exact_size"] == 1).all()
    assert (
        groups.loc[["empty.jpg", "empty_too.jpg", "gone.jpg", "gone_too.jpg"], "near_size"].tolist()
        == [1] * 4
    )


def test_groups_depend_on_neither_order_nor_threads_nor_batches(mixed, monkeypatch):
    expected = grouped(mixed, workers=1)
    monkeypatch.setattr(near_groups, "_PAIRS_AT_ONCE", 2)
    monkeypatch.setattr(shelf, "_MOST_VERSIONS_KEPT", 3)
    order = np.random.default_rng(0).permutation(len(mixed))
    shuffled = grouped([mixed[place] for place in order], workers=3)
    pd.testing.assert_frame_equal(shuffled.loc[expected.index], expected)


def test_a_group_keeps_its_id_when_other_files_come_and_go(mixed):
    before = grouped(mixed)
    after = grouped([path for path in mixed if path.name[0] != "b"])
    pd.testing.assert_frame_equal(after, before.loc[after.index])


def test_ids_do_not_depend_on_file_names(tmp_path):
    one = save(tmp_path / "one", {"x.jpg": product(1), "y.jpg": cropped(product(1))})
    other = save(tmp_path / "other", {"q.jpg": cropped(product(1)), "r.jpg": product(1)})
    assert set(grouped(one)["near_group"]) == set(grouped(other)["near_group"])


def test_the_index_and_what_identifies_a_row_are_kept(mixed):
    images = (
        scanned(mixed)
        .assign(split="train", row=range(len(mixed)), code=7)
        .set_index(np.arange(len(mixed)) * 3 + 5)
    )
    groups = duplicate_groups(images, mixed)
    assert groups.index.equals(images.index)
    assert list(groups.columns) == ["split", "row", "file", "code", *GROUP_COLUMNS]


def test_a_file_that_changed_since_the_scan_joins_nothing_on_pixels(tmp_path):
    paths = save(
        tmp_path,
        {"a.jpg": product(1), "b.jpg": encoded(product(1), quality=60), "c.jpg": cropped(product(1))},
    )
    images = scanned(paths)
    shutil.copy(tmp_path / "a.jpg", tmp_path / "b.jpg")
    (tmp_path / "c.jpg").unlink()
    assert duplicate_groups(images, paths)["near_size"].tolist() == [1, 1, 1]


def test_distance_decides_what_is_compared_and_pixels_what_is_joined(mixed):
    wide = grouped(mixed, distance=30)
    pd.testing.assert_frame_equal(wide, grouped(mixed))


def test_a_chain_of_copies_is_one_group(tmp_path):
    steps = [cropped(product(1), share) for share in (0.0, 0.02, 0.04)]
    paths = save(tmp_path, {f"{place}.jpg": step for place, step in enumerate(steps)})
    assert grouped(paths, distance=20)["near_size"].tolist() == [3, 3, 3]


def test_no_image_gives_an_empty_table():
    groups = duplicate_groups(scan_table(0), [])
    assert len(groups) == 0
    assert set(GROUP_COLUMNS) <= set(groups.columns)


def test_a_path_must_come_with_every_image():
    with pytest.raises(ValueError, match="one path an image"):
        duplicate_groups(scan_table(2), [])


def test_the_candidates_are_said(mixed):
    said = []
    grouped(mixed, log=said.append)
    assert len(said) == 1
    assert "verified" in said[0]


@pytest.mark.skipif(
    not (_SAMPLE and Path(_SAMPLE).is_dir()),
    reason=f"REAL_SAMPLE_DIR={_SAMPLE} is no folder"
    if _SAMPLE
    else "REAL_SAMPLE_DIR is not set (private data)",
)
@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [lambda picture: encoded(picture, quality=62), lambda picture: brighter(picture, 1.04), cropped],
    ids=["saved again", "brighter", "cropped"],
)
def test_real_images_join_their_copies_and_no_other_image(tmp_path, change):
    originals = sorted(Path(_SAMPLE).glob("images/*/*.jpg"))[::3]
    pictures = {}
    for path in originals:
        with Image.open(path) as image:
            pictures[f"copy_{path.name}"] = change(image.convert("RGB"))
    groups = grouped([*originals, *save(tmp_path, pictures)], workers=2)["near_group"]
    joined = [groups[path.name] == groups[f"copy_{path.name}"] for path in originals]
    assert np.mean(joined) >= 0.98
    assert groups.nunique() == len(groups) - sum(joined)
