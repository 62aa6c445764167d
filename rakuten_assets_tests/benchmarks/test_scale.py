"""The model of `benchmarks scale` beside what a real store asks a real server for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from upath import UPath

from rakuten_assets.benchmarks import near_duplicates, scale
from rakuten_assets.benchmarks import store as store_benchmark
from rakuten_assets.benchmarks.measuring import drawn_tables
from rakuten_assets.benchmarks.measuring.drawn_tables import drawn_manifest, drawn_scan
from rakuten_assets.benchmarks.measuring.row_requests import Requests, SimulatedStore
from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.errors import SettingsError
from rakuten_assets.extraction.pipeline import ROWS_OF_A_COMMIT
from rakuten_assets.extraction.storing import store as store_module
from rakuten_assets.extraction.storing.features import FeatureArray, shard_table
from rakuten_assets.extraction.storing.store import RowStore
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.integrity.reading.shards import scan_shards
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.arrays import ArrayRecord
from rakuten_assets.storage.reading import at_address
from rakuten_assets.storage.tables import write_table
from rakuten_assets_tests.bucket import BUCKET, BucketServer

DIGEST = "d" * 64


@pytest.fixture
def folder(server: BucketServer) -> UPath:
    number = len(list(server.client.list_objects_v2(Bucket=BUCKET, Delimiter="/").get("CommonPrefixes", ())))
    server.forget()
    return at_address(f"s3://{BUCKET}/{number}/rows")


def counted(server: BucketServer) -> Requests:
    """What the server was asked for, in the model's words."""
    requests = Requests()
    for one in server.requests:
        if "list-type" in one.query:
            requests.listing += 1
        elif "delete" in one.query:
            requests.delete += 1
        elif one.method == "PUT":
            requests.put += 1
        else:
            assert one.method in ("GET", "HEAD"), one
            requests.get += 1
    return requests


def keys_of(call: int, rows: int) -> list[bytes]:
    random = np.random.default_rng(call)
    return [random.bytes(32) for _ in range(rows)]


def extract(store: RowStore, call: int, rows: int, dim: int) -> None:
    """What `Extractor.extract` does with its store where there is nothing stored."""
    store.refresh()
    keys = keys_of(call, rows)
    assert not store.contains(keys).any()
    for start in range(0, rows, ROWS_OF_A_COMMIT):
        part = keys[start : start + ROWS_OF_A_COMMIT]
        store.append(part, np.full((len(part), dim), call, np.float32))
    store.merge_small_segments()


@pytest.mark.parametrize(
    ("calls", "dim"),
    [
        ([3584] * 3, 8),  # one merge a call, as in a large shard
        ([768] * 3, 8),  # none
        ([1000] * 10, 8),  # merges of segments of several calls and sizes
        ([3584] * 2, 1280),  # of the usual size
    ],
)
def test_a_store_makes_the_requests_of_the_model(
    server: BucketServer, folder: UPath, calls: Sequence[int], dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_SMALL_SEGMENTS_BEFORE_MERGING", 12)
    model = SimulatedStore(dim)
    store = RowStore(folder, DIGEST, dim, pytest.fail)
    server.forget()
    for call, rows in enumerate(calls):
        extract(store, call, rows, dim)
        model.extract(call, rows)
    found = counted(server)
    names = [path.name for path in folder.iterdir()]
    # Segments of several sizes are grouped by their names, which are random: a group more or less.
    loose = len({rows % ROWS_OF_A_COMMIT for rows in calls} - {0}) * 3
    assert abs(len(names) - len(model)) <= loose
    assert abs(found.put - model.requests.put) <= loose
    assert found.listing == model.requests.listing
    assert abs(found.delete - model.requests.delete) <= loose
    assert found.get == pytest.approx(model.requests.get, abs=4 * loose)
    size = sum(len(path.read_bytes()) for path in folder.iterdir())
    assert size == pytest.approx(model.bytes, abs=500 * len(names))

    server.forget()
    model.requests = Requests()
    again = RowStore(folder, DIGEST, dim, pytest.fail)
    model.open()
    assert abs(counted(server).get - model.requests.get) <= 2 * loose
    for call, rows in enumerate(calls):
        again.refresh()
        assert again.contains(keys_of(call, rows)).all()
        assert again.read(keys_of(call, rows), lambda i, row: None) == []
        model.reread(call)
    found = counted(server)
    assert found.listing == model.requests.listing
    assert found.get == pytest.approx(model.requests.get, rel=0.35 if loose else 0)
    assert (found.put, found.delete) == (0, 0)


def test_a_shard_is_stored_as_so_many_objects_by_so_many_uploads(server: BucketServer) -> None:
    storage = Storage(at_address(f"s3://{BUCKET}/storage"), 2)
    manifest = drawn_manifest(40, shards=2)
    scan = drawn_scan(manifest)
    server.forget()
    for shard, rows in scan.groupby("shard"):
        ParquetIOManager(storage).write(rows, storage.asset_file(["image_scan"], str(shard), ".parquet"))
        for split in SPLITS:
            sidecar = shard_table(rows[rows["split"] == split])
            vectors = np.zeros((len(sidecar), 8), np.float32)
            features = FeatureArray(
                vectors, sidecar, {"feature_dim": 8}, ArrayRecord("<f4", vectors.shape, 0, "")
            )
            file = storage.asset_file(["resnet18", f"{split}_features"], str(shard), ".npy")
            FeatureIOManager(storage).write(features, file)
    found = counted(server)
    listed = server.client.list_objects_v2(Bucket=BUCKET, Prefix="storage/")["Contents"]
    assert len(listed) == scale.files_of_shards(2)
    assert found.put == len(listed)


def test_a_scan_makes_the_requests_of_the_model(server: BucketServer) -> None:
    root = at_address(f"s3://{BUCKET}/scanned")
    manifest = drawn_manifest(280, shards=1)
    content = io.BytesIO()
    Image.effect_noise((24, 24), 60).convert("RGB").save(content, "JPEG")
    client = server.client
    for name in manifest["file"]:
        client.put_object(Bucket=BUCKET, Key=f"scanned/{name}", Body=content.getvalue())
    parquet = ParquetIOManager(Storage(root, 1))
    images = {split: root / f"image_{split}" for split in SPLITS}
    folder: Any = SimpleNamespace(
        root=root, images=images, image_paths=lambda names: [root / name for name in names]
    )
    for first_run in (True, False):
        server.forget()
        for shard in scan_shards(
            manifest,
            ["00"],
            folder,
            DecodeLimits(),
            2,
            earlier=lambda key: parquet.find("image_scan", key),
            journal=root / "cache" / "scan",
            listings=root / "cache" / "listings",
            log=lambda _: None,
        ):
            assert first_run or not shard.measured
            parquet.store("image_scan", shard.key, shard.table)
        found, model = counted(server), scale.scan_requests(280, 1, first_run)
        assert (found.put, found.delete) == (model.put, model.delete)
        assert abs(found.get - model.get) <= 4
        assert abs(found.listing - model.listing) <= 5


def test_bytes_of_a_row_are_those_of_a_stored_table_and_hold_for_more_rows(tmp_path: Path) -> None:
    few, more = (drawn_tables.measured(rows) for rows in (4000, 8000))
    scan = drawn_scan(drawn_manifest(4000))
    size = write_table(tmp_path / "00.parquet", scan)
    assert size / len(scan) == pytest.approx(few.scan_file, rel=0.001)
    for name in (
        "scan_file",
        "sidecar_file",
        "manifest",
        "scan",
        "sidecar",
        "groups",
        "path",
        "index",
        "outlines",
    ):
        assert getattr(few, name) == pytest.approx(getattr(more, name), rel=0.1), name
    digests = 2 * 32  # incompressible: nothing stores two sha256 of an image in less
    assert few.scan_file > digests


def test_a_larger_catalogue_costs_more_of_everything_and_what_breaks_first_comes_first() -> None:
    rows, search = drawn_tables.measured(2000), scale.Search(1e-10, 1e-9)
    small, large = (
        scale.simulate(scale.Plan(images, dim=64, shards=8), rows, search, threads=2)
        for images in (20_000, 80_000)
    )
    assert small.keys() == large.keys()
    assert all(
        large[name] > small[name] for name in small if name not in ("shards", "PUT, again", "LIST, again")
    )
    assert large["hours of the hash search"] == pytest.approx(16 * small["hours of the hash search"])
    # Each image is decoded once at most; of pairs there are as the square.
    assert 4 * small["hours of comparing on pixels"] < large["hours of comparing on pixels"]
    assert large["hours of comparing on pixels"] < 16 * small["hours of comparing on pixels"]
    assert scale.pixel_hours(2e9, 2) == pytest.approx(4 * scale.pixel_hours(1e9, 2), rel=0.01)
    # The full catalogue took 50 s.
    assert scale.pixel_hours(98_728, 2) * 3600 == pytest.approx(50, rel=0.05)
    assert scale.pixel_hours(scale.images_compared_in_a_day(8), 8) == pytest.approx(24, rel=0.01)
    assert large["GET, again"] < large["GET, first run"] / 10  # the scan reads no image again
    apart = scale.simulate(scale.Plan(80_000, dim=64, shards=80, workers=40), rows, search, threads=2)
    assert apart["GET, again"] >= 80_000  # runs of so few images list nothing
    assert large["PUT, again"] < large["PUT, first run"] / 3
    ordered = scale.breaks(scale.Plan(80_000), rows, search, threads=2)
    assert ordered == sorted(ordered)
    # Twice the memory moves what memory breaks, by as much.
    twice = scale.Plan(80_000, memory=48e9)
    roomy = {what: at for at, what in scale.breaks(twice, rows, search, threads=2)}
    assert {roomy[what] / at for at, what in ordered} == {1.0, 2.0}


def test_images_are_fetched_again_where_another_worker_scanned_them_or_the_cache_was_full() -> None:
    def fetched(**plan: float) -> int:
        return scale.images_fetched_again(scale.Plan(1_000_000, image_bytes=1000, **plan))  # type: ignore[arg-type]

    assert fetched(image_cache=1e9) == fetched(image_cache=2e9) == 0
    assert fetched(image_cache=0) == fetched(image_cache=0, workers=4) == 1_000_000
    assert fetched(image_cache=0.25e9) == 750_000
    assert fetched(image_cache=1e9, workers=4) == 750_000
    assert fetched(image_cache=0.125e9, workers=4) == 875_000


def test_shards_are_proposed_within_what_the_settings_allow() -> None:
    counts = [scale.Plan(images).shard_count for images in (100_000, 10_000_000, 10_000_000_000)]
    assert counts == [16, 200, Settings(shards=scale.most_shards()).shards]
    with pytest.raises(ValidationError):
        Settings(shards=scale.most_shards() + 1)


@pytest.mark.parametrize(
    "wrong", [{"images": 0}, {"workers": 0}, {"memory": 0}, {"put_price": -1}, {"shards": -1}]
)
def test_an_impossible_plan_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=r"1 or more|above 0"):
        scale.Plan(**{"images": 10, **wrong})  # type: ignore[arg-type]


def test_the_store_benchmark_finds_all_rows_both_ways(tmp_path: Path) -> None:
    before, after = store_benchmark.compare(tmp_path / "rows", 9000, 3, rounds=1)
    assert before["rows"] == after["rows"] == "9,000"
    assert min(after["seconds"], before["seconds"]) > 0


def test_the_search_benchmark_finds_the_same_pairs_both_ways() -> None:
    plain, compiled = near_duplicates.compare([3000], rounds=1, workers=2)
    assert plain["pairs"] == compiled["pairs"] != "0"
    assert plain["ratio"] == 1
