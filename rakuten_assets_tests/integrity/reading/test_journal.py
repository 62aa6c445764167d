"""The journal of a scan under way: what a kill leaves is used, what is damaged is not, what is stored is removed."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.reading import record
from rakuten_assets.integrity.reading.journal import ScanJournal, sweep
from rakuten_assets.integrity.reading.record import ImageRecord
from rakuten_assets.integrity.reading.scan import MOST_ROWS_AT_RISK, scan_files
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS, scan_frame
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets_tests.images.pictures import encoded, smooth

LIMITS = DecodeLimits(max_file_bytes=200_000, max_pixels=1_000_000)
IMAGES = 1500

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
_REALS = st.floats(allow_nan=True, allow_infinity=False, width=64)
_OF_TYPE = {str: _TEXTS, int: st.integers(0, 2**63 - 1), bool: st.booleans(), float: _REALS}
_RECORDS = st.builds(
    ImageRecord,
    **{name: _OF_TYPE[kind] for name, kind in get_type_hints(ImageRecord).items()}
    | {"phash": st.integers(0, 2**64 - 1), "dhash": st.integers(0, 2**64 - 1)},
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Small pictures of different bytes."""
    folder = tmp_path_factory.mktemp("images")
    content = encoded(smooth(16, 16))
    files = [folder / f"{number:04d}.jpg" for number in range(IMAGES)]
    for number, file in enumerate(files):
        file.write_bytes(content + str(number).encode())
    return files


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


class DyingJournal(ScanJournal):
    """The process ends after so many pieces, before the next one is written."""

    def __init__(self, folder: Path, pieces: int) -> None:
        super().__init__(folder, "00")
        self.left = pieces

    def append(self, records: Sequence[ImageRecord], files: Sequence[str]) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().append(records, files)


class SlowJournal(ScanJournal):
    """Does not get on with its first piece until it is let."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "00")
        self.waits, self.may_go_on = threading.Event(), threading.Event()

    def append(self, records: Sequence[ImageRecord], files: Sequence[str]) -> None:
        self.waits.set()
        self.may_go_on.wait()
        super().append(records, files)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_RECORDS, _TEXTS), min_size=1, max_size=6))
def test_any_record_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[ImageRecord, str]]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    records, files = zip(*rows, strict=True)
    ScanJournal(folder, "03").append(records, files)
    found = ScanJournal(folder, "03").read()
    expected = scan_frame(records)
    pd.testing.assert_frame_equal(found[SCAN_COLUMNS], expected, check_exact=True)
    assert found["file"].tolist() == list(files)
    assert found["phash"].to_numpy().dtype == np.uint64


def test_an_empty_journal_has_no_rows(tmp_path: Path) -> None:
    found = ScanJournal(tmp_path / "none", "00").read()
    assert list(found.columns) == [*SCAN_COLUMNS, "file"]
    assert len(found) == 0


@pytest.mark.parametrize("workers", [1, 2, 40])
def test_a_scan_that_ends_early_loses_at_most_512_images(
    images: list[Path], tmp_path: Path, decodes: Counter[str], workers: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        scan_files(images, LIMITS, workers, journal=DyingJournal(tmp_path, 3))
    first = decodes.total()
    journal = ScanJournal(tmp_path, "00")
    known = journal.read()
    assert first - len(known) <= MOST_ROWS_AT_RISK
    assert len(known) >= 3 * MOST_ROWS_AT_RISK // 2
    again = scan_files(images, LIMITS, workers, [known], journal=journal)
    assert decodes.total() == first + again.measured
    assert again.measured == IMAGES - len(known)
    pd.testing.assert_frame_equal(again.frame, scan_files(images, LIMITS, 2).frame, check_exact=True)


def test_workers_wait_for_a_slow_journal(images: list[Path], tmp_path: Path, decodes: Counter[str]) -> None:
    journal = SlowJournal(tmp_path)
    scan = threading.Thread(target=scan_files, args=(images, LIMITS, 4), kwargs={"journal": journal})
    scan.start()
    assert journal.waits.wait(120)
    seen, still = -1, 0
    while still < 20:  # until nothing has moved for a while
        time.sleep(0.01)
        still = still + 1 if decodes.total() == seen else 0
        seen = decodes.total()
    journal.may_go_on.set()
    scan.join()
    assert seen <= MOST_ROWS_AT_RISK
    assert decodes.total() == IMAGES


def test_known_images_fill_no_journal(images: list[Path], tmp_path: Path) -> None:
    known = scan_files(images, LIMITS, 2).frame
    scan = scan_files(images, LIMITS, 2, [known], journal=ScanJournal(tmp_path, "00"))
    assert scan.measured == 0
    assert not list(tmp_path.iterdir())


def test_what_depends_on_the_name_is_known_under_the_same_name(tmp_path: Path, decodes: Counter[str]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    content = encoded(smooth(30, 30), "PNG")
    files = [folder / name for name in ("a.jpg", "b.jpeg", "c.png")]
    for file in files:
        file.write_bytes(content)
    first = scan_files(files, LIMITS, 1).frame.assign(file=[f"image_train/{file.name}" for file in files])
    assert first["reason"].tolist() == ["wrong_format", "wrong_format", ""]
    decodes.clear()
    again = scan_files(files, LIMITS, 1, [first])
    assert (again.measured, decodes.total()) == (0, 0)
    pd.testing.assert_frame_equal(again.frame, first.drop(columns="file"))
    files[0].rename(folder / "d.gif")
    renamed = scan_files([folder / "d.gif"], LIMITS, 1, [first.iloc[:2]])
    assert renamed.measured == 1
    assert renamed.frame["detail"].tolist() == ["PNG in a file named *.gif"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-40],
        lambda content: b"",
        lambda content: content[:1000] + b"\xff" + content[1001:],
        lambda content: b"not arrow at all",
    ],
)
def test_a_damaged_piece_is_passed_over_told_and_removed(damage, tmp_path: Path) -> None:
    whole, broken = (ImageRecord("ok", "", sha256=str(number) * 64) for number in (1, 2))
    writer = ScanJournal(tmp_path, "00")
    writer.append([whole], ["1.jpg"])
    (kept,) = tmp_path.iterdir()
    writer.append([broken], ["2.jpg"])
    (victim,) = set(tmp_path.iterdir()) - {kept}
    victim.write_bytes(damage(victim.read_bytes()))
    said: list[str] = []
    reader = ScanJournal(tmp_path, "00", said.append)
    assert reader.read()["file"].tolist() == ["1.jpg"]
    assert len(said) == 1
    assert victim.name in said[0]
    reader.clear()
    assert not list(tmp_path.iterdir())


def test_an_honest_digest_of_rubbish_is_no_piece(tmp_path: Path) -> None:
    for content in (b"rubbish", b"ARROW1\0\0" + bytes(200) + b"ARROW1"):
        (tmp_path / f"00-{sha256_of_bytes(content)[:32]}.arrow").write_bytes(content)
    said: list[str] = []
    assert len(ScanJournal(tmp_path, "00", said.append).read()) == 0
    assert len(said) == 2


def test_a_run_removes_what_it_has_seen_and_nothing_else(tmp_path: Path) -> None:
    def row(number: int) -> ImageRecord:
        return ImageRecord("ok", "", sha256=f"{number:064x}")

    left = ScanJournal(tmp_path, "00")
    left.append([row(1)], ["1.jpg"])
    mine, other, neighbour = (ScanJournal(tmp_path, key) for key in ("00", "00", "01"))
    assert mine.read()["file"].tolist() == other.read()["file"].tolist() == ["1.jpg"]
    mine.append([row(2)], ["2.jpg"])
    other.append([row(3)], ["3.jpg"])
    neighbour.append([row(4)], ["4.jpg"])
    mine.clear()
    assert ScanJournal(tmp_path, "00").read()["file"].tolist() == ["3.jpg"]
    assert ScanJournal(tmp_path, "01").read()["file"].tolist() == ["4.jpg"]
    other.clear()
    assert ScanJournal(tmp_path, "00").read().empty


def test_pieces_of_shards_that_are_no_more_are_swept_away(tmp_path: Path) -> None:
    for key in ("00", "15"):
        ScanJournal(tmp_path, key).append([ImageRecord("ok", "", sha256="1" * 64)], ["1.jpg"])
    old, young = (tmp_path / f".00-1.arrow.1.{name}.partial" for name in ("a", "b"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    sweep(tmp_path, {"00", "01"})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert names[0] == young.name
    assert names[1].startswith("00-")
    sweep(tmp_path / "nowhere", {"00"})


def test_a_bucket_can_hold_the_journal() -> None:
    bucket = UPath("memory://scan-journal")
    ScanJournal(bucket, "00").append([ImageRecord("ok", "", sha256="1" * 64)], ["1.jpg"])
    journal = ScanJournal(bucket, "00")
    assert journal.read()["file"].tolist() == ["1.jpg"]
    journal.clear()
    assert ScanJournal(bucket, "00").read().empty
