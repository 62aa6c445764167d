"""`python -m rakuten_assets.predict DIR --out predictions.csv`: the class of every picture below a folder.

| exit status | means |
|---|---|
| 0 | the predictions were written |
| 2 | none were: a wrong argument, no picture, no head, an unwritable `--out` |
| 70 | none were: a defect of this program |
| 130 | interrupted |
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rakuten_assets.errors import CatalogError
from rakuten_assets.runtime.console import refusals_told, run_command
from rakuten_assets.settings import Settings
from rakuten_assets.storage.writable import refuse_unwritable

if TYPE_CHECKING:
    from rakuten_assets.predict.folder import FolderPredictions

_MOST_SAID = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _parser().parse_args(arguments)
    return refusals_told(lambda: _run(given), given.folder, "no predictions were written")


def _run(given: argparse.Namespace) -> int:
    _check(given)
    settings = Settings.load(**_overrides(given))
    # Not before the arguments are right: pandas and the decoders take a second to import.
    from rakuten_assets.pages.spreadsheet import csv_bytes
    from rakuten_assets.predict.folder import predict_folder
    from rakuten_assets.storage.files import write_bytes

    found = predict_folder(settings, given.folder, given.extractor, given.runners_up)
    write_bytes(given.out, csv_bytes(found.table))
    _say(found, given.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.predict",
        description="Predict the class of every picture below a folder, by the head that the graph trained.",
        epilog="The CSV has a line a picture: path (below DIR), prdtypecode, probability, then the runners-up "
        "(prdtypecode_2, probability_2, ...), predicted_by, reason and detail. A picture that does not decode whole is "
        "predicted by the classes' shares of the training rows: predicted_by is 'prior', and reason says why.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder of pictures, at any depth")
    parser.add_argument("--out", metavar="CSV", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--storage", metavar="DIR", help="storage that holds the head; default: RAKUTEN_STORAGE"
    )
    parser.add_argument(
        "--extractor",
        metavar="NAME",
        default="",
        help="whose head and features; default: the first that is evaluated (RAKUTEN_EVALUATE)",
    )
    parser.add_argument(
        "--runners-up",
        metavar="N",
        type=_count,
        default=2,
        help="further classes told of each picture (default: 2)",
    )
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _check(given: argparse.Namespace) -> None:
    if not given.folder.is_dir():
        what = "is a file, not a folder" if given.folder.exists() else "does not exist"
        raise CatalogError(f"the folder {given.folder} {what}; give the folder that holds the pictures")
    if given.out.is_dir():
        raise CatalogError(
            f"--out {given.out} is a folder; give the name of a file in it, such as predictions.csv"
        )
    # Known now, and not after the pictures have been read.
    refuse_unwritable(given.out, "choose another --out")


def _overrides(given: argparse.Namespace) -> dict[str, Any]:
    return {} if given.storage is None else {"storage": given.storage}


def _say(found: FolderPredictions, out: Path) -> None:
    total, bad = len(found.table), found.by_prior
    print(
        f"{total:,} pictures; {total - len(bad):,} predicted, {len(bad):,} unreadable and predicted by the prior"
    )
    for path, reason in bad[["path", "reason"]].head(_MOST_SAID).itertuples(index=False):
        print(f"  {path}: {reason}")
    if len(bad) > _MOST_SAID:
        print(f"  and {len(bad) - _MOST_SAID:,} more; the column `reason` has all of them")
    for what, count in found.omissions:
        print(f"  not looked at: {count:,} {what}")
    if found.seeded:
        print(
            "warning: the extractor's weights are seeded (random): these predictions mean nothing. Name another with "
            "--extractor, such as efficientnet_lite0",
            file=sys.stderr,
        )
    print(f"predictions: {out}")


if __name__ == "__main__":
    sys.exit(run_command(main))
