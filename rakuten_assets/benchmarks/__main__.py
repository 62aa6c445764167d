"""`python -m rakuten_assets.benchmarks NAME`: measure, print tables with ratios, and write JSON where asked."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rakuten_assets.benchmarks.choices import USUAL as CHOICES
from rakuten_assets.benchmarks.measuring.tables import markdown_table, write_json
from rakuten_assets.errors import RakutenAssetsError, SettingsError
from rakuten_assets.runtime.console import run_command
from rakuten_assets.runtime.machine import machine_summary, usable_cores
from rakuten_assets.synthetic import generate_catalog
from rakuten_assets.synthetic.plan import FULL_TEST_ROWS, FULL_TRAIN_ROWS
from rakuten_assets.units import human_bytes, human_duration

SYNTHETIC_SEED = 7
IMAGE_SUFFIXES = {".jpg", ".jpeg"}


def main(arguments: Sequence[str] | None = None) -> int:
    started = time.perf_counter()
    options = _parser().parse_args(arguments)
    print(_machine(), flush=True)
    try:
        with _workspace(options.work) as work:
            rows = options.measure(options, work)
    except (RakutenAssetsError, ModuleNotFoundError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        write_json(options.json, rows)
    print(f"took {human_duration(time.perf_counter() - started)}")
    return 0


def _extraction(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import extraction

    files = _distinct(_images(options, work))
    wanted = extraction.WARM_UP_IMAGES + options.n
    if len(files) < wanted:
        print(f"{len(files)} distinct images are there, fewer than {wanted}: all of them are used")
    chosen = extraction.contestants(with_torch=not options.without_torch)
    rows = extraction.compare(files[:wanted], work / "storage", options.rounds, options.workers, chosen)
    print(extraction.report(rows))
    return rows


def _integrity(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import integrity

    files = _images(options, work)
    rows = integrity.compare(_image_folder(options, work), files, options.rounds, options.workers)
    print(f"{len(files):,} images")
    print(integrity.report(rows))
    return rows


def _scan(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import integrity

    if options.images is None:
        _generate(work, options.n, options.test_rows)
    files = _image_files(_image_folder(options, work))
    rows = integrity.compare_scan(files, options.rounds, options.workers)
    print(f"{len(files):,} images")
    print(markdown_table(rows, integrity.COLUMNS))
    return rows


def _head(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    import numpy as np

    from rakuten_assets.benchmarks import head

    if (options.features is None) != (options.labels is None):
        raise SettingsError("--features and --labels go together: give both, or neither for synthetic ones")
    if options.features is not None:
        features, labels = head.stored_features(options.features, options.labels)
    else:
        features, labels = head.synthetic_features(options.n, options.dimensions)
    rows = head.measure(features, labels, np.arange(len(labels)), options.rounds)
    print(head.report(rows))
    return rows


def _backbones(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.backbones.entries import ENTRIES
    from rakuten_assets.benchmarks import backbones, extraction

    names = options.names.split(",") if options.names else [entry.name for entry in ENTRIES]
    accuracies = backbones.parse_accuracies(options.accuracy, names)
    engines = [one for one in extraction.contestants(with_torch=not options.without_torch) if one.engine]
    rows = backbones.measure(
        names,
        work / "storage",
        options.n,
        options.seconds,
        options.workers,
        engines,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(backbones.report(rows, accuracies))
    return rows


def _cuda(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import device

    files = _distinct(_images(options, work))[: options.n]
    rows = device.measure(files, work / "storage", options.workers)
    print(f"{len(files):,} images, {options.workers} threads")
    print(device.report(rows))
    device.refuse_other_rows(rows)
    return rows


def _choices(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import choices, extraction

    chosen = choices.parse(options.choices)
    catalog = options.data_dir
    if catalog is None:
        _generate(work, options.n + 64, 16, faults=False)
        catalog = work / "catalog"
    files = _distinct(_image_files(catalog / "images"))[: extraction.WARM_UP_IMAGES + options.n]
    rows = choices.compare(catalog, files, work / "storage", options.rounds, options.workers, chosen)
    print(f"{len(files) - extraction.WARM_UP_IMAGES:,} images, {options.rounds} rounds")
    print(markdown_table(rows, choices.COLUMNS))
    return rows


def _loader(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import loader

    files = _images(options, work)[: options.n]
    rows = loader.compare(files, options.workers, options.rounds)
    print(f"{len(files):,} images, {options.workers} workers, batches of 32")
    print(markdown_table(rows, loader.COLUMNS))
    return rows


def _incremental(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    return _reruns(options, work, (0.0, 0.01, 0.1))


def _overhead(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import overhead

    rows = overhead.measure(_workplace(options, work), options.n + options.test_rows, options.rounds)
    print(markdown_table(rows, overhead.COLUMNS))
    return rows


def _quickstart(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import quickstart
    from rakuten_assets.benchmarks.measuring.graph import Workplace

    workplace = Workplace(None, work / "storage", work / "dagster_home", options.shards)
    rows = quickstart.measure(workplace.run, options.shards, options.rounds)
    print(markdown_table(rows, quickstart.COLUMNS))
    return rows


def _full(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    return _reruns(options, work, (0.0, 0.01))


def _reruns(options: argparse.Namespace, work: Path, shares: Sequence[float]) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import incremental

    workplace = _workplace(options, work)
    train = sorted((work / "catalog" / "images" / "image_train").iterdir())
    rows = incremental.measure(workplace, train, options.n + options.test_rows, shares)
    print(incremental.report(rows))
    return rows


def _near_duplicates(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import near_duplicates

    rows = near_duplicates.compare([options.n], options.rounds, options.workers)
    print(markdown_table(rows, near_duplicates.COLUMNS))
    return rows


def _store(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import store

    rows = store.compare(work / "rows", options.n, options.dimensions, options.rounds)
    print(markdown_table(rows, store.COLUMNS))
    return rows


def _scale(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    from rakuten_assets.benchmarks import scale

    plans = [
        scale.Plan(
            images=images,
            dim=options.dimensions,
            shards=options.shards,
            workers=options.machines,
            images_per_second=options.images_per_second,
            get_price=options.get_price,
            put_price=options.put_price,
            memory=options.memory,
        )
        for images in options.images
    ]
    rows, text = scale.table(plans, options.workers)
    print(text)
    return rows


def _workplace(options: argparse.Namespace, work: Path) -> Any:
    from rakuten_assets.benchmarks.measuring.graph import Workplace

    _generate(work, options.n, options.test_rows)
    return Workplace(work / "catalog", work / "storage", work / "dagster_home", options.shards)


def _images(options: argparse.Namespace, work: Path) -> list[Path]:
    """The images of `--images`, or of a synthetic catalogue without faults."""
    if options.images is None:
        _generate(work, options.n + 64, 16, faults=False)
    return _image_files(_image_folder(options, work))


def _image_folder(options: argparse.Namespace, work: Path) -> Path:
    folder: Path | None = options.images
    return folder or work / "catalog" / "images"


def _image_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def _distinct(files: Sequence[Path]) -> list[Path]:
    from rakuten_assets.storage.files import sha256_of_file

    return list({sha256_of_file(file): file for file in reversed(files)}.values())[::-1]


def _generate(work: Path, train_rows: int, test_rows: int, faults: bool = True) -> None:
    generate_catalog(
        work / "catalog", train_rows=train_rows, test_rows=test_rows, seed=SYNTHETIC_SEED, faults=faults
    )


def _machine() -> str:
    summary = machine_summary()
    features = [name for name in summary["cpu_features"] if name.startswith(("avx512", "amx"))]
    return (
        f"machine: {summary['cpu']}, {summary['usable_cores']} cores ({', '.join(features) or 'no AVX-512'}), "
        f"{human_bytes(summary['memory_bytes'])} memory, {summary['os']}, Python {summary['python']}"
    )


@contextlib.contextmanager
def _workspace(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="rakuten_benchmark_") as temporary:
        yield Path(temporary)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rakuten_assets.benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="NAME")

    def add(name: str, help_text: str, measure: Any, n: int, rounds: int) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("--n", type=int, default=n, help=f"number of images (default: {n:,})")
        command.add_argument("--rounds", type=int, default=rounds, help=f"default: {rounds}")
        command.add_argument(
            "--workers", type=int, default=usable_cores(), help="threads or processes (default: usable cores)"
        )
        command.add_argument("--json", type=Path, help="also write the rows to this file")
        command.add_argument(
            "--work", type=Path, help="folder to work in and keep (default: a temporary one)"
        )
        command.set_defaults(measure=measure, images=None)
        return command

    command = add("extraction", "extraction beside the document's loop and a DataLoader", _extraction, 300, 3)
    command.add_argument("--images", type=Path, help="folder of JPEG images (default: synthetic ones)")
    command.add_argument("--without-torch", action="store_true", help="leave our torch engine out")
    command = add(
        "choices", "backbones and precisions in turns, from files to stored rows", _choices, 1600, 8
    )
    command.add_argument(
        "--choices", default=CHOICES, metavar="NAME:PRECISION,...", help=f"default: {CHOICES}"
    )
    command.add_argument(
        "--data-dir", type=Path, help="the challenge's folder (default: a synthetic catalogue)"
    )
    command = add("loader", "the training loader beside a plain DataLoader of torchvision", _loader, 512, 5)
    command.add_argument("--images", type=Path, help="folder of JPEG images (default: synthetic ones)")
    command = add("backbones", "what each backbone costs on this machine", _backbones, 64, 1)
    command.add_argument(
        "--seconds", type=float, default=3.0, help="of inference, twice, for each of them (default: 3)"
    )
    command.add_argument("--names", default="", help="backbones with commas between (default: all)")
    command.add_argument("--accuracy", default="", help="NAME=SCORE,... on your own labels, for the choice")
    command.add_argument("--without-torch", action="store_true", help="leave our torch engine out")
    command = add("cuda", "the GPU's rows beside the CPU's, and its speed in f32 and bf16", _cuda, 3000, 1)
    command.add_argument("--images", type=Path, help="folder of JPEG images (default: synthetic ones)")
    command = add("integrity", "the integrity report beside cleanvision", _integrity, 2000, 2)
    command.add_argument("--images", type=Path, help="folder of images (default: synthetic ones)")
    command = add(
        "scan", "the scan beside a loop of Pillow's load(), full-size catalogue", _scan, FULL_TRAIN_ROWS, 1
    )
    command.add_argument("--images", type=Path, help="folder of images (default: synthetic ones)")
    command.add_argument("--test-rows", type=int, default=FULL_TEST_ROWS, help=f"default: {FULL_TEST_ROWS:,}")
    command = add(
        "head", "the logistic head beside scikit-learn's, on full-size features", _head, FULL_TRAIN_ROWS, 1
    )
    command.add_argument(
        "--dimensions", type=int, default=1280, help="of synthetic features (default: 1,280)"
    )
    command.add_argument("--features", type=Path, help=".npy of features (default: synthetic ones)")
    command.add_argument("--labels", type=Path, help=".npy of the class codes of their rows")
    add("near-duplicates", "the exact hash search over drawn images, with and without kernels", _near_duplicates,
        2_000_000, 1)  # fmt: skip
    command = add(
        "store", "opening a store of many rows, beside a dictionary of its keys", _store, 2_000_000, 1
    )
    command.add_argument("--dimensions", type=int, default=4, help="of the rows (default: 4)")
    command = add("quickstart", "the README's first command, again, and a refresh", _quickstart, 0, 3)
    command.add_argument("--shards", type=int, default=16, help="default: 16")
    _add_scale(add("scale", "a catalogue of any size on paper, and where it breaks first", _scale, 0, 1))
    for name, help_text, measure, n, rounds in (
        ("incremental", "a re-run's cost against the share of changed images", _incremental, 5000, 1),
        ("overhead", "what Dagster adds to the bare work", _overhead, 20_000, 1),
        ("full", "the full-size synthetic catalogue through the real graph", _full, FULL_TRAIN_ROWS, 1),
    ):
        command = add(name, help_text, measure, n, rounds)
        default = FULL_TEST_ROWS if name == "full" else n // 6
        command.add_argument("--test-rows", type=int, default=default, help=f"default: {default:,}")
        command.add_argument("--shards", type=int, default=16, help="default: 16")
    return parser


def _add_scale(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--images",
        type=int,
        nargs="+",
        default=[100_000, 10_000_000, 100_000_000],
        help="numbers of images (default: 100 thousand, 10 and 100 million)",
    )
    for name, kind, default, help_text in (
        ("dimensions", int, 1280, "of a feature vector"),
        ("shards", int, 0, "0: the proposed number"),
        ("machines", int, 1, "that share the shards"),
        ("images-per-second", float, 100.0, "of one machine, from files to rows"),
        ("get-price", float, 0.0004, "of a thousand requests that read"),
        ("put-price", float, 0.005, "of a thousand requests that write or list"),
        ("memory", float, 24e9, "bytes of a machine"),
    ):
        command.add_argument(
            f"--{name}", type=kind, default=default, help=f"{help_text} (default: {default:,})"
        )


if __name__ == "__main__":
    sys.exit(run_command(main))
