"""A synthetic catalogue on disk: its marker, which is written last and says what it was made from, and its faults.

`synthetic.json` holds the parameters and the counts, `synthetic_faults.csv` one line an injected fault. A
folder without the marker is not a synthetic catalogue, or not a whole one.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rakuten_assets.dataset.layout import X_TEST_FILE, X_TRAIN_FILE, Y_TRAIN_FILE
from rakuten_assets.errors import CatalogError, StoreError
from rakuten_assets.storage.files import sha256_of_bytes, sha256_of_file, write_bytes
from rakuten_assets.storage.records import read_mapping, read_record, write_record
from rakuten_assets.synthetic.faults import FaultRecord

MARKER_FILE = "synthetic.json"
FAULTS_FILE = "synthetic_faults.csv"
# Raised whenever the same parameters give other bytes.
GENERATOR_VERSION = "1"
_GENERATOR = "rakuten_assets synthetic catalogue"


@dataclass(frozen=True)
class SyntheticCatalog:
    """A whole synthetic catalogue on disk.

    Attributes:
        root: its folder, laid out as the challenge's.
        train_rows, test_rows, seed, faults: what it was made from.
        images: image files written (rows less missing files).
        image_bytes: their size together, in bytes.
        fault_counts: fault kind -> rows.
        reused: whether it was there already.
    """

    root: Path
    train_rows: int
    test_rows: int
    seed: int
    faults: bool
    images: int
    image_bytes: int
    fault_counts: dict[str, int]
    reused: bool = False

    def read_faults(self) -> tuple[FaultRecord, ...]:
        """Every injected fault, in the order of the rows (train, then test).

        Raises:
            CatalogError: if the fault file is missing or does not belong to this catalogue.
        """
        path = self.root / FAULTS_FILE
        if not path.is_file():
            raise CatalogError(f"{path} is missing; delete {self.root} and generate the catalogue again")
        recorded = _read_marker(self.root / MARKER_FILE).get("faults_sha256")
        try:
            content = path.read_bytes()
            if recorded is not None and sha256_of_bytes(content) != recorded:  # 0.1.0 recorded none.
                raise ValueError(f"its content does not have the sha256 that {MARKER_FILE} records")
            lines = csv.DictReader(io.StringIO(content.decode(), newline=""))
            records = tuple(_record_of(line) for line in lines)
        except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
            raise CatalogError(
                f"{path} is damaged ({error}); delete {self.root} and generate the catalogue again"
            ) from None
        if dict(Counter(record.kind for record in records)) != self.fault_counts:
            raise CatalogError(
                f"{path} does not list the faults that {MARKER_FILE} counts; delete {self.root} and generate the "
                "catalogue again"
            )
        return records


def write_faults(folder: Path, records: Iterable[FaultRecord]) -> None:
    """Write `synthetic_faults.csv`: a header and a line a fault."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_RECORD_FIELDS)
    writer.writerows([getattr(record, name) for name in _RECORD_FIELDS] for record in records)
    write_bytes(folder / FAULTS_FILE, buffer.getvalue().encode())


def write_marker(folder: Path, catalog: SyntheticCatalog) -> None:
    """Write `synthetic.json`: from here on the folder counts as whole."""
    content = {"generator": _GENERATOR, "version": GENERATOR_VERSION, **asdict(catalog)}
    del content["root"], content["reused"]
    content["faults_sha256"] = sha256_of_file(folder / FAULTS_FILE)
    # Not tied to its folder, which is renamed from here on.
    write_record(folder / MARKER_FILE, content, of=MARKER_FILE)


def read_catalog(
    root: Path, train_rows: int, test_rows: int, seed: int, faults: bool
) -> SyntheticCatalog | None:
    """The whole catalogue of these parameters in `root`; None where `root` does not exist or is an empty folder.

    Raises:
        CatalogError: if anything else is there: it is never overwritten.
    """
    if not root.exists() or (root.is_dir() and next(root.iterdir(), None) is None):
        return None
    way_out = "choose another folder, or delete this one yourself if nothing in it is needed"
    if not (root / MARKER_FILE).is_file():
        what = "holds files that are not a synthetic catalogue" if root.is_dir() else "is a file"
        raise CatalogError(f"{root} {what}, and is left alone; {way_out}")
    found = _read_marker(root / MARKER_FILE)
    wanted = {
        "version": GENERATOR_VERSION,
        "train_rows": train_rows,
        "test_rows": test_rows,
        "seed": seed,
        "faults": faults,
    }
    other = [
        f"{name} {found.get(name)!r} instead of {value!r}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if other:
        raise CatalogError(f"{root} holds another synthetic catalogue ({', '.join(other)}); {way_out}")
    lost = [
        name for name in (X_TRAIN_FILE, Y_TRAIN_FILE, X_TEST_FILE, FAULTS_FILE) if not (root / name).is_file()
    ]
    if lost:
        raise CatalogError(
            f"{root} has lost {', '.join(lost)}; delete the folder and generate the catalogue again"
        )
    try:
        return SyntheticCatalog(
            root=root,
            train_rows=train_rows,
            test_rows=test_rows,
            seed=seed,
            faults=faults,
            images=int(found["images"]),
            image_bytes=int(found["image_bytes"]),
            fault_counts={str(kind): int(count) for kind, count in found["fault_counts"].items()},
            reused=True,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogError(f"{root / MARKER_FILE} is damaged ({error!r}); {way_out}") from None


def _read_marker(path: Path) -> dict[str, Any]:
    try:
        content = read_mapping(path)
        # A marker of release 0.1.0 has no checksum, and exactly these keys.
        return content if set(content) == _FIRST_KEYS else read_record(path, of=MARKER_FILE)
    except (StoreError, OSError) as error:
        raise CatalogError(f"{error}; delete its folder and generate the catalogue again") from None


_FIRST_KEYS = {
    "generator", "version", "train_rows", "test_rows", "seed", "faults", "images", "image_bytes", "fault_counts",
}  # fmt: skip
_RECORD_FIELDS = tuple(field.name for field in fields(FaultRecord))
_NUMBERS = ("row", "index", "image_id", "product_id", "code")


def _record_of(line: dict[str, str]) -> FaultRecord:
    values: dict[str, Any] = dict(line)
    for name in _NUMBERS:
        values[name] = int(line[name])
    return FaultRecord(**values)
