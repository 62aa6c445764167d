"""A catalogue of any size on paper: shards, objects, requests, memory, bytes, hours, cost, and where it breaks first.

Figures come from the package's own constants and functions: the row store's rules run without rows, tables of drawn
rows are encoded, frames and indexes are built and weighed. A test compares requests and objects with those of a real
store on a real server. What is counted: the scan, features of one extractor, matrices and their publication; not
labels, reports and evaluation, which read each table a few times more.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rakuten_assets.benchmarks.measuring.drawn_tables import BytesARow, measured
from rakuten_assets.benchmarks.measuring.row_requests import Requests, SimulatedStore, listings
from rakuten_assets.benchmarks.measuring.tables import markdown_table
from rakuten_assets.benchmarks.near_duplicates import drawn_images
from rakuten_assets.errors import SettingsError
from rakuten_assets.integrity.duplicates.candidates import Candidates
from rakuten_assets.integrity.duplicates.near_duplicates import KERNELS
from rakuten_assets.integrity.reading.listed import SHARE_WORTH_A_LISTING
from rakuten_assets.integrity.reading.scan import MOST_ROWS_AT_RISK
from rakuten_assets.runtime.compilation import CompiledKernels
from rakuten_assets.settings import Settings
from rakuten_assets.storage.content_cache import GIGABYTE
from rakuten_assets.units import human_duration

ROWS_OF_A_SHARD = 50_000
"""Proposed: a shard's vectors are 256 MB then, and what a kill between two shards can cost is minutes."""
FILES_OF_FEATURES = 3  # vectors, rows, record; the record is written last
_PART_BYTES = 50 << 20  # of an upload in parts
_SPLITS = 2
_TEST_SHARE = 0.14
_SAMPLE = 400_000
# Before kernels are worth compiling NumPy compares, and then never for longer.
_PLAIN_SAMPLE, _MOST_PLAIN_SECONDS = 50_000, 4.0
# Of the full catalogue's 98,728 images. Whether the share of pairs holds for a larger one depends on what is in it.
_FULL = 98_728
_CANDIDATES_OF_A_PAIR = 112_675 / (_FULL**2 / 2)
# Seconds of one thread: an image is read, decoded and made small; outlines are compared; where these leave it possible,
# which is of one pair in sixteen, both are read once more and compared at every zoom. (20,000 images.)
_SECONDS_OF_AN_IMAGE, _SECONDS_OF_OUTLINES, _SECONDS_OF_ZOOMS = 1.6e-3, 32e-6, 0.9e-3
_POSSIBLE = 1 / 16
# How fast images with a candidate become all: such that the full catalogue takes the 50 s of 2 threads that it took.
_TOUCHED_BY_AN_IMAGE = 0.58 / _FULL


@dataclass(frozen=True)
class Plan:
    """What a catalogue is put to.

    Attributes:
        images: how many.
        dim: length of a feature vector.
        shards: number of shards; 0: the proposed one.
        workers: machines that share the shards.
        images_per_second: of one worker, from files to rows.
        get_price, put_price: of a thousand requests.
        memory: bytes of a worker.
        image_cache: bytes of images that each worker keeps on its disk.
        image_bytes: of one image.
    """

    images: int
    dim: int = 1280
    shards: int = 0
    workers: int = 1
    images_per_second: float = 100.0
    get_price: float = 0.0004
    put_price: float = 0.005
    memory: float = 24e9
    image_cache: float = Settings.model_fields["image_cache_gb"].default * GIGABYTE
    image_bytes: float = 26_600

    def __post_init__(self) -> None:
        if min(self.images, self.dim, self.workers) < 1 or self.shards < 0:
            raise SettingsError("images, dimensions and workers are 1 or more, and shards not below 0")
        if min(self.images_per_second, self.memory) <= 0 or min(self.get_price, self.put_price) < 0:
            raise SettingsError("images per second and memory are above 0, and prices not below")

    @property
    def shard_count(self) -> int:
        """Number of shards, within what the settings allow."""
        return self.shards or max(16, min(most_shards(), math.ceil(self.images / ROWS_OF_A_SHARD)))


@dataclass(frozen=True)
class Search:
    """The hash search.

    Attributes:
        compiled, plain: seconds of one thread by two images that could be compared, most of which are passed over.
    """

    compiled: float
    plain: float

    @classmethod
    def measured(cls) -> Search:
        """On drawn images. Of more images fewer pairs are left to compare: what follows is a bound."""
        rates = []
        for images, worth_from in ((_SAMPLE, 0), (_PLAIN_SAMPLE, sys.maxsize)):
            kernels = CompiledKernels(KERNELS.module, worth_from)
            kernels.prepare()
            drawn = drawn_images(images)
            started = time.perf_counter()
            for _ in Candidates(drawn).pairs(1, kernels):
                pass
            rates.append((time.perf_counter() - started) / _pairs(images))
        return cls(*rates)

    def hours(self, images: int, threads: int) -> float:
        """Wall time of the exact search."""
        plain = self.plain * _pairs(images)
        seconds = min(plain, _MOST_PLAIN_SECONDS + self.compiled * _pairs(images))
        return seconds / threads / 3600

    def images_of_a_day(self, threads: int) -> float:
        """How many images a day of it is enough for."""
        return math.sqrt(24 * 3600 * threads * 2 / self.compiled)


def pixel_hours(images: float, threads: int) -> float:
    """Wall time of comparing on pixels what the search leaves, the first time."""
    touched = images * -math.expm1(-images * _TOUCHED_BY_AN_IMAGE)
    of_a_pair = _SECONDS_OF_OUTLINES + _POSSIBLE * (_SECONDS_OF_ZOOMS + 2 * _SECONDS_OF_AN_IMAGE)
    seconds = touched * _SECONDS_OF_AN_IMAGE + _pairs(images) * _CANDIDATES_OF_A_PAIR * of_a_pair
    return seconds / threads / 3600


def images_compared_in_a_day(threads: int) -> float:
    """How many images a day of comparing on pixels is enough for."""
    low, high = 1.0, 1e12
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if pixel_hours(middle, threads) < 24 else (low, middle)
    return low


def _pairs(images: float) -> float:
    return images**2 / 2


def most_shards() -> int:
    """The most that the settings allow."""
    return max(int(one.le) for one in Settings.model_fields["shards"].metadata if hasattr(one, "le"))


def simulate(plan: Plan, rows: BytesARow, search: Search, threads: int) -> dict[str, Any]:
    """All figures of a plan, by name."""
    n, shards = plan.images, plan.shard_count
    calls = _calls(n, shards)
    store = SimulatedStore(plan.dim)
    for split in range(_SPLITS):
        store.open()
        for call, count in calls[split]:
            store.extract(call, count)
    # Of several workers each also looks at the headers of what the others have written.
    others = Requests(get=2 * (plan.workers - 1) * store.requests.put)
    # The images are listed for the manifest; two steps of features read the scans.
    listed = Requests(get=_SPLITS * shards, listing=listings(n))
    rest = listed + _features(plan) + _merge(plan)
    extracted = Requests(get=images_fetched_again(plan))
    first = store.requests + others + scan_requests(n, shards, True, plan.workers) + extracted + rest
    store.requests = Requests()
    for split in range(_SPLITS):
        for _ in range(plan.workers):
            store.open()
        for call, _count in calls[split]:
            store.reread(call)
    again = store.requests + scan_requests(n, shards, False, plan.workers) + rest
    vectors = n * plan.dim * 4
    of_a_row = _memory_of_a_row(rows)
    stored_tables = n * (rows.manifest_file + rows.scan_file + 2 * rows.sidecar_file)
    # A shard's listing is recorded too.
    objects = n + files_of_shards(shards) + shards + len(store) + _SPLITS * (FILES_OF_FEATURES + 1) + 1
    memory = {
        "memory: a shard's features": n * of_a_row["a shard's features"] + math.ceil(n / shards) * rows.scan,
        **{
            f"memory: {what}": n * of_a_row[what]
            for what in ("duplicate groups", "integrity report", "outlines, at most", "a matrix")
        },
    }
    return {
        "shards": shards,
        "objects": objects,
        "row segments": len(store),
        "GET, first run": first.get,
        "PUT, first run": first.put,
        "LIST, first run": first.listing,
        "GET, again": again.get,
        "PUT, again": again.put,
        "LIST, again": again.listing,
        "cost of requests, first run": first.cost(plan.get_price, plan.put_price),
        "cost of requests, again": again.cost(plan.get_price, plan.put_price),
        "stored, without images": store.bytes + 3 * vectors + stored_tables,
        **memory,
        "hours of features": n / plan.images_per_second / 3600 / plan.workers,
        "hours of the hash search": search.hours(n, threads),
        "hours of comparing on pixels": pixel_hours(n, threads),
    }


def _memory_of_a_row(rows: BytesARow) -> dict[str, float]:
    """Bytes that each image of the catalogue takes in a step, by the step."""
    return {
        "duplicate groups": rows.manifest + 2 * rows.grouped_scan + rows.search + rows.path,
        "integrity report": rows.manifest + 2 * rows.scan + rows.groups + rows.path,
        "outlines, at most": rows.outlines,
        "a matrix": rows.manifest + 2 * rows.sidecar,
        "a shard's features": rows.manifest + rows.index_peak,
    }


def files_of_shards(shards: int) -> int:
    """Objects that shards are stored as: a scan each, and features of both splits."""
    return shards * (1 + FILES_OF_FEATURES * _SPLITS)


def breaks(plan: Plan, rows: BytesARow, search: Search, threads: int) -> list[tuple[float, str]]:
    """Number of images at which each thing breaks, ascending, with what it is."""
    told = {
        "duplicate groups": "duplicate_groups holds what it needs of all scans, and the search",
        "integrity report": "integrity_report holds all scans",
        "outlines, at most": "outlines of the images whose hashes have a neighbour (all of them, at worst)",
        "a matrix": "a matrix's step holds the row tables of all shards",
        "a shard's features": "the manifest, one table, is read whole by each shard's step, beside the row store's "
        "index",
    }
    found = [
        (plan.memory / per_row, f"{told[what]} ({per_row:,.0f} bytes an image)")
        for what, per_row in _memory_of_a_row(rows).items()
    ]
    found.append((search.images_of_a_day(threads), f"the exact hash search takes a day of {threads} threads"))
    pixels = images_compared_in_a_day(threads)
    found.append((pixels, f"comparing pairs on pixels takes a day of {threads} threads, the first time"))
    limit = most_shards() * ROWS_OF_A_SHARD
    found.append((limit, f"a shard has more than {ROWS_OF_A_SHARD:,} rows at the most shards allowed"))
    return sorted(found)


def table(plans: Sequence[Plan], threads: int) -> tuple[list[dict[str, Any]], str]:
    """Simulate plans of several sizes.

    Returns:
        One row a figure, with the value of each size; and what is printed: the table, then what breaks first.
    """
    rows, search = measured(), Search.measured()
    columns = {f"{plan.images:,}": simulate(plan, rows, search, threads) for plan in plans}
    names = next(iter(columns.values()))
    figures = [{"name": name, **{size: found[name] for size, found in columns.items()}} for name in names]
    shown = [{key: _told(str(row["name"]), value) for key, value in row.items()} for row in figures]
    text = markdown_table(shown, {"name": "images", **{size: size for size in columns}})
    plan = plans[-1]
    lines = [f"{at:>15,.0f} images: {what}" for at, what in breaks(plan, rows, search, threads)]
    said = f"where it would break first, on workers with {plan.memory / 1e9:,.0f} GB:"
    return figures, "\n".join([text, "", said, *lines])


def _calls(images: int, shards: int) -> list[list[tuple[int, int]]]:
    """Number and rows of each call of `extract`, by split: one a shard."""
    test = round(images * _TEST_SHARE)
    numbers = iter(range(_SPLITS * shards))
    return [
        [(next(numbers), int(size)) for size in np.diff(np.linspace(0, count, shards + 1).astype(int))]
        for count in (images - test, test)
    ]


def scan_requests(images: int, shards: int, first_run: bool, runs: int = 1) -> Requests:
    """Each image is read once; by a run that finds nothing new only where its run is too small a part for a listing.
    The first time, rows go through the journal.

    Args:
        runs: in which all shards are scanned, equal parts.
    """
    pieces = shards * (images // shards // (MOST_ROWS_AT_RISK // 2)) if first_run else 0
    # A removed piece is asked for first. Of an earlier scan: whether it is there, and its content.
    done = Requests(get=pieces + shards, put=pieces + shards, listing=2 * shards + 2, delete=pieces)
    if 1 / runs < SHARE_WORTH_A_LISTING:
        return done + Requests(get=images)
    # What the listing says of a shard's images is recorded once, after another look, and compared from then on.
    looks = 2 if first_run else 1
    records = Requests(get=shards, put=shards if first_run else 0, listing=looks * runs * listings(images))
    return done + records + Requests(get=images if first_run else 0)


def images_fetched_again(plan: Plan) -> int:
    """Images that extraction fetches: those that the worker has not scanned itself, or had no room to keep."""
    own = plan.images / plan.workers
    kept = min(1.0, plan.image_cache / (own * plan.image_bytes))
    return round(plan.images * (1 - kept / plan.workers))


def _features(plan: Plan) -> Requests:
    """Written whole by each run; a run that computes nothing writes the same bytes."""
    parts = plan.shard_count * _SPLITS
    vectors = plan.images * plan.dim * 4 / parts
    return Requests(put=parts * (FILES_OF_FEATURES - 1 + _uploads(vectors)))


def _merge(plan: Plan) -> Requests:
    """Shards copied here, merged, put back, and copied within the bucket."""
    whole = _uploads(plan.images * plan.dim * 4)
    return Requests(
        get=plan.shard_count * _SPLITS * (FILES_OF_FEATURES + 1) + whole, put=2 * whole + 4 * _SPLITS
    )


def _uploads(size: float) -> int:
    """Requests to send a file: one, or its parts between a beginning and an end."""
    return 1 if size < 2 * _PART_BYTES else math.ceil(size / _PART_BYTES) + 2


def _told(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name.startswith(("memory", "stored")):
        return f"{value / 1e9:,.2f} GB" if value < 1e12 else f"{value / 1e12:,.2f} TB"
    if "hours" in name:
        return human_duration(value * 3600) if value < 1 else f"{value:,.1f} h"
    return f"{value:,.2f}" if name.startswith("cost") else f"{value:,}"
