"""`python -m rakuten_assets.integrity DIR --out DIR`: the integrity report of any folder of images.

| exit status | means |
|---|---|
| 0 | the report was written, whatever it says |
| 1 | the report was written, and `--fail-on` found what it names; nothing else ends with 1 |
| 2 | no report: a wrong argument, a missing folder, no image, a label file that makes no sense, an unwritable `--out` |
| 3 | no report: `--fail-on` asks for what cannot be found here (label conflicts where there are no labels) |
| 70 | no report: a defect of this program |
| 130 | interrupted |
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets.runtime.console import run_command

if TYPE_CHECKING:
    import pandas as pd

    from rakuten_assets.images.limits import DecodeLimits
    from rakuten_assets.integrity.collecting.exclusion import Exclusion
    from rakuten_assets.integrity.collection import ImageCollection
    from rakuten_assets.integrity.reporting.report import IntegrityReport

_WRITTEN, _FOUND, _REFUSED, _UNDECIDABLE, _DEFECT, _INTERRUPTED = 0, 1, 2, 3, 70, 130
_MOST_OMISSIONS_SAID = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        return _run(given)
    except KeyboardInterrupt:
        _warn("interrupted; no report was written")
        return _INTERRUPTED
    except MemoryError:
        _warn("error: there is not enough memory; try fewer --workers or a smaller folder")
        return _REFUSED
    except Exception:
        _warn(traceback.format_exc())
        _warn("error: this is a defect of rakuten_assets; no report was written")
        return _DEFECT


def _run(given: argparse.Namespace) -> int:
    # Not before the arguments are right: pandas and the decoders take a second to import.
    from rakuten_assets.integrity.gate import GateInputError, gate_kinds, gate_names
    from rakuten_assets.integrity.reporting.report import HTML_FILE, write_report

    try:
        gates = gate_names(given.fail_on)
        fatal = gate_kinds(gates)
        _check_folders(given.folder, given.out)
        report = _report(given, gates)
    except GateInputError as error:
        _warn(f"error: {error}")
        return _UNDECIDABLE
    except RakutenAssetsError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or given.folder}: {error.strerror or error}")
    try:
        write_report(report, given.out)
    except OSError as error:
        return _refuse(
            f"the report cannot be written to {given.out}: {error.strerror or error}; free space there, correct its "
            "permissions, or choose another --out"
        )
    found = report.findings["kind"].isin(fatal)
    _say(report, given.out / HTML_FILE)
    if found.any():
        kinds = ", ".join(
            f"{kind} {count:,}" for kind, count in report.findings.loc[found, "kind"].value_counts().items()
        )
        _warn(f"--fail-on {','.join(gates)}: found {kinds}")
        return _FOUND
    return _WRITTEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.integrity",
        description="Look at every image of a folder and report what is the matter: unreadable files, duplicates, "
        "label conflicts, train/test twins, oddities. A folder laid out as the challenge's (three CSV files and "
        "images/), or one in which a single such folder lies, is read with its labels and splits; of any other folder "
        "all image files, at any depth, links followed.",
        epilog="In OUT: report.html, summary.json, findings.csv, duplicates.csv, images.parquet. Exit status: 0 when "
        "the report was written; 1 when --fail-on found what it names; 2 when no report could be made; 3 when "
        "--fail-on names what cannot be found for want of labels or splits; 70 for a defect of this program.",
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
        "--exclude",
        metavar="PATTERN",
        action="append",
        default=[],
        help="leave out files and folders whose name, or path within DIR, matches (* ? [abc]); may be given several "
        "times",
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
    parser.add_argument("--max-file-bytes", metavar="N", type=_positive,
                        help="a larger file is refused unread (default: RAKUTEN_MAX_FILE_BYTES, or 50 MB)")  # fmt: skip
    parser.add_argument("--max-pixels", metavar="N", type=_positive,
                        help="an image with more pixels is refused undecoded (default: RAKUTEN_MAX_PIXELS, or 50 "
                        "million)")  # fmt: skip
    parser.add_argument("--max-memory", metavar="N", type=_positive,
                        help="bytes of memory that images being decoded may take together; one that takes more by "
                        "itself is refused (default: RAKUTEN_MAX_MEMORY, or 600 MB)")  # fmt: skip
    return parser


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _distance(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bits from 0 to 64")
    return int(text)


def _check_folders(folder: Path, out: Path) -> None:
    from rakuten_assets.errors import CatalogError
    from rakuten_assets.storage.writable import refuse_unwritable

    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise CatalogError(f"the folder {folder} {what}; give the folder that holds the images")
    if out.exists() and not out.is_dir():
        raise CatalogError(f"--out {out} is a file; give a folder, which is made if it is not there")
    if out.resolve() == folder.resolve():
        raise CatalogError(
            f"--out {out} is the folder of the images itself; give another one, which may lie inside it"
        )
    # Known now, and not after the images have been read.
    refuse_unwritable(out, "choose another --out", is_folder=True)


def _report(given: argparse.Namespace, gates: Sequence[str]) -> IntegrityReport:
    import pandas as pd

    from rakuten_assets.integrity.collecting.exclusion import Exclusion
    from rakuten_assets.integrity.collecting.identity import printable
    from rakuten_assets.integrity.collection import SYNTHETIC_MARKER
    from rakuten_assets.integrity.duplicates.candidates import DEFAULT_DISTANCE
    from rakuten_assets.integrity.duplicates.groups import duplicate_groups
    from rakuten_assets.integrity.gate import check_inputs
    from rakuten_assets.integrity.reading.scan import scan_images
    from rakuten_assets.integrity.reporting.report import build_report
    from rakuten_assets.runtime.machine import usable_cores
    from rakuten_assets.runtime.progress import Progress

    exclude = Exclusion(given.exclude, given.folder)
    root, collection = _collection(given, exclude)
    print(f"reading {collection.mode}")
    idle = [f"--exclude {pattern!r} matches nothing that lies here" for pattern in exclude.without_effect()]
    for note in (*collection.notes, *idle):
        print(f"note: {note}")
    check_inputs(gates, collection.has_labels, collection.has_splits, "image_id" in collection.table)
    workers = given.workers or usable_cores()
    limits = _limits(given)
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
        title=printable(given.title or f"Image integrity: {root.resolve().name}"),
        mode=f"Looked at: {collection.mode}.",
        unlisted=collection.unlisted,
        omissions=collection.omissions,
        closed=collection.closed,
        notes=collection.notes,
        compare_with_real=not (root / SYNTHETIC_MARKER).exists(),
        workers=workers,
    )


def _limits(given: argparse.Namespace) -> DecodeLimits:
    from rakuten_assets.settings import Settings

    names = ("max_file_bytes", "max_pixels", "max_memory")
    return Settings.load(**{name: value for name in names if (value := getattr(given, name))}).limits


def _collection(given: argparse.Namespace, exclude: Exclusion) -> tuple[Path, ImageCollection]:
    """The folder that is reported on, which may lie below the given one, and its images."""
    from rakuten_assets.errors import CatalogError
    from rakuten_assets.integrity.collection import (
        challenge_collection,
        find_challenge_folders,
        folder_collection,
    )

    root: Path = given.folder
    found = find_challenge_folders(root, exclude)
    if found == [root]:
        if given.labels is not None:
            raise CatalogError(
                f"{root} has the challenge's tables, and its labels in them; leave --labels out"
            )
        return root, challenge_collection(root, exclude)
    if len(found) > 1 and given.labels is None:
        some = ", ".join(str(folder) for folder in found[:5])
        raise CatalogError(
            f"{len(found)} catalogues lie below {root}: {some}; give the folder of one of them, or --exclude the others"
        )
    if found and given.labels is None:
        exclude.enter(found[0].relative_to(root).as_posix())
        return found[0], challenge_collection(found[0], exclude)
    return root, folder_collection(root, given.labels, given.out, exclude)


def _known(out: Path) -> pd.DataFrame | None:
    """The scan of an earlier report in the same place: images that have not changed are not decoded again."""
    from rakuten_assets.errors import StoreError
    from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS
    from rakuten_assets.integrity.reporting.report import IMAGES_FILE
    from rakuten_assets.storage.tables import read_table

    try:
        known = read_table(out / IMAGES_FILE, IMAGES_FILE)
    except FileNotFoundError:
        return None
    except (StoreError, OSError) as error:
        print(f"note: the earlier report's table is not used, all images are read anew: {error}")
        return None
    return known[SCAN_COLUMNS] if set(SCAN_COLUMNS) <= set(known.columns) else None


def _say(report: IntegrityReport, page: Path) -> None:
    from rakuten_assets.integrity.collecting.identity import printable
    from rakuten_assets.integrity.reporting.headline import headline

    print(headline(report))
    for about in report.summary["findings"].values():
        if about["rows"]:
            print(f"  {about['severity']:<8} {about['rows']:>8,}  {about['title']}")
    omissions = report.summary["not_looked_at"]
    for about in omissions[:_MOST_OMISSIONS_SAID]:
        print(f"  not looked at: {about['count']:,} {about['what']} (first: {about['first']})")
    if left := omissions[_MOST_OMISSIONS_SAID:]:
        print(
            f"  not looked at: {sum(about['count'] for about in left):,} more, of {len(left)} further kinds"
        )
    print(f"report: {printable(str(page))}")


def _refuse(message: str) -> int:
    _warn(f"error: {message}")
    return _REFUSED


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_command(main))
