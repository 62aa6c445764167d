"""`python -m rakuten_assets.integrity DIR --out DIR`: the integrity report of any folder of images.

Exit status: 0 when the report was written, whatever it says; 1 with `--fail-on` when that is found, and only then; 2
when there is nothing to report on (a missing folder, a wrong argument); 70 for a defect of the program.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rakuten_assets.console import run_command
from rakuten_assets.errors import RakutenAssetsError

if TYPE_CHECKING:
    import pandas as pd

    from rakuten_assets.integrity.collection import ImageCollection
    from rakuten_assets.integrity.reporting.report import IntegrityReport

_MAX_FILE_BYTES = 50_000_000
_MAX_PIXELS = 50_000_000
_WRITTEN, _FOUND, _REFUSED, _INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    # Not before the arguments are right: pandas and the decoders take a second to import.
    from rakuten_assets.integrity.gate import gate_kinds

    try:
        gates = [gate for text in given.fail_on for gate in text.split(",") if gate]
        fatal = gate_kinds(gates)
        _check_folders(given.folder, given.out)
        report = _report(given)
        from rakuten_assets.integrity.reporting.report import HTML_FILE, write_report

        write_report(report, given.out)
    except RakutenAssetsError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or given.out}: {error.strerror or error}")
    except KeyboardInterrupt:
        print("interrupted; no report was written", file=sys.stderr)
        return _INTERRUPTED
    found = report.findings["kind"].isin(fatal)
    _say(report, given.out / HTML_FILE)
    if found.any():
        kinds = ", ".join(
            f"{kind} {count:,}" for kind, count in report.findings.loc[found, "kind"].value_counts().items()
        )
        print(f"--fail-on {','.join(gates)}: found {kinds}", file=sys.stderr)
        return _FOUND
    return _WRITTEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.integrity",
        description="Look at every image of a folder and report what is the matter: unreadable files, duplicates, "
        "label conflicts, train/test twins, oddities. A folder laid out as the challenge's (three CSV files and "
        "images/) is read with its labels and splits; of any other folder all image files, at any depth.",
        epilog="In OUT: report.html, summary.json, findings.csv, duplicates.csv, images.parquet. Exit status: 0 when "
        "the report was written, 1 with --fail-on when that was found, 2 when there was nothing to report on.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of images")
    parser.add_argument(
        "--out", metavar="OUT", type=Path, required=True, help="folder to write the report into"
    )
    parser.add_argument(
        "--labels",
        metavar="CSV",
        type=Path,
        help="classes of the images: columns path, label, and perhaps split",
    )
    parser.add_argument(
        "--fail-on",
        metavar="WHAT",
        action="append",
        default=[],
        help="exit with 1 if it is found: unreadable, missing, blank, duplicates, near-duplicates, label-conflicts, "
        "twins, errors, warnings, or any kind of findings.csv; may be given several times",
    )
    parser.add_argument(
        "--workers", metavar="N", type=_positive, help="threads; default: all cores one may use"
    )
    parser.add_argument(
        "--near-distance",
        metavar="BITS",
        type=_distance,
        help="most bits by which perceptual hashes of near-duplicates may differ, 0 to 64; each pair is then compared "
        "on pixels, so more costs time and not precision (default: 10)",
    )
    parser.add_argument("--title", help="heading of the page")
    parser.add_argument("--max-file-bytes", metavar="N", type=_positive, default=_MAX_FILE_BYTES,
                        help="a larger file is refused unread")  # fmt: skip
    parser.add_argument("--max-pixels", metavar="N", type=_positive, default=_MAX_PIXELS,
                        help="an image with more pixels is refused undecoded")  # fmt: skip
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _distance(text: str) -> int:
    if not text.isdecimal() or int(text) > 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bits from 0 to 64")
    return int(text)


def _check_folders(folder: Path, out: Path) -> None:
    from rakuten_assets.errors import CatalogError

    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise CatalogError(f"the folder {folder} {what}; give the folder that holds the images")
    if out.exists() and not out.is_dir():
        raise CatalogError(f"--out {out} is a file; give a folder, which is made if it is not there")
    if out.resolve() == folder.resolve():
        raise CatalogError(
            f"--out {out} is the folder of the images itself; give another one, which may lie inside it"
        )


def _report(given: argparse.Namespace) -> IntegrityReport:
    import pandas as pd

    from rakuten_assets.images.decoding import DecodeLimits
    from rakuten_assets.integrity.collection import SYNTHETIC_MARKER, printable
    from rakuten_assets.integrity.duplicates.candidates import DEFAULT_DISTANCE
    from rakuten_assets.integrity.duplicates.groups import duplicate_groups
    from rakuten_assets.integrity.reading.scan import scan_images
    from rakuten_assets.integrity.reporting.report import build_report
    from rakuten_assets.machine import usable_cores
    from rakuten_assets.progress import Progress

    collection = _collection(given)
    workers = given.workers or usable_cores()
    limits = DecodeLimits(given.max_file_bytes, given.max_pixels)
    with Progress("scan", len(collection.paths)) as progress:
        scan = scan_images(collection.paths, limits, workers, _known(given.out), progress)
    table = collection.table
    images = pd.concat([table[["path"]], scan.reset_index(drop=True), table.drop(columns="path")], axis=1)
    distance = DEFAULT_DISTANCE if given.near_distance is None else given.near_distance
    groups = duplicate_groups(images, collection.paths, distance=distance, workers=workers)
    return build_report(
        images,
        groups,
        collection.paths,
        title=printable(given.title or f"Image integrity: {given.folder.resolve().name}"),
        unlisted=collection.unlisted,
        compare_with_real=not (given.folder / SYNTHETIC_MARKER).exists(),
        workers=workers,
    )


def _collection(given: argparse.Namespace) -> ImageCollection:
    from rakuten_assets.errors import CatalogError
    from rakuten_assets.integrity.collection import (
        challenge_collection,
        folder_collection,
        is_challenge_folder,
    )

    if not is_challenge_folder(given.folder):
        return folder_collection(given.folder, given.labels, skip=given.out)
    if given.labels is not None:
        raise CatalogError(
            f"{given.folder} has the challenge's tables, and its labels in them; leave --labels out"
        )
    return challenge_collection(given.folder)


def _known(out: Path) -> pd.DataFrame | None:
    """The scan of an earlier report in the same place: images that have not changed are not decoded again."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS
    from rakuten_assets.integrity.reporting.report import IMAGES_FILE

    try:
        # Opened here: Arrow takes no path that is not UTF-8.
        with (out / IMAGES_FILE).open("rb") as file:
            known: pd.DataFrame = pq.read_table(file, columns=SCAN_COLUMNS).to_pandas()
    except (OSError, pa.ArrowException):  # none there, or not one of ours
        return None
    return known


def _say(report: IntegrityReport, page: Path) -> None:
    from rakuten_assets.integrity.collection import printable
    from rakuten_assets.integrity.reporting.headline import verdict

    print(verdict(report))
    for about in report.summary["findings"].values():
        if about["rows"]:
            print(f"  {about['severity']:<8} {about['rows']:>8,}  {about['title']}")
    print(f"report: {printable(str(page))}")


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return _REFUSED


if __name__ == "__main__":
    sys.exit(run_command(main))
