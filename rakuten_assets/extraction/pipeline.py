"""From image files to feature rows, at the machine's speed, computing nothing twice.

- plan: which images' rows does the store lack (`plan`)
- read, verify, decode, resize: on threads, a small batch each; the GIL is released. From a bucket, files are fetched
  ahead of that
- infer: the same thread hands its batch to the engine and waits, while the others decode
- commit: this thread puts rows where they belong and stores them, 256 at a time
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from rakuten_assets.extraction.engines import Engine, EngineChoice, choose_engine, settle_kernels
from rakuten_assets.extraction.engines import open_engine as load_engine
from rakuten_assets.extraction.fingerprint import ExtractorFingerprint, fingerprint_of
from rakuten_assets.extraction.images import ImageReader
from rakuten_assets.extraction.networks.torch_process import shared_torch_process
from rakuten_assets.extraction.networks.weights import FINE_TUNED, WeightsSource
from rakuten_assets.extraction.plan import ExtractionPlan, plan_rows
from rakuten_assets.extraction.preparation import prepare
from rakuten_assets.extraction.preprocessing import fine_tuning_note, normalisation_note
from rakuten_assets.extraction.quantisation import settle_quantisation
from rakuten_assets.extraction.report import ExtractionReport as ExtractionReport
from rakuten_assets.extraction.report import UnusableImage, refuse_unusable
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.extraction.storing.speed import ROWS_OF_A_MEASUREMENT, Speed, speed_of
from rakuten_assets.extraction.storing.store import RowStore
from rakuten_assets.extraction.workers import work_in_order
from rakuten_assets.images.resampling import KERNELS
from rakuten_assets.runtime.console import to_standard_error
from rakuten_assets.runtime.machine import cpu_features, cpu_model, limit_memory_arenas
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.settings import Settings
from rakuten_assets.storage.reading import ReadAhead, on_bucket

if TYPE_CHECKING:
    from PIL.Image import Image

# A crash loses at most so many rows and those in flight; one commit costs a few milliseconds in 1.5 seconds.
ROWS_OF_A_COMMIT = 256
# Batches that wait for a thread beyond those being worked on: enough that no thread waits for this one.
_BATCHES_AHEAD = 2


class Extractor:
    """Features of images by one backbone on one engine, with a store of finished rows.

    >>> from rakuten_assets.settings import Settings
    >>> with Extractor.open(Settings(), "efficientnet_lite0") as extractor:
    ...     extractor.feature_dim
    1280

    Opening is cheap: the engine is loaded when the first row must be computed, hence never where the store has
    them all. Only the first opening in a storage may take some seconds: seeded weights are made then, and where the
    CPU has a choice of kernels, the model is converted and they are measured, since the fingerprint names them. In
    int8 it takes a minute or two: the model is quantised, calibrated on the train images of the settings' catalogue.

    Attributes:
        fingerprint: what every row depends on besides its image.
        feature_dim: length of a row.
    """

    def __init__(
        self,
        settings: Settings,
        spec: ExtractorSpec,
        weights: WeightsSource,
        choice: EngineChoice,
        log: Callable[[str], None] | None,
    ) -> None:
        self._spec = spec
        self._weights = weights
        self._choice = choice
        self._progress_log = log
        self._log = log or to_standard_error
        self._engine: Engine | None = None
        self._computed, self._computing = 0, 0.0
        self._cache = UPath(settings.storage) / "cache"
        self.fingerprint: ExtractorFingerprint = fingerprint_of(spec, weights, choice)
        self.feature_dim: int = spec.backbone.feature_dim
        if weights.identity.startswith(FINE_TUNED):
            self._note = fine_tuning_note(spec.backbone, spec.preprocessing, weights.about)
        else:
            self._note = normalisation_note(spec.backbone, spec.preprocessing)
        if self._note:
            self._log(self._note)
        self._reader = ImageReader(settings.limits, spec.preprocessing)
        digest = self.fingerprint.digest
        self._store = RowStore(self._cache / "rows" / digest, digest, self.feature_dim, self._log)

    @classmethod
    def open(
        cls, settings: Settings, backbone: str = "", log: Callable[[str], None] | None = None
    ) -> Extractor:
        """Open one of the extractors that the settings describe.

        Args:
            backbone: its name; default: the settings' first.
            log: where messages and progress go; default: standard error. Dagster passes `context.log.info`.

        Raises:
            WeightsError: the weights are missing or not what they should be.
            EngineError: the settings ask for what this machine cannot do, or the network does not keep its features
                in int8.
            CatalogError: a model must be quantised, and there is no catalogue to calibrate it on.
        """
        choice = choose_engine(settings)
        told = log or to_standard_error
        limit_memory_arenas()  # before any engine starts threads
        with shared_torch_process():
            spec, weights = prepare(settings, backbone, told)
            choice = settle_kernels(choice, spec, weights, UPath(settings.storage) / "cache", told)
            choice = settle_quantisation(choice, settings, spec, weights, told)
        return cls(settings, spec, weights, choice, log)

    def __enter__(self) -> Extractor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.__exit__(kind, error, trace)
            if kind is None and self._computed >= ROWS_OF_A_MEASUREMENT:
                self._record_speed(engine)

    def describe(self) -> dict[str, Any]:
        """What computes the rows, for metadata: weights, fingerprint, effective engine. JSON-able.

        `engine` describes the open engine; where none was needed, the one that last computed rows of this
        fingerprint.
        """
        if self._engine is not None:
            engine = self._engine.describe()
        else:
            engine = self._store.about().get("engine") or {
                **asdict(self._choice),
                "cpu_features": cpu_features(),
            }
        return {
            "backbone": self.fingerprint.backbone,
            "feature_dim": self.feature_dim,
            "weights": self._weights.as_dict(),
            "note": " ".join(filter(None, [self._weights.note, self._note])),
            "preprocessing": self._spec.preprocessing.as_dict(),
            "engine": engine,
            "fingerprint": self.fingerprint.as_dict(),
            "fingerprint_digest": self.fingerprint.digest,
        }

    def open_engine(self) -> Engine:
        """Load the engine now, converting the model where that was not done before; `extract` does it when needed.

        Raises:
            EngineError, WeightsError: it cannot run here.
        """
        if self._engine is None:
            engine = load_engine(self._choice, self._spec, self._weights, self._cache, self._log)
            self._engine = engine.__enter__()
            self._store.write_about(
                {
                    **self._store.about(),  # the speed of an earlier run stays
                    "fingerprint": self.fingerprint.as_dict(),
                    "engine": self._engine.describe(),
                }
            )
        return self._engine

    def extract(
        self,
        files: Sequence[Path | UPath],
        sha256: Sequence[str],
        out: NDArray[np.float32],
        progress_label: str = "features",
        log: Callable[[str], None] | None = None,
    ) -> ExtractionReport:
        """Write the features of `files` into the rows of `out`.

        Args:
            files: n image files.
            sha256: the digest of each file's content when it was scanned; "" for an image that is not valid,
                whose row becomes exactly zero.
            out: float32 (n, feature_dim), C order; an array or a memory map.

        Raises:
            ManifestError: files have changed since they were scanned, or do not decode. All other rows are
                written and stored; the rows of these files are zero.
            EngineError, WeightsError: the engine cannot be loaded.
            StoreError: the storage takes no more rows; those stored before are intact.
            ValueError: the arguments do not fit together.
        """
        started = time.monotonic()
        _check_arguments(files, sha256, out, self.feature_dim)
        self._store.refresh()
        plan = plan_rows(sha256, self._store.contains)
        out[plan.invalid_rows] = 0.0
        rows_of_key = _rows_by_key(plan)
        plan = self._reuse(plan, rows_of_key, out)
        missing = plan.missing_keys
        unusable: list[UnusableImage] = []
        waited = 0.0
        if len(missing):
            before = time.monotonic()
            engine = self.open_engine()
            waited = time.monotonic() - before
            with Progress(progress_label, len(missing), log=log or self._progress_log) as progress:
                before = time.monotonic()
                unusable = self._compute(engine, plan, files, rows_of_key, out, progress)
                self._computing += time.monotonic() - before
                self._computed += len(missing) - len(unusable)
            self._store.merge_small_segments()
        refuse_unusable(unusable)
        valid_rows = len(files) - len(plan.invalid_rows)
        to_compute = sum(len(rows_of_key[key]) for key in missing)
        return ExtractionReport(
            computed=len(missing),
            reused=valid_rows - to_compute,
            deduplicated=to_compute - len(missing),
            invalid=len(plan.invalid_rows),
            seconds=time.monotonic() - started - waited,
            waited=waited,
        )

    def extract_single(
        self, image: Path | UPath | str | bytes | Image | NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """The features of one picture, float32 (feature_dim,): to the bit those that `extract` gives its file.

        The row is not stored.

        Args:
            image: a file, a file's content, or pixels in RGB (a Pillow image, or uint8 (height, width, 3)).

        Raises:
            UndecodableImageError: it does not decode whole; the message says why.
            OSError: the file cannot be read.
            ValueError: it is no image.
            EngineError, WeightsError: the engine cannot be loaded.
        """
        prepared = self._reader.read_single(image)
        features: NDArray[np.float32] = self.open_engine().infer(prepared[None])[0]
        return features

    def _record_speed(self, engine: Engine) -> None:
        on_cuda = self._choice.device == "cuda"
        device = str(engine.describe()["device_name"]) if on_cuda else cpu_model()
        speed = Speed(self._computed, self._computing, self._choice.threads, device)
        about = self._store.about()
        if speed.replaces(speed_of(about)):
            try:
                self._store.write_about({**about, "speed": speed.as_dict()})
            except OSError as error:  # All rows are stored: a figure beside them is no reason to fail.
                self._log(f"the speed was not recorded: {error}")

    def _reuse(
        self, plan: ExtractionPlan, rows_of_key: list[NDArray[np.int64]], out: NDArray[np.float32]
    ) -> ExtractionPlan:
        """Write the rows that the store has; the plan returned computes those that it turns out not to have."""
        stored = np.flatnonzero(plan.stored)

        def put(i: int, features: NDArray[np.float32]) -> None:
            out[rows_of_key[stored[i]]] = features

        lost = self._store.read([plan.keys[key] for key in stored], put)
        return plan.without([int(stored[i]) for i in lost])

    def _compute(
        self,
        engine: Engine,
        plan: ExtractionPlan,
        files: Sequence[Path | UPath],
        rows_of_key: list[NDArray[np.int64]],
        out: NDArray[np.float32],
        progress: Progress,
    ) -> list[UnusableImage]:
        """Compute, write and store the missing rows; return the images that could not be used."""
        missing = plan.missing_keys
        KERNELS.expect(len(missing))
        batches = (slice(at, at + engine.batch) for at in range(0, len(missing), engine.batch))
        commit = _Commit(self._store)
        unusable: list[UnusableImage] = []

        def work(batch: slice) -> _Finished:
            keys = missing[batch]
            images, bad = self._reader.read(
                [(files[plan.first_rows[key]], plan.keys[key]) for key in keys],
                lambda position: contents.get(batch.start + position),
            )
            good = [int(key) for i, key in enumerate(keys) if i not in bad]
            features = engine.infer(images) if good else np.empty((0, self.feature_dim), np.float32)
            return _Finished(good, features, {int(keys[i]): image for i, image in bad.items()})

        def take(finished: _Finished) -> None:
            for i, key in enumerate(finished.keys):
                out[rows_of_key[key]] = finished.features[i]
                commit.add(plan.keys[key], finished.features[i])
            for key, image in finished.unusable.items():
                out[rows_of_key[key]] = 0.0
                unusable.append(image)
            progress.advance(len(finished.keys) + len(finished.unusable))

        def read(key: int) -> bytes:
            return self._reader.read_content(files[plan.first_rows[key]], plan.keys[key])

        with ReadAhead(missing.tolist(), read, on_bucket(files)) as contents:
            try:
                work_in_order(work, batches, take, engine.callers, _BATCHES_AHEAD)
            finally:
                commit.flush()
        return unusable


@dataclass(frozen=True)
class _Finished:
    """What a thread made of one batch: by plan key, features (n, dim) and the images that it could not use."""

    keys: list[int]
    features: NDArray[np.float32]
    unusable: dict[int, UnusableImage]


@dataclass
class _Commit:
    """Collects finished rows and stores them, `ROWS_OF_A_COMMIT` at a time."""

    store: RowStore
    keys: list[bytes] = field(default_factory=list)
    rows: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, key: bytes, row: NDArray[np.float32]) -> None:
        self.keys.append(key)
        self.rows.append(row)
        if len(self.keys) >= ROWS_OF_A_COMMIT:
            self.flush()

    def flush(self) -> None:
        if self.keys:
            self.store.append(self.keys, np.stack(self.rows))
            self.keys, self.rows = [], []


def _rows_by_key(plan: ExtractionPlan) -> list[NDArray[np.int64]]:
    """The rows of each distinct image."""
    order = np.argsort(plan.key_of_row, kind="stable")
    counts = np.bincount(plan.key_of_row + 1, minlength=len(plan.keys) + 1)
    return list(np.split(order, np.cumsum(counts)[:-1]))[1:]


def _check_arguments(
    files: Sequence[Path | UPath], sha256: Sequence[str], out: NDArray[np.float32], dim: int
) -> None:
    if len(files) != len(sha256):
        raise ValueError(f"{len(files)} files come with {len(sha256)} sha256")
    if out.shape != (len(files), dim) or out.dtype != np.float32:
        raise ValueError(f"out is {out.dtype} {out.shape}, not float32 {(len(files), dim)}")
