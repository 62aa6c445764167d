"""What a synthetic catalogue holds, decided from (rows, seed) alone: classes, ids and faults of every row.

- as many rows a class as in the real train set, in proportion: at full size exactly as many;
- ids are unique within a split and disjoint between splits, product ids past 32 bits of a signed integer;
- a picture is named by (class, picture seed): rows of a group of duplicates share one name, and nothing else
  about them needs to be coordinated.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS, KNOWN_TEST_ROWS, KNOWN_TRAIN_ROWS
from rakuten_assets.dataset.layout import IMAGE_FOLDERS, Split, image_file_name
from rakuten_assets.errors import CatalogError
from rakuten_assets.synthetic.encoding import ImageTask
from rakuten_assets.synthetic.faults import Fault, FaultKind, FaultRecord, expected_of, sprinkle

DEFAULT_TRAIN_ROWS = 960
DEFAULT_TEST_ROWS = 144
DEFAULT_SEED = 42
FULL_TRAIN_ROWS = KNOWN_TRAIN_ROWS
FULL_TEST_ROWS = KNOWN_TEST_ROWS
MOST_ROWS = 200_000

# Bounds of the real ids.
_IMAGE_IDS = range(157_000_000, 1_329_000_000)
_PRODUCT_IDS = range(200_000, 4_251_000_000)

_HEALTHY = Fault(FaultKind.NONE, 0, -1, "", "")


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One product: a line of a CSV and, unless its fault is to be missing, an image file."""

    split: Split
    row: int
    index: int
    image_id: int
    product_id: int
    code: int
    picture_code: int
    picture_seed: int
    fault: Fault

    @property
    def file(self) -> str:
        """Path relative to the images folder."""
        return f"{IMAGE_FOLDERS[self.split]}/{image_file_name(self.image_id, self.product_id)}"


@dataclass(frozen=True)
class CatalogPlan:
    """The parameters and the rows: all train rows, then all test rows, in the order of their CSVs."""

    train_rows: int
    test_rows: int
    seed: int
    faults: bool
    rows: tuple[PlannedRow, ...]

    def split_rows(self, split: Split) -> tuple[PlannedRow, ...]:
        """The rows of one split, in the order of its CSV."""
        return self.rows[: self.train_rows] if split == "train" else self.rows[self.train_rows :]

    def image_tasks(self) -> Iterator[ImageTask]:
        """What to draw into which file, a row each; a missing file has none."""
        for row in self.rows:
            if row.fault.kind is not FaultKind.MISSING:
                fault = row.fault
                yield ImageTask(
                    row.file,
                    row.picture_code,
                    row.picture_seed,
                    fault.kind.value,
                    fault.ordinal,
                    fault.detail,
                )

    def fault_records(self) -> tuple[FaultRecord, ...]:
        """Every injected fault, in the order of the rows."""
        return tuple(_record(row) for row in self.rows if row.fault.kind is not FaultKind.NONE)


def plan_catalog(train_rows: int, test_rows: int, seed: int, faults: bool = True) -> CatalogPlan:
    """Decide every row of a catalogue.

    Raises:
        CatalogError: for a number of rows or a seed that is not allowed.
    """
    _refuse_wrong_parameters(train_rows, test_rows, seed)
    train_codes = _shuffled_codes(train_rows, f"train/{seed}")
    test_codes = _shuffled_codes(test_rows, f"test/{seed}")
    codes = train_codes + test_codes
    image_ids = random.Random(f"image ids/{seed}").sample(_IMAGE_IDS, len(codes))
    product_ids = random.Random(f"product ids/{seed}").sample(_PRODUCT_IDS, len(codes))
    injected = sprinkle(train_codes, test_codes, seed) if faults else {}
    rows = []
    for position, code in enumerate(codes):
        fault = injected.get(position, _HEALTHY)
        source = position if fault.source < 0 else fault.source
        split: Split = "train" if position < train_rows else "test"
        rows.append(
            PlannedRow(
                split=split,
                row=position if split == "train" else position - train_rows,
                index=position,
                image_id=image_ids[position],
                product_id=product_ids[position],
                code=code,
                picture_code=codes[source],
                picture_seed=_picture_seed(seed, source),
                fault=fault,
            )
        )
    return CatalogPlan(train_rows, test_rows, seed, faults, tuple(rows))


def apportion(counts: Mapping[int, int], total: int) -> dict[int, int]:
    """Share `total` out in proportion to `counts` by largest remainders, one or two to the rarest where possible.

    >>> apportion({10: 6, 20: 3, 30: 1}, 20)
    {10: 12, 20: 6, 30: 2}
    """
    whole = sum(counts.values())
    shares = {code: divmod(count * total, whole) for code, count in counts.items()}
    result = {code: quotient for code, (quotient, _) in shares.items()}
    by_remainder = sorted(shares, key=lambda code: (-shares[code][1], code))
    for code in by_remainder[: total - sum(result.values())]:
        result[code] += 1
    least = min(2, total // len(counts))
    for code in sorted(result):
        while result[code] < least:
            result[max(result, key=lambda other: (result[other], other))] -= 1
            result[code] += 1
    return dict(sorted(result.items()))


def _shuffled_codes(total: int, salt: str) -> list[int]:
    codes = [code for code, count in apportion(KNOWN_CLASS_COUNTS, total).items() for _ in range(count)]
    random.Random(f"codes/{salt}").shuffle(codes)
    return codes


def _picture_seed(seed: int, position: int) -> int:
    digest = hashlib.blake2b(f"picture/{seed}/{position}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _record(row: PlannedRow) -> FaultRecord:
    status, reason = expected_of(row.fault.kind)
    return FaultRecord(
        kind=row.fault.kind.value,
        split=row.split,
        row=row.row,
        index=row.index,
        image_id=row.image_id,
        product_id=row.product_id,
        code=row.code,
        file=row.file,
        expected_status=status,
        expected_reason=reason,
        group=row.fault.group,
        detail=row.fault.detail,
    )


def _refuse_wrong_parameters(train_rows: int, test_rows: int, seed: int) -> None:
    classes = len(KNOWN_CLASS_COUNTS)
    if not classes <= train_rows <= MOST_ROWS:
        raise CatalogError(
            f"a synthetic catalogue of {train_rows:,} train rows cannot be made; allowed are {classes} (one a class) "
            f"to {MOST_ROWS:,}"
        )
    if not 1 <= test_rows <= MOST_ROWS:
        raise CatalogError(
            f"a synthetic catalogue of {test_rows:,} test rows cannot be made; allowed are 1 to {MOST_ROWS:,}"
        )
    if seed < 0:
        raise CatalogError(f"seed {seed} is negative; allowed are 0 and above")
