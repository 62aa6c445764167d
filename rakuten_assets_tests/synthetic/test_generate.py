import csv
import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from rakuten_assets.dataset.contract import check_catalog, read_labels, read_products
from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.errors import CatalogError, WriteError
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import write_errors_told
from rakuten_assets.synthetic import SyntheticCatalog, generate, generate_catalog, worker_pool
from rakuten_assets.synthetic.catalog import MARKER_FILE
from rakuten_assets.synthetic.plan import DEFAULT_TEST_ROWS, DEFAULT_TRAIN_ROWS, plan_catalog


def silent(line: str) -> None:
    pass


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_layout_and_tables_keep_the_challenges_contract(catalog):
    folder = find_catalog(catalog.root)
    x_train, x_test = read_products(folder.x_train, "train"), read_products(folder.x_test, "test")
    y_train = read_labels(folder.y_train)
    check_catalog(x_train, y_train, x_test)
    assert (len(x_train), len(x_test), len(y_train)) == (100, 20, 100)
    assert list(x_test.index) == list(range(100, 120))
    assert y_train["prdtypecode"].nunique() == 27
    with folder.x_train.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["", "designation", "description", "productid", "imageid"]
    assert folder.y_train.read_text().startswith(",prdtypecode\n0,")
    assert folder.x_train.parent.name == "catalog" and folder.images["train"].name == "image_train"


def test_every_row_has_its_image_but_for_the_missing_ones(catalog):
    faults = catalog.read_faults()
    missing = {record.file for record in faults if record.expected_status == "missing"}
    folder = find_catalog(catalog.root)
    for split, file in (("train", folder.x_train), ("test", folder.x_test)):
        table = read_products(file, split)
        names = {
            f"image_{split}/image_{image}_product_{product}.jpg"
            for image, product in zip(table["imageid"], table["productid"], strict=True)
        }
        present = {f"image_{split}/{path.name}" for path in folder.images[split].iterdir()}
        assert present == names - missing
        of_split = {record.row: record for record in faults if record.split == split}
        for row, record in of_split.items():
            assert record.index == table.index[row]
            assert (record.image_id, record.product_id) == (
                table["imageid"].iloc[row],
                table["productid"].iloc[row],
            )
    written = list((catalog.root / "images").rglob("*.jpg"))
    assert catalog.images == len(written) == 120 - len(missing)
    assert catalog.image_bytes == sum(path.stat().st_size for path in written)


def test_identical_files_are_exactly_the_injected_groups(catalog):
    images = catalog.root / "images"
    found: dict[bytes, set[str]] = {}
    for path in images.rglob("*.jpg"):
        if content := path.read_bytes():
            found.setdefault(content, set()).add(path.relative_to(images).as_posix())
    expected: dict[str, set[str]] = {}
    for record in catalog.read_faults():
        if record.kind in ("same_label", "conflicting_labels", "train_test_twin"):
            expected.setdefault(record.group, set()).add(record.file)
    assert {frozenset(files) for files in found.values() if len(files) > 1} == {
        frozenset(f) for f in expected.values()
    }


def test_healthy_images_decode_whole(catalog):
    faulty = {record.file for record in catalog.read_faults()}
    healthy = [
        path
        for path in (catalog.root / "images").rglob("*.jpg")
        if f"{path.parent.name}/{path.name}" not in faulty
    ]
    for path in healthy:
        with Image.open(path) as image:
            assert (np.asarray(image).shape, image.format) == ((500, 500, 3), "JPEG")
    sizes = [path.stat().st_size for path in healthy]
    assert 18_000 < np.mean(sizes) < 32_000


def test_same_bytes_whatever_the_number_of_workers(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "_IMAGES_WORTH_A_WORKER", 20)
    other = generate_catalog(tmp_path / "other", 100, 20, seed=7, workers=3, log=silent)
    assert digests(other.root) == digests(catalog.root)
    assert not other.reused


def test_a_whole_catalogue_is_reused_untouched(catalog):
    before = {path: path.stat().st_mtime_ns for path in catalog.root.rglob("*")}
    again = generate_catalog(catalog.root, 100, 20, seed=7, log=silent)
    assert again.reused and again.fault_counts == catalog.fault_counts and again.images == catalog.images
    assert {path: path.stat().st_mtime_ns for path in catalog.root.rglob("*")} == before


@pytest.mark.parametrize(
    ("rows", "named"),
    [((101, 20, 7, True), "train_rows 100 instead of 101"), ((100, 20, 8, True), "seed 7 instead of 8"),
     ((100, 20, 7, False), "faults True instead of False")],
)  # fmt: skip
def test_a_catalogue_of_other_parameters_is_refused(catalog, rows, named):
    with pytest.raises(CatalogError, match=named):
        generate_catalog(catalog.root, *rows, log=silent)
    assert (catalog.root / MARKER_FILE).is_file()


def test_a_folder_with_other_content_is_never_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CatalogError, match="left alone"):
        generate_catalog(tmp_path / "mine", 30, 3, log=silent)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CatalogError, match="is a file"):
        generate_catalog(tmp_path / "file", 30, 3, log=silent)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "mine", "thesis.txt"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "new").mkdir()
    assert generate_catalog(tmp_path / "new", 27, 1, faults=False, log=silent).images == 28


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_generation_leaves_nothing(tmp_path, monkeypatch, error):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(generate, "write_faults", fail)
    with pytest.raises((WriteError, KeyboardInterrupt)) as caught:
        generate_catalog(tmp_path / "new", 27, 1, log=silent)
    assert list(tmp_path.iterdir()) == []
    if isinstance(error, OSError):
        assert "No space left" in str(caught.value) and str(tmp_path / "new") in str(caught.value)


def test_a_full_disk_is_told_once_and_of_the_catalogue(tmp_path, monkeypatch):
    def full(file: Path, *_: object) -> None:
        with write_errors_told(file):
            raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(generate, "write_bytes", full)
    with pytest.raises(WriteError) as caught:
        generate_catalog(tmp_path / "new", 27, 1, log=silent)
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value) == (
        f"the synthetic catalogue cannot be written to {tmp_path / 'new'}: No space left on device; nothing was left "
        "behind: make room on its disk, or choose another folder (the pipeline's is RAKUTEN_STORAGE), and run again"
    )


@pytest.mark.skipif(os.name != "posix", reason="no such limit there")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_room_for_an_image_is_told_whoever_draws_it(tmp_path, workers):
    """The system's limit on a file's size stands in for a full disk: it is refused in the same place."""
    import resource

    done = subprocess.run(
        command(tmp_path / "new", "--train-rows", "240", "--test-rows", "20", "--workers", workers),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"error: the synthetic catalogue cannot be written to {tmp_path / 'new'}: File too large; nothing was left "
        "behind: make room on its disk, or choose another folder (the pipeline's is RAKUTEN_STORAGE), and run again"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_quickstarts_catalogue_has_fewer_blanks_than_warn():
    rows = DEFAULT_TRAIN_ROWS, DEFAULT_TEST_ROWS
    defaults = Settings.model_fields
    assert rows == (defaults["synthetic_train_rows"].default, defaults["synthetic_test_rows"].default)
    records = plan_catalog(*rows, 42, True).fault_records()
    blanks = sum(record.kind in ("blank", "near_blank") for record in records)
    assert 0 < blanks / sum(rows) < Settings.model_fields["blank_warn"].default < 0.01


def test_leftovers_of_killed_processes_are_cleared(tmp_path):
    (tmp_path / ".new.123.abcdef01.partial" / "images").mkdir(parents=True)
    (tmp_path / ".other.partial").mkdir()
    generate_catalog(tmp_path / "new", 27, 1, log=silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.partial", "new"]


def test_a_catalogue_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    def intrude(*_: object) -> None:
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs").write_text("x")

    monkeypatch.setattr(generate, "write_faults", intrude)
    with pytest.raises(WriteError, match="cannot be written"):
        generate_catalog(tmp_path / "new", 27, 1, log=silent)
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "theirs"]


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "rakuten_assets.synthetic", str(folder), *options]


def test_two_processes_at_once_make_one_catalogue(tmp_path):
    small = ("--train-rows", "60", "--test-rows", "6")
    both = [
        subprocess.Popen(
            command(tmp_path / "new", *small), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("reused" in text for text in said) == [False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, blow):
    parent = subprocess.Popen(
        command(tmp_path / "new", "--workers", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    _wait_for(lambda: any(tmp_path.rglob("*.jpg")))
    children = psutil.Process(parent.pid).children()
    assert len(children) == 2
    os.kill(parent.pid, blow)
    parent.communicate(timeout=30)
    assert parent.returncode == (130 if blow is signal.SIGINT else -blow)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert not (tmp_path / "new").exists()
    if blow is signal.SIGINT:
        assert list(tmp_path.iterdir()) == []


def test_works_from_a_script_without_a_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from rakuten_assets.synthetic import generate_catalog\n"
        f"print(generate_catalog(Path({str(tmp_path / 'new')!r}), 200, 20, workers=2).images)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 210


def test_synthetic_catalog_reads_its_faults_back(catalog):
    records = catalog.read_faults()
    assert sum(catalog.fault_counts.values()) == len(records) > 20
    damaged = SyntheticCatalog(**{**catalog.__dict__, "fault_counts": {"empty": 1}})
    with pytest.raises(CatalogError, match="does not list"):
        damaged.read_faults()


def _wait_for(condition, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
