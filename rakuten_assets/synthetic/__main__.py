"""`python -m rakuten_assets.synthetic DIR`: make a synthetic catalogue of any size."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets.runtime.console import run_command
from rakuten_assets.synthetic.catalog import FAULTS_FILE, SyntheticCatalog
from rakuten_assets.synthetic.generate import generate_catalog
from rakuten_assets.synthetic.plan import (
    DEFAULT_SEED,
    DEFAULT_TEST_ROWS,
    DEFAULT_TRAIN_ROWS,
    FULL_TEST_ROWS,
    FULL_TRAIN_ROWS,
)
from rakuten_assets.units import human_bytes, human_count, human_duration


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, generate, print a summary. Exit status 1: refused; the reason is on standard error."""
    options = _parser().parse_args(arguments)
    train_rows, test_rows = options.train_rows, options.test_rows
    if options.full:
        train_rows, test_rows = FULL_TRAIN_ROWS, FULL_TEST_ROWS
    started = time.monotonic()
    try:
        catalog = generate_catalog(
            options.folder, train_rows, test_rows, options.seed, not options.no_faults, options.workers
        )
    except RakutenAssetsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was left behind", file=sys.stderr)
        return 130
    print(_summary(catalog, time.monotonic() - started))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.synthetic",
        description="Make a synthetic catalogue in the exact layout of the Rakuten challenge: three CSV files, "
        "500x500 progressive JPEGs of 27 classes in their real proportions, and a known sprinkle of faults. "
        "The same parameters give the same bytes, whatever the number of workers. A folder that holds "
        "anything else is never touched; a catalogue of the same parameters is reused.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to make")
    parser.add_argument(
        "--train-rows",
        type=int,
        default=DEFAULT_TRAIN_ROWS,
        metavar="N",
        help="train rows (default: %(default)s)",
    )
    parser.add_argument(
        "--test-rows",
        type=int,
        default=DEFAULT_TEST_ROWS,
        metavar="N",
        help="test rows (default: %(default)s)",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"the real size and class counts: {FULL_TRAIN_ROWS:,} train and {FULL_TEST_ROWS:,} test rows "
        "(about 2.5 GB)",
    )
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, metavar="S", help="default: %(default)s")
    parser.add_argument(
        "--workers",
        type=_positive,
        default=None,
        metavar="N",
        help="processes to draw with (default: all usable cores)",
    )
    parser.add_argument("--no-faults", action="store_true", help="healthy images only, without duplicates")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _summary(catalog: SyntheticCatalog, seconds: float) -> str:
    made = "found, reused" if catalog.reused else f"generated in {human_duration(seconds)}"
    rate = "" if catalog.reused else f", {catalog.images / max(seconds, 1e-9):,.0f} images/s"
    mean = catalog.image_bytes / max(catalog.images, 1)
    lines = [
        f"{catalog.root}: {made}{rate}",
        f"  rows    {human_count(catalog.train_rows)} train, {human_count(catalog.test_rows)} test, "
        f"seed {catalog.seed}",
        f"  images  {human_count(catalog.images)}, {human_bytes(catalog.image_bytes)} "
        f"({human_bytes(mean)} on average)",
    ]
    if catalog.fault_counts:
        total = sum(catalog.fault_counts.values())
        kinds = ", ".join(f"{kind} {human_count(count)}" for kind, count in catalog.fault_counts.items())
        lines.append(f"  faults  {human_count(total)} rows, listed in {FAULTS_FILE}: {kinds}")
    else:
        lines.append("  faults  none")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_command(main))
