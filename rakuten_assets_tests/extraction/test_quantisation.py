"""An extractor in int8: where its model comes from, and that nncf makes one that is right."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from rakuten_assets.backbones import Backbone, register, registry
from rakuten_assets.errors import EngineError
from rakuten_assets.extraction import quantisation
from rakuten_assets.extraction.engines import EngineChoice, choose_engine
from rakuten_assets.extraction.fingerprint import fingerprint_of
from rakuten_assets.extraction.networks import quantised
from rakuten_assets.extraction.networks.packed import pack, write_first
from rakuten_assets.extraction.networks.quantised import quantisation_request, quantised_file
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.extraction.preparation import known_fingerprint
from rakuten_assets.extraction.quantisation import settle_quantisation
from rakuten_assets.extraction.specification import extractor_spec
from rakuten_assets.settings import Settings
from rakuten_assets_tests.defs.test_outside_backbone import TINY
from rakuten_assets_tests.extraction.conftest import MakeImages, sha256_of

LITE0 = "efficientnet_lite0"
FIGURES = {"mean_cosine": 0.97, "least_cosine": 0.8, "relative_error": 0.2}


def int8(storage: Path, **options: object) -> Settings:
    return Settings(storage=UPath(storage), backbone=LITE0, precision="int8", **options)


def store_a_model(settings: Settings, images: str, content: bytes = b"int8") -> None:
    """What `quantise` leaves in a storage."""
    from rakuten_assets.extraction.preparation import prepare

    spec, weights = prepare(settings, LITE0, pytest.fail)
    request = quantisation_request(spec, weights, images)
    parts = {"model.xml": b"<net/>", "model.bin": content}
    file = quantised_file(UPath(settings.storage) / "cache", request)
    write_first(file, pack(parts, {"request": request, "fidelity": FIGURES, "state_sha256": "5" * 64}))


def test_the_fingerprint_is_known_where_the_storage_has_the_model(tmp_path: Path) -> None:
    settings = int8(tmp_path / "one")
    assert known_fingerprint(settings, LITE0) is None
    store_a_model(settings, "synthetic")
    known = known_fingerprint(settings, LITE0)
    assert known is not None
    with Extractor.open(
        settings, LITE0, log=pytest.fail
    ) as extractor:  # It needs neither nncf nor a catalogue.
        assert extractor.fingerprint == known
    assert known.quantised.startswith("sha256:")
    other = int8(tmp_path / "other")
    store_a_model(other, "synthetic", b"calibrated on others")
    assert known_fingerprint(other, LITE0) not in (None, known)


def test_a_model_that_drawings_calibrated_is_not_for_real_images(tmp_path: Path) -> None:
    store_a_model(int8(tmp_path), "synthetic")
    assert known_fingerprint(int8(tmp_path, data_dir=UPath(tmp_path)), LITE0) is None


def test_rows_of_other_precisions_keep_their_fingerprint() -> None:
    spec = extractor_spec(Settings(backbone="resnet18"))
    weights = WeightsSource("file", "w", Path("w"), "sha256:aa")
    f32 = fingerprint_of(spec, weights, EngineChoice("openvino", "cpu", "f32", 2, 0))
    assert "quantised" not in f32.as_dict()
    choice = EngineChoice("openvino", "cpu", "int8", 2, 0, quantised=quantised.Quantisation("a", "sha256:b"))
    assert fingerprint_of(spec, weights, choice).as_dict()["quantised"] == "sha256:b"


def test_nothing_is_quantised_without_nncf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantised.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'rakuten_assets\[int8\]'"):
        Extractor.open(int8(tmp_path), LITE0, log=pytest.fail)
    assert not (tmp_path / "synthetic").exists()


def test_f32_is_left_as_it_is(tmp_path: Path) -> None:
    settings = Settings(storage=UPath(tmp_path), backbone=LITE0)
    choice = choose_engine(settings)
    spec, weights = extractor_spec(settings), WeightsSource("file", "w", Path("w"), "sha256:aa")
    assert settle_quantisation(choice, settings, spec, weights, pytest.fail) == choice


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Backbone:
    """A network of milliseconds: its means over pixels survive int8."""
    monkeypatch.setattr(registry, "_registered", {})
    return register(TINY)


@pytest.mark.slow
def test_nncf_makes_a_model_once_whose_rows_depend_on_nothing_else(
    tiny: Backbone, make_images: MakeImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf")
    files = make_images(40)
    catalog = dataclasses.make_dataclass("Catalog", ["images"])({"train": UPath(files[0].parent)})
    monkeypatch.setattr(quantisation, "open_catalog", lambda settings, log: catalog)
    settings = Settings(storage=UPath(tmp_path / "storage"), backbone=("tiny",), precision="int8", threads=1)
    messages: list[str] = []
    rows, digests = {}, set()
    for threads, batch in ((1, 0), (2, 1), (2, 3), (3, 8)):
        changed = settings.model_copy(update={"threads": threads, "batch_size": batch})
        with Extractor.open(changed, "tiny", log=messages.append) as extractor:
            digests.add(extractor.fingerprint.digest)
            rows[threads, batch] = np.stack([extractor.extract_single(file) for file in files[:9]])
            together = np.zeros((9, tiny.feature_dim), np.float32)
            fresh = tmp_path / "storage" / "cache" / "rows"
            extractor.extract(files[:9], sha256_of(files[:9]), together)
            described = extractor.describe()["engine"]
        np.testing.assert_array_equal(together, rows[threads, batch])
        for file in sorted(fresh.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
    assert len(digests) == 1
    for other in rows.values():
        np.testing.assert_array_equal(other, rows[1, 0])
    assert sum("quantising tiny" in message for message in messages) == 1
    assert described["precision"] == "int8"
    assert described["fidelity"]["mean_cosine"] > quantised.LOWEST_MEAN
    assert any(kernel.endswith("I8") for kernel in described["kernels"]), described["kernels"]
    with Extractor.open(
        settings.model_copy(update={"precision": "f32"}), "tiny", log=messages.append
    ) as exact:
        f32 = np.stack([exact.extract_single(file) for file in files[:9]])
    assert 0 < np.abs(f32 - rows[1, 0]).max() < 0.2 * np.abs(f32 - f32.mean(axis=0)).max()
    assert json.dumps(described)
