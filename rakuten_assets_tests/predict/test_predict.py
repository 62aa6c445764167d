"""`python -m rakuten_assets.predict` on a folder of pictures, with a stand-in for the extractor."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.standardisation import Standardisation
from rakuten_assets.evaluation.heads.storing import save_head
from rakuten_assets.predict.__main__ import main
from rakuten_assets.predict.folder import find_head
from rakuten_assets.settings import Settings
from rakuten_assets_tests.defs.conftest import DIM, FakeExtractor, fake_fingerprint

CODES = np.array([10, 40, 1140, 2583])
PRIOR = np.array([0.1, 0.2, 0.3, 0.4])


class Opener:
    """Stands in for `Extractor`, which is opened by a class method."""

    @staticmethod
    def open(settings: Settings, backbone: str, log: object = None) -> FakeExtractor:
        return FakeExtractor(settings, backbone)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_settings_of_the_user: None) -> Path:
    """A storage with a head for the stand-in's features."""
    monkeypatch.setattr("rakuten_assets.extraction.pipeline.Extractor", Opener)
    monkeypatch.setenv("RAKUTEN_BACKBONE", "efficientnet_b0")
    storage = tmp_path / "storage"
    digest = fake_fingerprint(Settings(storage=UPath(storage))).digest
    weight = np.random.default_rng(0).normal(size=(DIM, 4)).astype(np.float32) / 100
    standard = Standardisation(np.zeros(DIM, np.float32), np.ones(DIM, np.float32))
    head = Head("logistic", standard, ((weight, np.zeros(4, np.float32)),), CODES, PRIOR, fingerprint=digest)
    save_head(head, storage / "assets" / "efficientnet_b0" / "head")
    return storage


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures, one of them in a folder below, a torn one, and a text."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for name, colour in (("a.jpg", "red"), ("below/b.png", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / name)
    buffer = io.BytesIO()
    Image.effect_noise((80, 80), 90).save(buffer, "JPEG")
    (folder / "torn.jpg").write_bytes(buffer.getvalue()[:900])
    (folder / "notes.txt").write_text("no picture")
    return folder


def predicted(pictures: Path, storage: Path, *options: str) -> pd.DataFrame:
    out = pictures.parent / "predictions.csv"
    assert main([str(pictures), "--out", str(out), "--storage", str(storage), *options]) == 0
    return pd.read_csv(out, keep_default_na=False)


def test_every_picture_has_a_line_with_its_class_and_the_runners_up(pictures: Path, storage: Path) -> None:
    table = predicted(pictures, storage)
    assert table["path"].tolist() == ["a.jpg", "below/b.png", "torn.jpg"]
    assert list(table.columns[:7]) == [
        "path",
        "prdtypecode",
        "probability",
        "prdtypecode_2",
        "probability_2",
        "prdtypecode_3",
        "probability_3",
    ]
    assert table["prdtypecode"].isin(CODES).all()
    assert (table["probability"] >= table["probability_2"]).all()
    assert (table["prdtypecode"] != table["prdtypecode_2"]).all()
    assert len(predicted(pictures, storage, "--runners-up", "0").columns) == 6
    everyone = predicted(pictures, storage, "--runners-up", "9")
    assert everyone.filter(like="probability").sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)


def test_an_unreadable_picture_is_predicted_by_the_prior_and_says_why(
    pictures: Path, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = predicted(pictures, storage).set_index("path")
    assert table["predicted_by"].to_dict() == {
        "a.jpg": "picture",
        "below/b.png": "picture",
        "torn.jpg": "prior",
    }
    torn = table.loc["torn.jpg"]
    assert (torn["prdtypecode"], torn["prdtypecode_2"]) == (2583, 1140)
    assert torn["probability"] == pytest.approx(0.4)
    assert torn["reason"] == "truncated"
    assert table.loc["a.jpg", "reason"] == ""
    told = capsys.readouterr()
    assert "torn.jpg: truncated" in told.out
    assert "these predictions mean nothing" in told.err  # The stand-in's weights are seeded.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--extractor", "resnet18"], "no head of resnet18 is stored"),
        (["--extractor", "resnet18"], "Train it: RAKUTEN_BACKBONE=resnet18 dagster asset materialize"),
        (["--extractor", "resnet"], "resnet"),
    ],
)
def test_a_head_that_is_not_there_is_told_with_the_way_out(
    options: list[str], message: str, pictures: Path, storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = pictures.parent / "predictions.csv"
    assert main([str(pictures), "--out", str(out), "--storage", str(storage), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert not out.exists()


def test_the_way_to_a_head_that_the_settings_leave_out_names_it(tmp_path: Path) -> None:
    settings = Settings(storage=UPath(tmp_path))
    with pytest.raises(StoreError, match="Train it: RAKUTEN_EVALUATE=efficientnet_b0 dagster"):
        find_head(settings, "efficientnet_b0")
    with pytest.raises(StoreError, match="Train it: dagster"):
        find_head(settings, "efficientnet_lite0")


def test_a_head_of_other_features_is_refused(
    pictures: Path, storage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAKUTEN_PRECISION", "bf16")
    out = pictures.parent / "predictions.csv"
    assert main([str(pictures), "--out", str(out), "--storage", str(storage)]) == 2
    assert "was trained on features of another extractor" in capsys.readouterr().err
    assert not out.exists()


def test_wrong_places_are_refused_before_anything_is_read(
    pictures: Path, storage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "x.csv")
    assert main([str(tmp_path / "nowhere"), "--out", out, "--storage", str(storage)]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main([str(pictures / "a.jpg"), "--out", out, "--storage", str(storage)]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    assert main([str(pictures), "--out", str(pictures), "--storage", str(storage)]) == 2
    assert "is a folder" in capsys.readouterr().err
    for place in ("/proc/x.csv", str(pictures / "a.jpg" / "x.csv")):
        assert main([str(pictures), "--out", place, "--storage", str(storage)]) == 2
        (line,) = capsys.readouterr().err.splitlines()  # And none of progress.
        assert line.startswith(f"error: {place} cannot be written: ")
        assert line.endswith("choose another --out")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main([str(empty), "--out", out, "--storage", str(storage)]) == 2
    assert "no image" in capsys.readouterr().err
