"""What a GPU gives: the same rows as the CPU's, and how many a second; decoding, which no GPU does, told apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from upath import UPath

from rakuten_assets.benchmarks.measuring.inference import inference_rate
from rakuten_assets.benchmarks.measuring.tables import markdown_table
from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines import choose_engine
from rakuten_assets.extraction.images import ImageReader
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.extraction.preparation import prepare
from rakuten_assets.extraction.workers import work_in_order
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import sha256_of_file

BACKBONES = {"efficientnet_b0": "seeded", "efficientnet_lite0": "pretrained"}
"""What is measured, with weights that need no network."""

PRECISIONS = ("f32", "bf16")
COMPARED = 64
"""Images whose rows are compared with those of torch on the CPU, in f32."""

LARGEST_DIFFERENCE = 1e-3
"""Of the largest feature: what f32 may differ by."""

DOCUMENTS_RATE = 200.0
"""Images a second that the project's document gives for EfficientNet-B0 on a V100."""

COLUMNS = {
    "what": "",
    "images_per_second": "images/s",
    "to_document": "x document's 200/s",
    "difference": "rel. difference to the CPU",
    "batch": "batch",
}
_DECODED_AT_ONCE = 8


def measure(
    files: Sequence[Path],
    storage: Path,
    workers: int,
    device: str = "cuda",
    backbones: Sequence[str] = tuple(BACKBONES),
    precisions: Sequence[str] = PRECISIONS,
) -> list[dict[str, Any]]:
    """Rates of decoding, of each network alone, and of the way from files to stored rows.

    Args:
        files: different images that decode whole.
        storage: an empty folder.
        workers: threads.

    Raises:
        EngineError: the device is not there.
    """
    # Refused now, and not after a minute on the CPU.
    choose_engine(Settings(device=device, engine="torch", precision="f32", numerics="native"))
    sha256 = [sha256_of_file(file) for file in files]
    rows: list[dict[str, Any]] = []
    for name in backbones:
        usual = Settings(
            storage=UPath(storage),
            backbone=(name,),
            weights=f"{name}={BACKBONES[name]}",
            threads=workers,
            engine="torch",
            precision="f32",
            numerics="native",
            preprocessing="document",
            normalisation="weights",
            crop="none",
        )
        settings = [usual.model_copy(update={"device": device, "precision": one}) for one in precisions]
        if not rows:  # Every network here takes the document's input.
            images, rate = _decoded(usual, files, sha256)
            rows.append(_row("read, decode, resize", rate))
        with Extractor.open(usual.model_copy(update={"device": "cpu"}), log=_silent) as extractor:
            expected, _ = inference_rate(extractor.open_engine(), images[:COMPARED])
        for chosen in settings:
            what = f"{name}, {chosen.precision}"
            with Extractor.open(chosen, log=_silent) as extractor:
                engine = extractor.open_engine()
                engine.infer(images[: engine.batch])  # kernels are chosen and loaded in the first call
                found, rate = inference_rate(engine, images)
                difference = float(np.abs(found[:COMPARED] - expected).max() / np.abs(expected).max())
                batch = engine.describe()["batch"]
                rows.append(_row(f"{what}, network alone", rate, difference=difference, batch=batch))
                out = np.empty((len(files), extractor.feature_dim), np.float32)
                started = time.perf_counter()
                extractor.extract(files, sha256, out)
                rate = len(files) / (time.perf_counter() - started)
                rows.append(_row(f"{what}, files to stored rows", rate, batch=batch))
    return rows


def report(rows: Sequence[dict[str, Any]]) -> str:
    """The table, and what limits the rate."""
    fastest = max(row["images_per_second"] for row in rows if row["what"].endswith("stored rows"))
    decoding = rows[0]["images_per_second"]
    limit = "decoding" if fastest > 0.8 * decoding else "not decoding"
    return (
        f"{markdown_table(list(rows), COLUMNS)}\nfrom files to rows {fastest:,.0f} images/s at most, "
        f"{fastest / DOCUMENTS_RATE:.1f} times the document's V100; decoding alone makes {decoding:,.0f}: the limit is "
        f"{limit}"
    )


def refuse_other_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Refuse a device whose f32 rows are not the CPU's.

    Raises:
        EngineError: naming the network and by how much they differ.
    """
    for row in rows:
        difference = row["difference"]
        # Not `>`: a row that is not a number differs too.
        if ", f32," in row["what"] and difference is not None and not difference <= LARGEST_DIFFERENCE:
            raise EngineError(
                f"{row['what']}: rows differ from the CPU's by {difference:.1e} of the largest feature, "
                f"{LARGEST_DIFFERENCE:g} is allowed"
            )


def _decoded(
    settings: Settings, files: Sequence[Path], sha256: Sequence[str]
) -> tuple[NDArray[np.uint8], float]:
    """All images as the network's input, and how many are read, decoded and resized a second."""
    spec, _ = prepare(settings, "", _silent)
    reader = ImageReader(settings.limits, spec.preprocessing)
    items = [(file, bytes.fromhex(digest)) for file, digest in zip(files, sha256, strict=True)]
    batches = [items[at : at + _DECODED_AT_ONCE] for at in range(0, len(items), _DECODED_AT_ONCE)]
    images: list[NDArray[np.uint8]] = []
    reader.read(batches[0])
    started = time.perf_counter()
    work_in_order(lambda batch: reader.read(batch)[0], batches, images.append, settings.threads, 2)
    seconds = time.perf_counter() - started
    return np.concatenate(images), len(files) / seconds


def _row(what: str, rate: float, difference: float | None = None, batch: int | None = None) -> dict[str, Any]:
    return {
        "what": what,
        "images_per_second": rate,
        "to_document": rate / DOCUMENTS_RATE,
        "difference": difference,
        "batch": batch,
    }


def _silent(message: str) -> None:
    pass
