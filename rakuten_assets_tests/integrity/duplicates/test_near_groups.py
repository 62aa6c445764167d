"""Groups with a memory of earlier outcomes are the groups without one, and cost less."""

from __future__ import annotations

import re
import shutil
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.integrity.duplicates import near_groups, shelf, verification
from rakuten_assets.integrity.duplicates.comparison_memory import ComparisonMemory
from rakuten_assets.integrity.duplicates.groups import duplicate_groups
from rakuten_assets_tests.images.pictures import encoded
from rakuten_assets_tests.integrity.gallery import brighter, cropped, product, save, scanned

_SMALL = (90, 80, 110, 120)
# Chains of copies, lookalikes that are none, and equal pixels in different files.
PICTURES = {
    "a.jpg": product(1),
    "a_quality.jpg": encoded(product(1), quality=60),
    "a_comment.jpg": encoded(product(1), comment="another file"),
    "a_bright.jpg": brighter(product(1), 1.04),
    "a_cropped.jpg": cropped(product(1), 0.02),
    "a_more.jpg": cropped(product(1), 0.04),
    "b.jpg": product(2),
    "b_cropped.jpg": cropped(product(2), 0.01),
    "small_1.jpg": product(4, _SMALL),
    "small_2.jpg": product(5, _SMALL),
    "small_3.jpg": product(6, _SMALL),
    "broken.jpg": encoded(product(7))[:500],
}


class Gallery:
    """A folder of images that are scanned once, and runs over some of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = dict(zip(PICTURES, save(folder, PICTURES), strict=True))
        self.scan = scanned(list(self.paths.values())).set_index("file", drop=False)

    def groups(self, names=None, stale=(), memory=None, distance=30, log=None) -> pd.DataFrame:
        """Groups of some of the images; the files of the `stale` ones are not what was scanned."""
        names = list(PICTURES) if names is None else list(names)
        paths = [self.folder / "gone" if name in stale else self.paths[name] for name in names]
        found = duplicate_groups(
            self.scan.loc[names], paths, distance=distance, workers=2, memory=memory, log=log
        )
        return found.set_index("file")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Gallery:
    return Gallery(tmp_path_factory.mktemp("gallery"))


@pytest.fixture
def work(monkeypatch) -> dict[str, list]:
    """What is read and what is decoded from here on."""
    done: dict[str, list] = {"read": [], "decoded": []}
    read, decode = shelf.unchanged_bytes, shelf.small_picture

    def counted_read(path, sha256):
        done["read"].append(path.name)
        return read(path, sha256)

    def counted_decode(*given):
        done["decoded"].append(given)
        return decode(*given)

    monkeypatch.setattr(shelf, "unchanged_bytes", counted_read)
    monkeypatch.setattr(shelf, "small_picture", counted_decode)
    return done


_NAMES = st.lists(st.sampled_from(list(PICTURES)), unique=True, max_size=len(PICTURES))
_RUN = st.tuples(_NAMES, st.sets(st.sampled_from(list(PICTURES)), max_size=2), st.sampled_from([6, 10, 30]))


@given(st.lists(_RUN, min_size=1, max_size=5), st.booleans())
@settings(max_examples=30, deadline=None)
def test_no_history_changes_a_group(gallery, tmp_path_factory, runs, everything_first):
    """Images come, go, change places and change after the scan; the memory may know all, some or nothing."""
    memory = tmp_path_factory.mktemp("memory")
    if everything_first:
        gallery.groups(memory=memory)
    for names, stale, distance in runs:
        found = gallery.groups(names, stale, memory, distance)
        pd.testing.assert_frame_equal(found, gallery.groups(names, stale, None, distance))


def test_the_second_run_decodes_nothing_and_reads_only_verified_files(gallery, tmp_path, work):
    first = gallery.groups(memory=tmp_path)
    assert len(work["decoded"]) >= 8
    work["read"].clear()
    work["decoded"].clear()
    said: list[str] = []
    second = gallery.groups(memory=tmp_path, log=said.append)
    pd.testing.assert_frame_equal(second, first)
    assert work["decoded"] == []
    assert set(work["read"]) <= set(first.index[first["near_size"] > 1])
    assert "judged by earlier runs, 0 compared on pixels" in said[0]


def test_a_new_image_is_compared_and_pairs_of_others_are_not(gallery, tmp_path, work):
    others = [name for name in PICTURES if name != "small_2.jpg"]
    gallery.groups(others, memory=tmp_path, distance=64)
    expected = gallery.groups(distance=64)
    said: list[str] = []
    pd.testing.assert_frame_equal(gallery.groups(memory=tmp_path, distance=64, log=said.append), expected)
    found, known, compared = (
        int(text) for text in re.findall(r"(\d+) (?:candidate|of them|compared)", said[0])
    )
    assert known >= 3
    assert 1 <= compared <= found - known
    work["decoded"].clear()
    gallery.groups([name for name in PICTURES if name != "b.jpg"], memory=tmp_path, distance=64)
    assert work["decoded"] == []


def test_pairs_within_a_group_are_compared_once_what_joined_them_is_gone(gallery, tmp_path, monkeypatch):
    """In the first run a pair is passed over as joined through a third picture; nothing is known of it."""
    monkeypatch.setattr(near_groups, "_PAIRS_AT_ONCE", 1)
    family = [name for name in PICTURES if name[0] == "a"]
    gallery.groups(family, memory=tmp_path)
    for gone in family:
        left = [name for name in family if name != gone]
        pd.testing.assert_frame_equal(gallery.groups(left, memory=tmp_path), gallery.groups(left))


def test_a_file_that_changed_since_the_scan_joins_nothing_and_is_not_remembered(gallery, tmp_path):
    pair = ["b.jpg", "b_cropped.jpg"]
    for stale, size in (
        (["b.jpg"], 1),  # nothing is known, and nothing is learned
        ([], 2),
        (["b_cropped.jpg"], 1),  # known to be the same, but not what lies there now
        ([], 2),
    ):
        assert gallery.groups(pair, stale, tmp_path)["near_size"].tolist() == [size, size]


def test_a_file_that_changes_while_it_is_compared_has_no_outcome(gallery, tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "_MOST_VERSIONS_KEPT", 0)  # every file is read for its outline, then again
    reads: dict[str, int] = {}
    read = shelf.unchanged_bytes

    def once(path, sha256):
        reads[path.name] = reads.get(path.name, 0) + 1
        return read(path, sha256) if reads[path.name] == 1 else None

    pair = ["b.jpg", "b_cropped.jpg"]
    with monkeypatch.context() as patch:
        patch.setattr(shelf, "unchanged_bytes", once)
        assert gallery.groups(pair, memory=tmp_path)["near_size"].tolist() == [1, 1]
    assert gallery.groups(pair, memory=tmp_path)["near_size"].tolist() == [2, 2]


def test_a_replaced_file_is_another_file(gallery, tmp_path):
    """A name says nothing: what is known belongs to the content."""
    other = Gallery(tmp_path / "other")
    memory = tmp_path / "memory"
    other.groups(memory=memory)
    shutil.copy(other.paths["small_1.jpg"], other.paths["b_cropped.jpg"])
    shutil.copy(other.paths["b.jpg"], other.paths["small_1.jpg"])
    other.scan = scanned(list(other.paths.values())).set_index("file", drop=False)
    groups = other.groups(memory=memory)
    pd.testing.assert_frame_equal(groups, other.groups())
    assert groups.loc["b.jpg", "near_group"] == groups.loc["small_1.jpg", "near_group"]
    assert groups.loc["b.jpg", "near_group"] != groups.loc["b_cropped.jpg", "near_group"]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "another file"])
def test_a_damaged_memory_is_said_and_made_anew(gallery, tmp_path, damage, work):
    first = gallery.groups(memory=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "cut": whole[:-1],
            "flipped": whole[:-1] + bytes([whole[-1] ^ 1]),  # an outcome turned round
            "another file": b"PAR1" * 100,
        }[damage]
    )
    said: list[str] = []
    pd.testing.assert_frame_equal(gallery.groups(memory=tmp_path, log=said.append), first)
    assert [("damaged" in text, "verified" in text) for text in said] == [(True, False), (False, True)]
    assert file.read_bytes() == whole
    work["decoded"].clear()
    gallery.groups(memory=tmp_path)
    assert work["decoded"] == []


def test_other_thresholds_or_another_pillow_do_not_see_the_memory(gallery, tmp_path, monkeypatch, work):
    gallery.groups(memory=tmp_path)
    basis = shelf.comparison_basis()
    for module, name, value in (
        (verification, "THRESHOLDS", verification.Thresholds(0.9, 12.0)),
        (verification, "_POSSIBLE", verification.Thresholds(0.7, 54.0)),
        (verification, "ZOOMS", (*verification.ZOOMS[:-1], 0.036)),
        (verification, "_WHITE", 239),
        (verification, "_LEAST_CONTENT", 1 / 32),
        (verification, "VERIFICATION_VERSION", "another"),
        (shelf, "_PICTURE_SIDE", 95),
        (shelf, "SCAN_VERSION", "another"),
        (shelf.PIL, "__version__", "99.0"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert shelf.comparison_basis() != basis, name
    work["decoded"].clear()
    monkeypatch.setattr(shelf.PIL, "__version__", "99.0")
    gallery.groups(memory=tmp_path)
    assert len(work["decoded"]) >= 8
    assert len(list(tmp_path.iterdir())) == 2


def test_the_memory_does_not_grow_with_what_is_gone(gallery, tmp_path):
    sizes = []
    names = list(PICTURES)
    rng = np.random.default_rng(0)
    for _ in range(12):
        gallery.groups([names[at] for at in rng.permutation(12)[:7]], memory=tmp_path)
        (file,) = tmp_path.iterdir()
        sizes.append(file.stat().st_size)
    assert max(sizes) <= 600 + 7 * 32 + 21 * 9


def test_a_bucket_holds_the_memory_as_well(gallery, work):
    bucket = UPath(f"memory://{uuid.uuid4().hex}/near_pairs")
    first = gallery.groups(memory=bucket)
    work["decoded"].clear()
    pd.testing.assert_frame_equal(gallery.groups(memory=bucket), first)
    assert work["decoded"] == []


def test_what_a_run_compares_does_not_depend_on_what_the_memory_calls_alike(gallery, tmp_path):
    """A pair that is known to be the same but is no candidate at this distance stays apart, as without a memory."""
    wide = gallery.groups(memory=tmp_path, distance=64)
    narrow = gallery.groups(memory=tmp_path, distance=0)
    pd.testing.assert_frame_equal(narrow, gallery.groups(distance=0))
    assert narrow["near_group"].nunique() > wide["near_group"].nunique()


def test_verification_gives_the_numbers_that_its_version_stands_for():
    """When this fails, `VERIFICATION_VERSION` must change with it: old outcomes would be believed otherwise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    pictures = coarse.repeat(4, axis=1).repeat(4, axis=2)
    pictures[:, :6] = 250
    noisy = np.clip(pictures + rng.normal(0, 25, pictures.shape), 0, 255).astype(np.uint8)
    correlation, residual = verification.compare(pictures, noisy)
    outlines = verification.outline(noisy[None, 0])
    assert verification.VERIFICATION_VERSION == "1"
    np.testing.assert_allclose(correlation, GOLDEN[0], rtol=1e-4)
    np.testing.assert_allclose(residual, GOLDEN[1], rtol=1e-4)
    assert int(outlines.astype(np.int64).sum()) == GOLDEN[2]


GOLDEN = ([0.959643, 0.958134, 0.958786, 0.963382], [25.2766, 23.0243, 23.848, 23.4445], 114365)


def test_a_memory_lies_where_it_is_said_to(gallery, tmp_path):
    gallery.groups(memory=tmp_path / "cache" / "near_pairs")
    digests = gallery.scan.loc[gallery.scan["status"] == "ok", "sha256"].tolist()
    memory = ComparisonMemory(tmp_path / "cache" / "near_pairs", shelf.comparison_basis(), digests)
    left, right = memory.alike()
    assert len(left) >= 2
    assert all(digests[at] in set(gallery.scan["sha256"]) for at in (*left, *right))
