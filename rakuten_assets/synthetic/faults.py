"""The faults of the synthetic catalogue: which kinds there are, what a scan must say of each, which rows get one.

Unreadable and missing files together are about 0.5 % of a catalogue; groups of identical files are as frequent
as in the real train set (FACTS: 3,264 groups, 479 of them with conflicting labels). From 100 rows on every
kind occurs at least once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class FaultKind(StrEnum):
    """What is the matter with an injected row's image."""

    NONE = ""
    TRUNCATED = "truncated"
    CORRUPT_SCAN = "corrupt_scan"
    GARBAGE = "garbage"
    EMPTY = "empty"
    MISSING = "missing"
    TOO_MANY_PIXELS = "too_many_pixels"
    BLANK = "blank"
    NEAR_BLANK = "near_blank"
    GRAYSCALE = "grayscale"
    CMYK = "cmyk"
    ODD_SIZE = "odd_size"
    PNG_NAMED_JPG = "png_named_jpg"
    TRAILING_BYTES = "trailing_bytes"
    ANIMATED_GIF = "animated_gif"
    SAME_LABEL = "same_label"
    CONFLICTING_LABELS = "conflicting_labels"
    TRAIN_TEST_TWIN = "train_test_twin"
    PIXEL_TWIN = "pixel_twin"
    NEAR_DUPLICATE = "near_duplicate"


# Status and reason that an integrity scan must give (codes of `rakuten_assets.images.reasons`).
EXPECTED: dict[FaultKind, tuple[str, str]] = {
    FaultKind.TRUNCATED: ("unreadable", "truncated"),
    FaultKind.CORRUPT_SCAN: ("unreadable", "corrupt_scan"),
    FaultKind.GARBAGE: ("unreadable", "not_an_image"),
    FaultKind.EMPTY: ("unreadable", "empty"),
    FaultKind.MISSING: ("missing", "missing"),
    FaultKind.TOO_MANY_PIXELS: ("unreadable", "too_many_pixels"),
    FaultKind.PNG_NAMED_JPG: ("ok", "wrong_format"),
    FaultKind.TRAILING_BYTES: ("ok", "trailing_bytes"),
    FaultKind.ANIMATED_GIF: ("ok", "animated"),
}
_DECODES_WHOLE = ("ok", "")

UNREADABLE_KINDS = tuple(kind for kind, (status, _) in EXPECTED.items() if status != "ok")

# Faulty rows a row of the catalogue. The six unreadable kinds together: 0.51 %.
_SINGLE_RATES: dict[FaultKind, float] = {
    **dict.fromkeys(UNREADABLE_KINDS, 0.00085),
    FaultKind.BLANK: 0.0009,
    FaultKind.NEAR_BLANK: 0.0009,
    FaultKind.GRAYSCALE: 0.002,
    FaultKind.CMYK: 0.0009,
    FaultKind.ODD_SIZE: 0.002,
    FaultKind.PNG_NAMED_JPG: 0.0009,
    FaultKind.TRAILING_BYTES: 0.0015,
    FaultKind.ANIMATED_GIF: 0.0005,
}
_SAME_LABEL_GROUPS_A_TRAIN_ROW = (3264 - 479) / 84_916
_CONFLICTING_GROUPS_A_TRAIN_ROW = 479 / 84_916
_TWINS_A_TEST_ROW = 0.02
_PIXEL_TWINS_A_ROW = 0.0009
_NEAR_DUPLICATES_A_ROW = 0.003

# The real groups of one label hold 2.8 files on average, and nearly half of these files are of class 2583.
_SAME_LABEL_SIZES = (2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 8)
_MOST_DUPLICATED_CLASS = 2583
_MOST_DUPLICATED_SHARE = 0.47
_CONFLICTING_SIZES = (2, 2, 2, 3)
# 238 of the real 479 groups are 1280 against 1300; the others are neighbours in subject.
_CONFLICTING_CLASSES = (
    (1280, 1300),
    (2280, 2403),
    (1280, 1300),
    (10, 2705),
    (1280, 1300),
    (1140, 1280),
    (1280, 1300),
    (40, 2462),
    (1280, 1300),
    (1560, 2060),
)

ORIGINAL = "original"
PIXEL_TWIN_VARIANTS = ("comment", "baseline")
NEAR_DUPLICATE_VARIANTS = ("recompressed", "brightened", "cropped")

# Fewer readable train rows than this are left to no class: a stratified split needs two.
_READABLE_ROWS_KEPT = 2


@dataclass(frozen=True)
class FaultRecord:
    """One injected fault: where it is, and what a scan must find.

    Attributes:
        kind: a `FaultKind`.
        split: "train" or "test".
        row: 0-based position in the split's CSV.
        index: the CSV's first column.
        image_id, product_id: the row's ids.
        code: the row's class (of a test row: the class that was drawn).
        file: path relative to the images folder, e.g. "image_train/image_1_product_2.jpg".
        expected_status, expected_reason: codes of `rakuten_assets.images.reasons`.
        group: name shared by the rows of one group of duplicates, "" for a fault of one row.
        detail: how the fault was made; in a group of near or pixel duplicates, "original" marks the source.
    """

    kind: str
    split: str
    row: int
    index: int
    image_id: int
    product_id: int
    code: int
    file: str
    expected_status: str
    expected_reason: str
    group: str
    detail: str


class Fault(NamedTuple):
    """What is injected into one row: `ordinal` numbers the faults of a kind, `source` is the row it is drawn like."""

    kind: FaultKind
    ordinal: int
    source: int
    group: str
    detail: str


def expected_of(kind: FaultKind) -> tuple[str, str]:
    """Status and reason that a scan must give to a fault of this kind."""
    return EXPECTED.get(kind, _DECODES_WHOLE)


def sprinkle(train_codes: Sequence[int], test_codes: Sequence[int], seed: int) -> dict[int, Fault]:
    """Choose the rows that get a fault; a row gets one at most.

    Args:
        train_codes, test_codes: class of each row.

    Returns:
        position -> fault, where a position counts the train rows and then the test rows.
    """
    chooser = _Chooser(train_codes, test_codes, seed)
    rows = len(train_codes) + len(test_codes)
    for kind, rate in _SINGLE_RATES.items():
        for ordinal in range(_count(rate, rows)):
            chooser.single(kind, ordinal)
    for ordinal in range(_count(_TWINS_A_TEST_ROW, len(test_codes))):
        chooser.twin(ordinal)
    for ordinal in range(_count(_CONFLICTING_GROUPS_A_TRAIN_ROW, len(train_codes))):
        chooser.conflicting(ordinal)
    for ordinal in range(_count(_PIXEL_TWINS_A_ROW, rows)):
        chooser.pair(FaultKind.PIXEL_TWIN, ordinal, PIXEL_TWIN_VARIANTS)
    for ordinal in range(max(len(NEAR_DUPLICATE_VARIANTS), _count(_NEAR_DUPLICATES_A_ROW, rows))):
        chooser.pair(FaultKind.NEAR_DUPLICATE, ordinal, NEAR_DUPLICATE_VARIANTS)
    for ordinal in range(_count(_SAME_LABEL_GROUPS_A_TRAIN_ROW, len(train_codes))):
        chooser.same_label(ordinal)
    return dict(sorted(chooser.faults.items()))


def _count(rate: float, rows: int) -> int:
    return max(1, round(rate * rows))


class _Chooser:
    """Rows that are still free, in random order, and the faults given so far."""

    def __init__(self, train_codes: Sequence[int], test_codes: Sequence[int], seed: int) -> None:
        self.faults: dict[int, Fault] = {}
        self._random = random.Random(f"faults/{seed}")
        self._codes = [*train_codes, *test_codes]
        self._train_rows = len(train_codes)
        self._readable = Counter(train_codes)
        positions = list(range(len(self._codes)))
        self._random.shuffle(positions)
        self._all = positions
        self._train = [position for position in positions if position < self._train_rows]
        self._test = [position for position in positions if position >= self._train_rows]
        self._class: dict[int, list[int]] = {code: [] for code in sorted(self._readable)}
        for position in self._train:
            self._class[self._codes[position]].append(position)

    def single(self, kind: FaultKind, ordinal: int) -> None:
        unreadable = kind in UNREADABLE_KINDS
        while members := self._draw(self._all, 1):
            (position,) = members
            code = self._codes[position]
            if not (unreadable and position < self._train_rows):
                break
            if self._readable[code] > _READABLE_ROWS_KEPT:
                self._readable[code] -= 1
                break
        else:
            return
        self._give(kind, ordinal, [position], group="")

    def twin(self, ordinal: int) -> None:
        while twin := self._draw(self._test, 1):
            source = self._draw(self._class.get(self._codes[twin[0]], []), 1)
            if source:
                return self._give(FaultKind.TRAIN_TEST_TWIN, ordinal, source + twin)
        return None

    def conflicting(self, ordinal: int) -> None:
        first, second = _CONFLICTING_CLASSES[ordinal % len(_CONFLICTING_CLASSES)]
        third = self._random.choice((first, second))
        size = self._random.choice(_CONFLICTING_SIZES)
        one, other = self._draw(self._class.get(first, []), 1), self._draw(self._class.get(second, []), 1)
        if one and other:
            more = self._draw(self._class[third], 1) if size > len(one + other) else []
            self._give(FaultKind.CONFLICTING_LABELS, ordinal, one + other + more)

    def pair(self, kind: FaultKind, ordinal: int, variants: Sequence[str]) -> None:
        members = self._draw_of_one_class(2)
        if members:
            self._give(kind, ordinal, members, details=(ORIGINAL, variants[ordinal % len(variants)]))

    def same_label(self, ordinal: int) -> None:
        size = self._random.choice(_SAME_LABEL_SIZES)
        usual = self._random.random() < _MOST_DUPLICATED_SHARE
        members = self._draw(self._class.get(_MOST_DUPLICATED_CLASS, []), size, 2) if usual else []
        members = members or self._draw_of_one_class(size)
        if members:
            self._give(FaultKind.SAME_LABEL, ordinal, members)

    def _draw_of_one_class(self, size: int) -> list[int]:
        """Two to `size` free train rows of one class, which is a random row's class: frequent ones more often."""
        while chosen := self._draw(self._train, 1):
            members = self._draw(self._class[self._codes[chosen[0]]], size, 2)
            if members:
                return members
        return []

    def _draw(self, stack: list[int], most: int, least: int = 1) -> list[int]:
        """Take up to `most` free rows from the top of `stack`; none if it holds fewer than `least`."""
        chosen: list[int] = []
        while stack and len(chosen) < most:
            position = stack.pop()
            if position not in self.faults:
                chosen.append(position)
        if len(chosen) < least:
            stack.extend(reversed(chosen))
            return []
        return chosen

    def _give(
        self,
        kind: FaultKind,
        ordinal: int,
        members: list[int],
        *,
        group: str | None = None,
        details: Sequence[str] = ("",),
    ) -> None:
        name = f"{kind.value}-{ordinal:04d}" if group is None else group
        for rank, position in enumerate(members):
            self.faults[position] = Fault(
                kind, ordinal, members[0], name, details[min(rank, len(details) - 1)]
            )
