"""kill -9 in mid-scan, real processes: the same command goes on where it was, and decodes at most 512 images again."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from rakuten_assets.dataset.labels import CLASS_NAMES
from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.reading.scan import scan_images
from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS
from rakuten_assets_tests.images.pictures import encoded, smooth

pytestmark = pytest.mark.slow

TRAIN, TEST = 2900, 100
KILLED_AT = (700, 1400)
"""Decodes of a process before it is killed: in the first shard, and (the first one's rest done) in the second."""

# Dagster's own command, but each decode leaves a byte in a file, and takes long enough to be killed between two.
COUNTING_DAGSTER = """
import os, runpy, sys, time
from rakuten_assets.integrity.reading import record
counter = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
decode = record.decode_pixels
def counted(*arguments):
    os.write(counter, b".")
    time.sleep(0.003)
    return decode(*arguments)
record.decode_pixels = counted
runpy.run_module("dagster", run_name="__main__")
"""
ASSETS = "x_train,y_train,x_test,image_manifest,image_scan"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue of small pictures, no two of the same bytes, some of them PNGs named .jpg."""
    root = tmp_path_factory.mktemp("catalog")
    pictures = {False: encoded(smooth(24, 24)), True: encoded(smooth(24, 24), "PNG")}
    codes = sorted(CLASS_NAMES)
    labels = [",prdtypecode"]
    for split, first, count in (("train", 0, TRAIN), ("test", TRAIN, TEST)):
        folder = root / "images" / f"image_{split}"
        folder.mkdir(parents=True)
        lines = [",designation,description,productid,imageid"]
        for row in range(first, first + count):
            lines.append(f"{row},thing,,{row + 10},{row + 20}")
            name = f"image_{row + 20}_product_{row + 10}.jpg"
            (folder / name).write_bytes(pictures[row % 10 == 0] + str(row).encode())
            if split == "train":
                labels.append(f"{row},{codes[row % len(codes)]}")
        (root / f"X_{split}_update.csv").write_text("\n".join(lines) + "\n")
    (root / "Y_train_CVw08PX.csv").write_text("\n".join(labels) + "\n")
    return root


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_killed_scan_decodes_at_most_512_images_again(catalog: Path, tmp_path: Path) -> None:
    storage, home = tmp_path / "storage", tmp_path / "home"
    home.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAKUTEN_")}
    environment = clean | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "RAKUTEN_DATA_DIR": str(catalog),
        "RAKUTEN_STORAGE": str(storage),
        "RAKUTEN_SHARDS": "2",
        "RAKUTEN_WEIGHTS": "seeded",
    }
    shards, journal = storage / "assets" / "image_scan", storage / "cache" / "scan"
    target = ("-m", "rakuten_assets.definitions", "--select", ASSETS, "--partition-range", "00...01")

    def start(counter: Path) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-c", COUNTING_DAGSTER, str(counter), "asset", "materialize", *target)
        with (tmp_path / "log").open("ab") as log:
            return subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)

    decoded = []
    for number, enough in enumerate(KILLED_AT):
        counter = tmp_path / f"decodes-{number}"
        process = start(counter)
        while _size(counter) < enough:
            assert process.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.01)
        process.kill()
        process.wait()
        decoded.append(_size(counter))
        stored = sorted(path.name for path in shards.glob("*.parquet"))
        assert stored == ([] if number == 0 else ["00.parquet"])
        assert list(journal.glob("*.arrow"))
        assert not list(shards.glob("*.partial"))
    counter = tmp_path / "decodes-last"
    assert start(counter).wait() == 0, (tmp_path / "log").read_text()
    decoded.append(_size(counter))
    again = sum(decoded) - TRAIN - TEST
    print(f"decodes of the three processes: {decoded}; decoded twice after two kills: {again}")
    assert 0 <= again <= 512 * len(KILLED_AT)
    assert not list(journal.iterdir())

    found = pd.concat([pd.read_parquet(path) for path in sorted(shards.glob("*.parquet"))], ignore_index=True)
    files = [catalog / "images" / file for file in found["file"]]
    calm = scan_images(files, DecodeLimits(50_000_000, 50_000_000), workers=2)
    pd.testing.assert_frame_equal(found[SCAN_COLUMNS], calm, check_exact=True)
    assert len(found) == TRAIN + TEST
