"""The scan: right rows in the right order, whatever the workers, the faults and the history."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.images import memory
from rakuten_assets.images.header import read_header
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.integrity.reading import record, scan
from rakuten_assets.integrity.reading.measures import KERNELS
from rakuten_assets.integrity.reading.record import ImageRecord
from rakuten_assets.integrity.reading.scan import SCAN_SCHEMA, SCAN_VERSION, scan_images
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS, column_descriptions, scan_frame
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets_tests.images.pictures import encoded, smooth, with_size

LIMITS = DecodeLimits(max_file_bytes=200_000, max_pixels=1_000_000)
PLAIN = encoded(smooth(83, 61))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file of every kind; what a scan must say of each is in `EXPECTED`."""
    gif = encoded(smooth(20, 30), "GIF", save_all=True, append_images=[smooth(20, 30, 1)])
    contents = {
        "plain.jpg": PLAIN,
        "twin.jpg": PLAIN,
        "gray.jpg": encoded(smooth(40, 50).convert("L")),
        "cmyk.jpg": encoded(smooth(40, 50).convert("CMYK")),
        "tail.jpg": PLAIN + b"tail",
        "truncated.jpg": PLAIN[:-100],
        "corrupt.jpg": PLAIN[: (end := PLAIN.rfind(b"\xff\xda") + 20)] + bytes(20) + PLAIN[end + 20 :],
        "text.jpg": b"not an image at all",
        "empty.jpg": b"",
        "lie.jpg": with_size(PLAIN, 65_535, 65_535),
        "large.jpg": PLAIN + bytes(200_000),
        "picture.png": encoded(smooth(40, 50), "PNG"),
        "png.jpg": encoded(smooth(40, 51), "PNG"),
        "animated.gif": gif,
        "gif.jpg": gif,
        "deep.png": encoded(Image.new("I;16", (8, 8)), "PNG"),
        "blank.jpg": encoded(Image.new("RGB", (64, 64), (250, 250, 250))),
        "no_suffix": PLAIN,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.jpg").mkdir()
    return tmp_path


EXPECTED = {
    "plain.jpg": ("ok", "", "JPEG", "RGB", 83, 61),
    "twin.jpg": ("ok", "", "JPEG", "RGB", 83, 61),
    "gray.jpg": ("ok", "", "JPEG", "L", 40, 50),
    "cmyk.jpg": ("ok", "", "JPEG", "CMYK", 40, 50),
    "tail.jpg": ("ok", "trailing_bytes", "JPEG", "RGB", 83, 61),
    "truncated.jpg": ("unreadable", "truncated", "JPEG", "RGB", 83, 61),
    "corrupt.jpg": ("unreadable", "corrupt_scan", "JPEG", "RGB", 83, 61),
    "text.jpg": ("unreadable", "not_an_image", "", "", 0, 0),
    "empty.jpg": ("unreadable", "empty", "", "", 0, 0),
    "lie.jpg": ("unreadable", "too_many_pixels", "JPEG", "RGB", 65_535, 65_535),
    "large.jpg": ("unreadable", "file_too_large", "", "", 0, 0),
    "picture.png": ("ok", "", "PNG", "RGB", 40, 50),
    "png.jpg": ("ok", "wrong_format", "PNG", "RGB", 40, 51),
    "animated.gif": ("ok", "animated", "GIF", "P", 20, 30),
    "gif.jpg": ("ok", "animated", "GIF", "P", 20, 30),
    "deep.png": ("unreadable", "unsupported_mode", "PNG", "I;16", 8, 8),
    "blank.jpg": ("ok", "", "JPEG", "RGB", 64, 64),
    "no_suffix": ("ok", "", "JPEG", "RGB", 83, 61),
    "missing.jpg": ("missing", "missing", "", "", 0, 0),
    "plain.jpg/inside.jpg": ("missing", "missing", "", "", 0, 0),
    "folder.jpg": ("unreadable", "unreadable_file", "", "", 0, 0),
}


def paths(folder: Path) -> list[Path]:
    return [folder / name for name in EXPECTED]


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts decodes by the sha256 of what is decoded."""
    counts: Counter[str] = Counter()
    original = record.decode_pixels

    def counting(content: bytes, *rest: object) -> object:
        counts[sha256_of_bytes(content)] += 1
        return original(content, *rest)

    monkeypatch.setattr(record, "decode_pixels", counting)
    yield counts


def test_every_fault_is_a_row_of_its_own(folder: Path) -> None:
    frame = scan_images(paths(folder), LIMITS, workers=2)
    columns = ["status", "reason", "format", "mode", "width", "height"]
    found = dict(zip(EXPECTED, frame[columns].itertuples(index=False, name=None), strict=True))
    assert found == EXPECTED
    assert list(frame.index) == list(range(len(EXPECTED)))
    frame.index = pd.Index(EXPECTED)
    faulty = frame["reason"] != ""
    assert (frame.loc[faulty, "detail"] != "").all()
    assert (frame.loc[~faulty, "detail"] == "").all()
    assert frame.loc["tail.jpg", "detail"] == "4 bytes after the end of the image"
    assert frame.loc["png.jpg", "detail"] == "PNG in a file named *.jpg"
    assert "GIF in a file named *.jpg" in frame.loc["gif.jpg", "detail"]
    assert frame.loc["blank.jpg", ["blank", "near_blank"]].all()
    assert frame["blank"].sum() == 1


def test_what_is_not_ok_has_no_measures(folder: Path) -> None:
    frame = scan_images(paths(folder), LIMITS, workers=1)
    numbers = frame.select_dtypes("float").columns
    not_ok = frame["status"] != "ok"
    assert frame.loc[not_ok, numbers].isna().all(axis=None)
    assert frame.loc[~not_ok, numbers].notna().all(axis=None)
    assert (frame.loc[not_ok, ["phash", "dhash", "box_right"]] == 0).all(axis=None)
    assert (frame.loc[not_ok, "pixel_sha256"] == "").all()
    assert (frame.loc[~not_ok, "pixel_sha256"].str.len() == 64).all()


def test_bytes_and_hash_are_those_of_the_file(folder: Path) -> None:
    frame = scan_images(paths(folder), LIMITS, workers=1)
    for path, row in zip(paths(folder), frame.itertuples(), strict=True):
        if row.reason in ("missing", "unreadable_file"):
            assert (row.bytes, row.sha256) == (0, "")
            continue
        assert row.bytes == path.stat().st_size
        unread = row.reason in ("empty", "file_too_large")
        assert row.sha256 == ("" if unread else sha256_of_bytes(path.read_bytes()))


def test_the_order_and_the_bits_do_not_depend_on_the_workers(folder: Path) -> None:
    files = paths(folder) * 3
    one = scan_images(files, LIMITS, workers=1)
    for workers in (2, 3, 8):
        pd.testing.assert_frame_equal(scan_images(files, LIMITS, workers), one, check_exact=True)
    backwards = scan_images(files[::-1], LIMITS, workers=2)[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(backwards, one, check_exact=True)


def test_a_row_is_that_of_the_file_alone(folder: Path) -> None:
    together = scan_images(paths(folder), LIMITS, workers=2)
    for number, path in enumerate(paths(folder)):
        alone = scan_images([path], LIMITS, workers=1)
        pd.testing.assert_frame_equal(together.iloc[[number]].reset_index(drop=True), alone, check_exact=True)


def test_twins_are_decoded_once(folder: Path, decodes: Counter[str]) -> None:
    scan_images([folder / "plain.jpg", folder / "twin.jpg", folder / "no_suffix"], LIMITS, workers=1)
    assert decodes == {sha256_of_bytes(PLAIN): 1}


def test_known_images_are_not_decoded_again(folder: Path, decodes: Counter[str]) -> None:
    first = scan_images(paths(folder), LIMITS, workers=1)
    decodes.clear()
    second = scan_images(paths(folder), LIMITS, workers=2, known=first)
    pd.testing.assert_frame_equal(second, first, check_exact=True)
    # Only what depends on the file's name is looked at again.
    by_name = [
        sha256_of_bytes((folder / name).read_bytes()) for name in ("png.jpg", "gif.jpg", "animated.gif")
    ]
    assert decodes == Counter(by_name)


def test_known_rows_may_come_from_parquet(folder: Path, tmp_path: Path, decodes: Counter[str]) -> None:
    first = scan_images([folder / "plain.jpg"], LIMITS, workers=1)
    pq.write_table(pa.Table.from_pandas(first, SCAN_SCHEMA, preserve_index=False), tmp_path / "scan.parquet")
    decodes.clear()
    known = pd.read_parquet(tmp_path / "scan.parquet")
    second = scan_images([folder / "plain.jpg"], LIMITS, workers=1, known=known)
    pd.testing.assert_frame_equal(second, first, check_exact=True)
    assert not decodes


def test_a_changed_file_is_scanned_again(folder: Path) -> None:
    files = [folder / "plain.jpg", folder / "gray.jpg"]
    first = scan_images(files, LIMITS, workers=1)
    files[0].write_bytes(encoded(smooth(33, 44, 5)))
    second = scan_images(files, LIMITS, workers=1, known=first)
    assert (second.loc[0, "width"], second.loc[0, "height"]) == (33, 44)
    pd.testing.assert_frame_equal(second.iloc[1:], first.iloc[1:])


def test_a_repaired_file_is_scanned_again(folder: Path) -> None:
    file = folder / "truncated.jpg"
    first = scan_images([file], LIMITS, workers=1)
    file.write_bytes(PLAIN)
    assert list(scan_images([file], LIMITS, workers=1, known=first)["status"]) == ["ok"]


def test_rows_of_another_version_or_shape_are_not_reused(folder: Path, decodes: Counter[str]) -> None:
    first = scan_images([folder / "plain.jpg"], LIMITS, workers=1)
    for known in (
        first.assign(scan_version="0"),
        first.drop(columns="blur"),
        pd.DataFrame(),
        first.iloc[:0],
    ):
        decodes.clear()
        second = scan_images([folder / "plain.jpg"], LIMITS, workers=1, known=known)
        pd.testing.assert_frame_equal(second, first)
        assert decodes.total() == 1


def test_other_limits_are_judged_anew(folder: Path) -> None:
    file = folder / "plain.jpg"
    strict = DecodeLimits(200_000, 83 * 61 - 1)
    whole, refused = scan_images([file], LIMITS, 1), scan_images([file], strict, 1)
    assert (whole.loc[0, "reason"], refused.loc[0, "reason"]) == ("", "too_many_pixels")
    pd.testing.assert_frame_equal(scan_images([file], strict, 1, known=whole), refused)
    pd.testing.assert_frame_equal(scan_images([file], LIMITS, 1, known=refused), whole)


@pytest.mark.parametrize("name", ["plain.jpg", "picture.png"])
def test_another_limit_of_memory_is_judged_anew(folder: Path, name: str) -> None:
    strict = DecodeLimits(LIMITS.max_file_bytes, LIMITS.max_pixels, max_memory=10_000)
    whole, refused = scan_images([folder / name], LIMITS, 1), scan_images([folder / name], strict, 1)
    assert (whole.loc[0, "reason"], refused.loc[0, "reason"]) == ("", "too_much_memory")
    assert refused.loc[0, "detail"].endswith("allowed are 9.8 KiB (RAKUTEN_MAX_MEMORY)")
    pd.testing.assert_frame_equal(scan_images([folder / name], strict, 1, known=whole), refused)
    pd.testing.assert_frame_equal(scan_images([folder / name], LIMITS, 1, known=refused), whole)


def test_another_name_is_judged_anew(folder: Path) -> None:
    content = (folder / "picture.png").read_bytes()
    (folder / "picture.jpg").write_bytes(content)
    files = [folder / "picture.png", folder / "picture.jpg", folder / "picture.png"]
    frame = scan_images(files, LIMITS, workers=1)
    assert list(frame["reason"]) == ["", "wrong_format", ""]
    for known in (frame.iloc[[0]], frame.iloc[[1]]):
        pd.testing.assert_frame_equal(scan_images(files, LIMITS, workers=1, known=known), frame)


def test_the_schema_is_kept(folder: Path) -> None:
    frame = scan_images(paths(folder), LIMITS, workers=1)
    assert pa.Table.from_pandas(frame, SCAN_SCHEMA, preserve_index=False).schema == SCAN_SCHEMA
    assert list(frame.columns) == list(ImageRecord._fields) == SCAN_COLUMNS
    assert set(frame["scan_version"]) == {SCAN_VERSION}
    assert not frame.drop(columns=frame.select_dtypes("float").columns).isna().any(axis=None)
    assert frame.dtypes.equals(scan_frame([]).dtypes)


def test_every_column_is_described() -> None:
    assert list(column_descriptions()) == SCAN_COLUMNS == SCAN_SCHEMA.names
    for field in SCAN_SCHEMA:
        assert field.metadata[b"description"].decode() == column_descriptions()[field.name]


def test_no_files_are_no_rows() -> None:
    frame = scan_images([], LIMITS, workers=4)
    assert len(frame) == 0
    assert list(frame.columns) == SCAN_COLUMNS


def test_a_bucket_can_be_scanned() -> None:
    bucket = UPath("memory://scan-test")
    bucket.mkdir(parents=True, exist_ok=True)
    (bucket / "plain.jpg").write_bytes(PLAIN)
    (bucket / "large.jpg").write_bytes(bytes(200_001))
    files = [bucket / "plain.jpg", bucket / "large.jpg", bucket / "missing.jpg"]
    frame = scan_images(files, LIMITS, workers=2)
    assert list(frame["reason"]) == ["", "file_too_large", "missing"]
    assert list(frame["bytes"]) == [len(PLAIN), 200_001, 0]


def test_progress_counts_every_file(folder: Path) -> None:
    lines: list[str] = []
    with Progress("scan", len(EXPECTED), log=lines.append) as progress:
        scan_images(paths(folder), LIMITS, workers=2, progress=progress)
    assert progress.done == len(EXPECTED)
    assert lines


def scan_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("image-scan")]


@pytest.fixture
def many(tmp_path: Path) -> list[Path]:
    """400 different images, about half a second of work."""
    content = encoded(smooth(500, 500))
    files = [tmp_path / f"{number}.jpg" for number in range(400)]
    for number, file in enumerate(files):
        file.write_bytes(content + str(number).encode())
    return files


def test_an_interrupt_ends_the_scan_and_its_threads(
    many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    KERNELS.compiled()
    read: list[object] = []
    original = scan.read_image_file

    def counting(path: Path, limits: DecodeLimits) -> object:
        read.append(path)
        if len(read) == len(many):
            os.kill(os.getpid(), signal.SIGINT)
        return original(path, limits)

    monkeypatch.setattr(scan, "read_image_file", counting)
    with pytest.raises(KeyboardInterrupt):
        scan_images(many * 100, LIMITS, workers=2)
    assert len(read) < 50 * len(many), "the workers went on after the interrupt"
    assert len(read) < len(many) * 100
    assert not scan_threads()


def test_an_unexpected_error_ends_the_scan_and_names_the_file(
    many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = scan.record_of_content

    def failing(content: bytes, sha256: str, suffix: str, *rest: object) -> ImageRecord:
        if content.endswith(b"\xff\xd917"):
            raise MemoryError("no memory left")
        return original(content, sha256, suffix, *rest)

    monkeypatch.setattr(scan, "record_of_content", failing)
    with pytest.raises(MemoryError) as caught:
        scan_images(many, LIMITS, workers=2)
    assert caught.value.__notes__ == [f"while scanning {many[17]}"]
    assert not scan_threads()


def test_giants_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Limits in which one of these images fits beside no other.
    monkeypatch.setattr(memory, "_SMALL", 1000)
    monkeypatch.setattr(record, "DECODING", memory.MemoryBudget())
    original = record.decode_pixels
    lock = threading.Lock()
    at_once: list[int] = []

    def watched(content: bytes, *rest: object) -> object:
        assert lock.acquire(blocking=False), "two giants at once"
        try:
            at_once.append(1)
            time.sleep(0.001)
            return original(content, *rest)
        finally:
            lock.release()

    monkeypatch.setattr(record, "decode_pixels", watched)
    files = [tmp_path / f"{number}.jpg" for number in range(64)]
    for number, file in enumerate(files):
        file.write_bytes(encoded(smooth(60, 60, number)))
    most = max(read_header(file.read_bytes()).memory for file in files)
    assert set(scan_images(files, DecodeLimits(max_memory=most), workers=4)["status"]) == {"ok"}
    assert len(at_once) == 64


@pytest.mark.skipif("REAL_SAMPLE_DIR" not in os.environ, reason="REAL_SAMPLE_DIR is not set (private data)")
def test_the_real_sample_is_what_its_facts_say() -> None:
    files = sorted(Path(os.environ["REAL_SAMPLE_DIR"]).glob("**/image_*.jpg"))
    frame = scan_images(files, DecodeLimits(50_000_000, 50_000_000), workers=2)
    assert len(frame) == 594
    assert set(frame["status"]) == {"ok"}
    assert set(frame["reason"]) == {""}
    for column, value in {
        "format": "JPEG",
        "mode": "RGB",
        "width": 500,
        "height": 500,
        "progressive": True,
        "subsampling": "4:2:0",
        "quality": 80,
        "orientation": 0,
        "has_icc": False,
    }.items():
        assert set(frame[column]) == {value}, column
    across = (frame["box_left"] > 0) | (frame["box_right"] < 500)
    down = (frame["box_top"] > 0) | (frame["box_bottom"] < 500)
    # Of the full train set: 8.6 % none, 26.8 % one axis, 64.7 % both, 43 % removable; here classes are balanced.
    assert np.mean(~across & ~down) == pytest.approx(0.086, abs=0.04)
    assert np.mean(across ^ down) == pytest.approx(0.268, abs=0.06)
    assert np.mean(across & down) == pytest.approx(0.647, abs=0.06)
    assert frame["removable_share"].mean() == pytest.approx(0.43, abs=0.05)
