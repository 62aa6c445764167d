"""The table of backbones: measured in real processes; the decision matrix by hand-made figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rakuten_assets.benchmarks.backbones import COLUMNS, decision_matrix, parse_accuracies, report
from rakuten_assets.errors import SettingsError


def row(backbone: str, **figures: Any) -> dict[str, Any]:
    usual = {"images_per_second": 100.0, "peak_mb": 400.0, "feature_dim": 1280, "top1": 77.0}
    return {"backbone": backbone, "engine": "openvino f32", **usual, **figures}


def test_the_best_of_each_criterion_has_ten_and_the_weights_are_the_documents() -> None:
    rows = [row("fast", images_per_second=200.0), row("small", peak_mb=100.0, feature_dim=640, top1=38.5)]
    first, second = decision_matrix(rows, {})
    assert (first["backbone"], second["backbone"]) == ("fast", "small")
    assert (first["accuracy"], first["speed"], first["memory"], first["dimension"]) == (10, 10, 2.5, 5)
    assert first["score"] == pytest.approx((0.25 * 10 + 0.25 * 10 + 0.2 * 2.5 + 0.15 * 5) / 0.85)
    assert second["score"] == pytest.approx((0.25 * 5 + 0.25 * 5 + 0.2 * 10 + 0.15 * 10) / 0.85)


def test_accuracy_on_the_users_own_labels_decides_where_it_is_given() -> None:
    rows = [row("published", top1=80.0), row("better_here", top1=70.0), row("not_tried")]
    accuracies = {"published": 0.30, "better_here": 0.40}
    assert [one["backbone"] for one in decision_matrix(rows, accuracies)] == ["better_here", "published"]
    said = report([{**one, **dict.fromkeys(COLUMNS.keys() - one.keys())} for one in rows], accuracies)
    assert "Accuracy: of your own labels" in said
    assert said.endswith("It chooses better_here on openvino f32.")


def test_without_any_known_accuracy_there_is_no_choice() -> None:
    assert decision_matrix([row("a", top1=None)], {}) == []
    assert "chooses" not in report([row("a", **dict.fromkeys(COLUMNS.keys() - {"backbone", "engine"}))], {})


@pytest.mark.parametrize("text", ["a", "a=x", "b=0.4", "a=0", "a=-1", "a=nan", "a=inf", "=0.4"])
def test_a_wrong_accuracy_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--accuracy"):
        parse_accuracies(text, ["a"])


def test_accuracies_are_read() -> None:
    assert parse_accuracies("a=0.4, timm:b.c=0.5", ["a", "timm:b.c"]) == {"a": 0.4, "timm:b.c": 0.5}
    assert parse_accuracies("", ["a"]) == {}


@pytest.mark.slow
def test_a_backbone_is_measured_in_processes_of_its_own(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "rakuten_assets.benchmarks",
        "backbones",
        "--names",
        "efficientnet_lite0",
    ]
    options = ["--n", "4", "--seconds", "0.2", "--without-torch", "--json", str(tmp_path / "rows.json")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads((tmp_path / "rows.json").read_text())
    # In bf16 too, where this CPU has it.
    assert {row["engine"] for row in rows} <= {"openvino f32", "openvino bf16"}
    (found,) = (row for row in rows if row["engine"] == "openvino f32")
    assert (found["backbone"], found["feature_dim"], found["top1"], found["side"]) == (
        "efficientnet_lite0",
        1280,
        75.1,
        224,
    )
    assert found["gmacs"] == pytest.approx(0.385, rel=0.05)  # 385 to 407 million, as its release says
    assert 4.5 < found["parameters_m"] < 4.8
    assert found["load_seconds"] < found["conversion_seconds"]
    assert 50 < found["peak_mb"] < 1500  # torch is not in it
    assert "It chooses efficientnet_lite0 on openvino " in done.stdout
    assert f"1 of {len(rows)}: efficientnet_lite0, openvino f32: " in done.stderr
