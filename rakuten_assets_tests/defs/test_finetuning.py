"""Fine-tuning in the graph: there only where it is asked for, and its result is a weights file like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
import safetensors.torch

from rakuten_assets.backbones import register, registry
from rakuten_assets.definitions import build_defs
from rakuten_assets.errors import SettingsError
from rakuten_assets.extraction.extractors import Extractors
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.settings import Settings
from rakuten_assets.storage.records import read_record
from rakuten_assets_tests.defs.conftest import Project, failure_of, no_charts
from rakuten_assets_tests.finetuning.small import SMALL, write_weights

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

LITE = "efficientnet_lite0/fine_tuned_weights"


def keys_of(job: str, settings: Settings) -> set[str]:
    found = build_defs(settings).resolve_job_def(job)
    return {key.to_user_string() for key in found.asset_layer.selected_asset_keys}


def test_nothing_of_it_is_in_the_graph_unless_it_is_asked_for() -> None:
    defs = build_defs(Settings())
    assert not [
        key for key in defs.resolve_asset_graph().get_all_asset_keys() if "fine_tuned" in key.path[-1]
    ]
    assert "fine_tuning" not in {job.name for job in defs.jobs or []}


def test_the_job_makes_it_and_no_other_job_does() -> None:
    settings = Settings(finetune=("efficientnet_lite0", "resnet18"))
    assert keys_of("fine_tuning", settings) == {LITE, "resnet18/fine_tuned_weights"}
    plain = keys_of("everything", Settings())
    assert keys_of("everything", settings) == plain
    graph = build_defs(settings).resolve_asset_graph()
    node = graph.get(dg.AssetKey(LITE.split("/")))
    assert node.description and "RAKUTEN_WEIGHTS" in node.description
    assert {key.to_user_string() for key in node.parent_keys} == {
        "image_scan",
        "train_labels",
        "label_encoder",
        "duplicate_groups",
        "grouped_split",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"finetune": ("efficientnet-lite0",)}, "did you mean 'efficientnet_lite0'"),
        ({"finetune": ("resnet18",), "finetune_options": "epoch=3"}, "did you mean 'epochs'"),
        ({"finetune_options": "loss=hinge"}, "RAKUTEN_FINETUNE_OPTIONS: loss=hinge is not allowed"),
    ],
)
def test_a_wrong_setting_is_refused_before_any_run(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build_defs(Settings.load(**options))
    assert said in str(caught.value)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    no_charts(monkeypatch)
    register(SMALL)


def project_of(catalog: Path, storage: Path, weights: Path, options: str) -> Project:
    return Project(
        catalog,
        storage,
        dg.DagsterInstance.ephemeral(),
        Extractors,
        backbone=("small",),
        weights=f"small={weights}",
        finetune=("small",),
        finetune_options=options,
        device="cpu",
    )


def upstream(project: Project, name: str) -> list[str]:
    graph = project.defs.resolve_asset_graph()
    keys = dg.AssetSelection.keys(project.key(name)).upstream().materializable().resolve(graph)
    return sorted(key.to_user_string() for key in keys)


@pytest.mark.slow
def test_the_result_is_extracted_and_scored_like_any_weights(
    small: None, catalog: Path, tmp_path: Path
) -> None:
    start, storage = tmp_path / "start.safetensors", tmp_path / "storage"
    write_weights(start)
    options = "train=2,epochs=2,batch_size=16,learning_rate=0.01,patience=0"
    project = project_of(catalog, storage, start, options)
    result = project.run(*upstream(project, "small/fine_tuned_weights"), span=("00", "02"))
    assert result.success
    folder = storage / "outputs" / "finetuning_small"
    record = read_record(folder / "weights.json")
    assert record["weights_sha256"] == record_digest(folder)
    assert [one["epoch"] for one in record["epochs"]] == [0, 1, 2]
    assert record["options"]["learning_rate"] == 0.01
    assert record["split"]["training_rows"] + record["split"]["validation_rows"] <= 81
    assert record["split"]["validation_rows"] > 10
    # A frozen layer is the one that it was.
    state, before = (
        safetensors.torch.load_file(folder / "weights.safetensors"),
        safetensors.torch.load_file(start),
    )
    assert np.array_equal(state["features.0.conv.weight"], before["features.0.conv.weight"])
    assert not np.array_equal(state["features.3.conv.weight"], before["features.3.conv.weight"])
    assert not list((storage / "cache" / "finetuning").rglob("*.safetensors")), (
        "the checkpoint was not cleared"
    )
    (event,) = result.asset_materializations_for_node("small__fine_tuned_weights")
    shown = {name: value.value for name, value in event.metadata.items()}
    assert str(folder / "weights.safetensors") in shown["use them"]
    assert shown["learning curves"].startswith("![")
    assert shown["weighted F1 before training"] == record["epochs"][0]["weighted_f1"]
    observed = [
        event.asset_observation_data.asset_observation.metadata["epoch"].value
        for event in result.all_events
        if event.event_type_value == "ASSET_OBSERVATION"
        and event.asset_key == project.key("small/fine_tuned_weights")
    ]
    assert observed == [1, 2], "no epoch was shown while it ran"

    features, described = {}, {}
    for name, weights, wanted in (
        ("before", start, ["small/metadata"]),
        ("after", folder / "weights.safetensors", ["small/metadata", "small/validation_report"]),
    ):
        scored = project_of(catalog, storage, weights, "")
        done = scored.run(
            *sorted({one for key in wanted for one in upstream(scored, key)}), span=("00", "02")
        )
        assert done.success, name
        assets = storage / "assets" / "small"
        features[name] = np.load(assets / "train_feature_matrix" / "train_feature_matrix.npy")
        described[name] = json.loads((assets / "metadata" / "metadata.json").read_bytes())
    assert described["before"]["fingerprint"] != described["after"]["fingerprint"]
    assert not np.array_equal(features["before"], features["after"])
    assert described["after"]["weights_sha256"] == record["weights_sha256"]
    assert "FINE-TUNED" in described["after"]["weights_note"]
    assert "FINE-TUNED" not in described["before"]["weights_note"]
    report = json.loads((assets / "validation_report" / "validation_report.json").read_bytes())
    assert "FINE-TUNED" in report["weights"]

    # The file knows how its pictures were prepared, and other ones are told.
    settings, told = scored.settings, {}
    for normalisation in ("weights", "zscore"):
        chosen = settings.model_copy(update={"normalisation": normalisation})
        with Extractor.open(chosen, "small", log=lambda _: None) as extractor:
            told[normalisation] = extractor.describe()["note"]
    assert "RAKUTEN_NORMALISATION=weights: that usually costs accuracy" in told["zscore"]
    assert "prepared" not in told["weights"] and "fine-tuned weights" in told["weights"]

    # Trained weights are not trained again without a word.
    again = project_of(catalog, storage, folder / "weights.safetensors", options)
    refused = again.run("small/fine_tuned_weights")
    assert not refused.success
    assert "fine-tuned already" in failure_of(refused, "small/fine_tuned_weights")
    meant = project_of(catalog, storage, start, f"{options},start={folder / 'weights.safetensors'}")
    assert meant.run("small/fine_tuned_weights").success


def record_digest(folder: Path) -> str:
    import hashlib

    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
