"""Put a planned catalogue on disk, whole or not at all.

- everything is written into a temporary folder beside the target, the marker last;
- the temporary folder is then renamed: a reader sees no folder or a whole one;
- one process at a time generates in a parent folder: a second one waits, finds the catalogue and reuses it.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rakuten_assets.dataset.layout import (
    IMAGE_FOLDERS,
    SPLITS,
    X_TEST_FILE,
    X_TRAIN_FILE,
    Y_TRAIN_FILE,
    Split,
)
from rakuten_assets.errors import WriteError
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.storage.files import TEMPORARY_SUFFIX, ways_out, write_bytes
from rakuten_assets.synthetic.catalog import (
    SyntheticCatalog,
    read_catalog,
    write_faults,
    write_marker,
)
from rakuten_assets.synthetic.plan import (
    DEFAULT_SEED,
    DEFAULT_TEST_ROWS,
    DEFAULT_TRAIN_ROWS,
    CatalogPlan,
    plan_catalog,
)
from rakuten_assets.synthetic.text import product_text
from rakuten_assets.synthetic.worker_pool import write_images

if os.name == "posix":
    import fcntl


def generate_catalog(
    root: Path,
    train_rows: int = DEFAULT_TRAIN_ROWS,
    test_rows: int = DEFAULT_TEST_ROWS,
    seed: int = DEFAULT_SEED,
    faults: bool = True,
    workers: int | None = None,
    log: Callable[[str], None] | None = None,
) -> SyntheticCatalog:
    """Make a synthetic catalogue in `root`, or find it there.

    The bytes of every file are a function of (train_rows, test_rows, seed, faults), whatever the number of
    workers. A folder that holds anything else is left alone.

    Args:
        root: the folder to make, on a local disk.
        train_rows: 27 or more; with 84,916 every class has exactly its real number of rows.
        test_rows: 1 or more; 13,812 at full size.
        seed: another seed gives other products, pictures and faults.
        faults: whether faults are injected (`synthetic_faults.csv` lists them).
        workers: processes to draw with; default: all cores that this process may use.
        log: where progress goes, a line each; default: standard error.

    Raises:
        CatalogError: for parameters that are not allowed, a target that holds something else.
        WriteError: for a full disk, or a place that cannot be written.
    """
    root = Path(root).absolute()
    plan_parameters = (train_rows, test_rows, seed, faults)
    found = read_catalog(root, *plan_parameters)
    if found is not None:
        return found
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with _only_generator(root.parent, log) as alone:
            found = read_catalog(root, *plan_parameters)
            if found is not None:
                return found
            if alone:
                _clear_leftovers(root)
            plan = plan_catalog(*plan_parameters)
            with _temporary_folder(root) as folder:
                catalog = _write(plan, root, folder, workers, log)
                _move(folder, root)
    except OSError as error:
        # A WriteError's own sentence speaks of a file in the scratch folder, which is gone by now.
        reason = error.reason if isinstance(error, WriteError) else error.strerror or error
        raise WriteError(
            f"the synthetic catalogue cannot be written to {root}: {reason}; nothing was left behind: "
            f"{ways_out(root, error)}",
            error.errno,
        ) from error
    return catalog


def _write(
    plan: CatalogPlan, root: Path, folder: Path, workers: int | None, log: Callable[[str], None] | None
) -> SyntheticCatalog:
    images_folder = folder / "images"
    for split in SPLITS:
        (images_folder / IMAGE_FOLDERS[split]).mkdir(parents=True)
    images = image_bytes = 0
    tasks = list(plan.image_tasks())
    with (
        Progress("synthetic catalogue", len(tasks), log=log) as progress,
        closing(write_images(tasks, images_folder, workers)) as chunks,  # Ends the workers, whatever happens.
    ):
        for written, size in chunks:
            images, image_bytes = images + written, image_bytes + size
            progress.advance(written)
    _write_products(plan, "train", folder / X_TRAIN_FILE)
    _write_products(plan, "test", folder / X_TEST_FILE)
    labels = ((row.index, row.code) for row in plan.split_rows("train"))
    _write_csv(folder / Y_TRAIN_FILE, ("", "prdtypecode"), labels)
    records = plan.fault_records()
    write_faults(folder, records)
    if hasattr(os, "sync"):
        os.sync()  # Once for all images: a flush for each would cost more than drawing it.
    counts: dict[str, int] = {}
    for record in records:
        counts[record.kind] = counts.get(record.kind, 0) + 1
    catalog = SyntheticCatalog(
        root=root,
        train_rows=plan.train_rows,
        test_rows=plan.test_rows,
        seed=plan.seed,
        faults=plan.faults,
        images=images,
        image_bytes=image_bytes,
        fault_counts=dict(sorted(counts.items())),
    )
    write_marker(folder, catalog)
    return catalog


def _write_products(plan: CatalogPlan, split: Split, path: Path) -> None:
    rows = plan.split_rows(split)
    texts = product_text([row.code for row in rows], f"{split}/{plan.seed}")
    lines = (
        (row.index, designation, description, row.product_id, row.image_id)
        for row, (designation, description) in zip(rows, texts, strict=True)
    )
    _write_csv(path, ("", "designation", "description", "productid", "imageid"), lines)


def _write_csv(path: Path, header: Iterable[str], lines: Iterable[Iterable[object]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    write_bytes(path, buffer.getvalue().encode())


@contextmanager
def _only_generator(parent: Path, log: Callable[[str], None] | None) -> Iterator[bool]:
    """Hold the lock on `parent`; yields whether it is held. Where it cannot be, the rename alone decides who wins."""
    if os.name != "posix":
        yield False
        return
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        yield _locked(descriptor, parent, log)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, parent: Path, log: Callable[[str], None] | None) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        line = f"waiting for another process that generates a synthetic catalogue in {parent}"
        if log is None:
            print(line, file=sys.stderr)
        else:
            log(line)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # Some network file systems have no locks on folders.
        return False
    return True


def _clear_leftovers(root: Path) -> None:
    """Remove the temporary folders of killed processes: while the lock is held, none of them is in use."""
    for folder in root.parent.iterdir():
        if folder.name.startswith(f".{root.name}.") and folder.name.endswith(TEMPORARY_SUFFIX):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _temporary_folder(root: Path) -> Iterator[Path]:
    """A new folder beside `root` that is gone when the block ends, unless it was renamed."""
    folder = root.with_name(f".{root.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}{TEMPORARY_SUFFIX}")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, root: Path) -> None:
    if root.is_dir():
        root.rmdir()  # Fails on a folder that is not empty: what another process put there is left alone.
    folder.rename(root)
