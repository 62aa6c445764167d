from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from upath import UPath

from rakuten_assets.errors import CatalogError, EngineError, SettingsError, WeightsError
from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.evaluation.metrics import scores
from rakuten_assets.extraction.networks.models import build_backbone
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.finetuning.checkpoints import Checkpoints
from rakuten_assets.finetuning.options import FineTuning
from rakuten_assets.finetuning.scoring import outputs
from rakuten_assets.finetuning.task import Task, plain_images, training_images
from rakuten_assets.finetuning.training import FineTuned, arithmetic_of, fine_tune
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.torch_data import ImageTable, validation_loader
from rakuten_assets_tests.finetuning.small import CLASSES, SMALL, sha256_of

SHORT = FineTuning(
    statistics="moved", train="2", epochs=2, patience=0, batch_size=8, learning_rate=0.01, checkpoint_every=2
)


def tuned(task: Task, options: FineTuning = SHORT, **more: Any) -> FineTuned:
    return fine_tune(task, options, **({"log": lambda _: None} | more))


class Stopped(Exception):
    pass


def stop_after(steps: int) -> Any:
    def on_step(step: int) -> None:
        if step == steps:
            raise Stopped

    return on_step


def test_frozen_layers_keep_their_bits_and_trained_ones_do_not(task: Task) -> None:
    start = build_backbone(task.backbone, task.weights).state_dict()
    found = tuned(task).state
    assert found.keys() == start.keys()
    for name, tensor in found.items():
        frozen = int(name.split(".")[1]) < 2
        assert torch.equal(tensor, start[name]) == frozen, name


def test_weights_that_mean_something_keep_their_statistics_unless_asked(task: Task) -> None:
    start = build_backbone(task.backbone, task.weights).state_dict()
    found = tuned(task, dataclasses.replace(SHORT, statistics="auto")).state
    moved = {
        name.rpartition(".")[2] for name, tensor in found.items() if not torch.equal(tensor, start[name])
    }
    assert moved == {"weight", "bias"}
    random = dataclasses.replace(
        task, weights=WeightsSource("seeded", "seeded", task.weights.path, f"seeded:{task.weights.identity}")
    )
    found = tuned(random, dataclasses.replace(SHORT, statistics="auto")).state
    assert any("running" in name and not torch.equal(one, start[name]) for name, one in found.items())


def test_the_same_run_gives_the_same_bits_and_another_seed_others(task: Task) -> None:
    one = tuned(task)
    assert sha256_of(tuned(task).state) == sha256_of(one.state)
    assert sha256_of(tuned(task, dataclasses.replace(SHORT, workers=2)).state) == sha256_of(one.state)
    assert sha256_of(tuned(task, dataclasses.replace(SHORT, seed=1)).state) != sha256_of(one.state)


@pytest.mark.parametrize("stops", [(1, 2), (3,), (5,), (6, 7, 8)])
def test_a_stopped_run_goes_on_to_the_same_bits(stops: tuple[int, ...], task: Task, tmp_path: Path) -> None:
    said: list[str] = []
    checkpoints = Checkpoints(UPath(tmp_path), task.identity(SHORT), said.append)
    for step in stops:
        with pytest.raises(Stopped):
            tuned(task, checkpoints=checkpoints, on_step=stop_after(step), log=said.append)
    resumed = tuned(task, checkpoints=checkpoints, log=said.append)
    calm = tuned(task)
    assert sha256_of(resumed.state) == sha256_of(calm.state)
    assert resumed.epochs == calm.epochs
    assert sum("resumed after step" in line for line in said) == len(stops)
    # Everything is done: once more from the last checkpoint, without a step.
    assert sha256_of(tuned(task, checkpoints=checkpoints, on_step=stop_after(12)).state) == sha256_of(
        calm.state
    )


def test_a_checkpoint_of_another_number_of_threads_is_resumed_and_says_so(task: Task, tmp_path: Path) -> None:
    said: list[str] = []
    checkpoints = Checkpoints(UPath(tmp_path), task.identity(SHORT), said.append)
    with pytest.raises(Stopped):
        tuned(task, checkpoints=checkpoints, on_step=stop_after(3))
    tuned(task, checkpoints=checkpoints, threads=2, log=said.append)
    assert any("made on another machine" in line and "threads 1" in line for line in said)


def test_no_validation_picture_leaves_a_trace_in_the_weights(task: Task, tmp_path: Path) -> None:
    """Other pictures in the place of those that validate: without early stopping, the weights are the same bits."""
    places = np.flatnonzero(task.validation)
    paths, digests = list(task.table.paths), list(task.table.sha256)
    for place in places:
        file = tmp_path / f"{place}.png"
        Image.new("RGB", (40, 40), (int(place), 255 - int(place), 90)).save(file)
        paths[place], digests[place] = file, sha256_of_bytes(file.read_bytes())
    other = dataclasses.replace(task, table=ImageTable(paths, task.table.rows, task.table.valid, digests))
    one, changed = tuned(task), tuned(other)
    assert one.epochs != changed.epochs, "other pictures validate as well: the test would see nothing"
    assert sha256_of(one.state) == sha256_of(changed.state)
    # And a picture that is trained on does leave one.
    trained = int(np.flatnonzero(~task.validation)[0])
    paths[trained], digests[trained] = paths[places[0]], digests[places[0]]
    third = dataclasses.replace(task, table=ImageTable(paths, task.table.rows, task.table.valid, digests))
    assert sha256_of(tuned(third).state) != sha256_of(one.state)


def test_training_images_are_the_valid_rows_of_the_training_part(task: Task) -> None:
    valid = task.table.valid.copy()
    valid[[0, 1, 2]] = False
    holed = dataclasses.replace(
        task, table=ImageTable(task.table.paths, task.table.rows, valid, task.table.sha256)
    )
    rows = training_images(holed, SHORT).rows
    assert rows.tolist() == np.flatnonzero(~task.validation & valid).tolist()
    assert (
        plain_images(holed, holed.validating).rows.tolist()
        == np.flatnonzero(task.validation & valid).tolist()
    )


def test_epoch_0_is_the_logistic_head_of_the_frozen_features(task: Task) -> None:
    network = build_backbone(task.backbone, task.weights)
    features = {
        name: outputs(network, validation_loader(plain_images(task, rows)), torch.float32)
        for name, rows in (("train", task.training), ("validation", task.validating))
    }
    head = fit_logistic(
        features["train"],
        task.labels[task.training],
        task.groups[task.training],
        codes=np.arange(CLASSES),
        seed=SHORT.seed,
    )
    expected = scores(task.labels[task.validating], head.predict(features["validation"]), CLASSES)
    assert tuned(task).epochs[0].weighted_f1 == pytest.approx(expected.weighted_f1)


def test_the_best_epoch_is_kept_and_patience_ends_the_run(task: Task) -> None:
    hopeless = dataclasses.replace(SHORT, learning_rate=1.0, epochs=30, patience=2, ema=0.0, clip_norm=0.0)
    found = tuned(task, hopeless)
    values = [epoch.weighted_f1 for epoch in found.epochs]
    assert found.kept == values.index(max(values))
    assert len(values) == found.kept + 3 < 31
    if found.kept == 0:
        start = build_backbone(task.backbone, task.weights).state_dict()
        assert all(torch.equal(found.state[name], start[name]) for name in start)


def test_training_learns(task: Task) -> None:
    """Without augmentation and with time, a network knows its training rows."""
    every = FineTuning(
        train="all",
        statistics="moved",
        epochs=25,
        patience=0,
        batch_size=16,
        learning_rate=0.02,
        augment="none",
        layer_decay=1.0,
    )
    found = tuned(task, every)
    losses = [epoch.training_loss for epoch in found.epochs[1:]]
    assert losses[0] is not None and losses[-1] is not None
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"balance": "sampler"},
        {"balance": "class_weights", "loss": "focal"},
        {"augment": "none", "precision": "bf16"},
        {"augment": "heavy", "accumulate": 3},
        {"gradient_checkpointing": True, "train": "all"},
        {"clip_norm": 0.0, "warmup": 0.0, "dropout": 0.0, "ema": 0.0},
    ],
)
def test_every_option_makes_a_difference(changed: dict[str, Any], task: Task) -> None:
    found = tuned(task, dataclasses.replace(SHORT, epochs=1, **changed))
    assert sha256_of(found.state) != sha256_of(tuned(task, dataclasses.replace(SHORT, epochs=1)).state)
    assert all(bool(torch.isfinite(one).all()) for one in found.state.values())


def test_activations_computed_twice_give_the_same_weights(task: Task) -> None:
    once, twice = (
        tuned(task, dataclasses.replace(SHORT, gradient_checkpointing=flag)) for flag in (False, True)
    )
    assert sha256_of(once.state) == sha256_of(twice.state)


def test_random_weights_are_trained_whole(task: Task) -> None:
    assert task.weights.path is not None
    scratch = dataclasses.replace(
        task, weights=WeightsSource("seeded", "seeded", task.weights.path, f"seeded:{task.weights.identity}")
    )
    found = tuned(scratch, dataclasses.replace(SHORT, train="", epochs=1))
    assert set(found.part.depths.values()) == {1, 2, 3, 4}


def test_a_loss_that_is_lost_is_told_and_the_checkpoint_before_stays(task: Task, tmp_path: Path) -> None:
    wild = dataclasses.replace(
        SHORT, learning_rate=10.0, clip_norm=0.0, warmup=0.0, epochs=40, train="all", layer_decay=1.0
    )
    state = safetensors.torch.load_file(task.weights.path) if task.weights.path else {}
    state["features.3.norm.weight"] = torch.full_like(state["features.3.norm.weight"], 3e38)
    file = tmp_path / "huge.safetensors"
    safetensors.torch.save_file(state, file)
    huge = WeightsSource("seeded", "huge", file, f"sha256:{sha256_of_bytes(file.read_bytes())}")
    with pytest.raises(
        SettingsError, match=r"the training loss is (nan|inf) after step .*smaller learning_rate"
    ):
        tuned(dataclasses.replace(task, weights=huge), wild)


def test_what_cannot_be_done_is_said_in_one_sentence(task: Task, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="this network has 4 blocks"):
        tuned(task, FineTuning(train="9"))
    with pytest.raises(EngineError, match="precision=f16 is for CUDA"):
        arithmetic_of("f16", "cpu")
    with pytest.raises(CatalogError, match="the split gives 0 images of 0 classes"):
        dataclasses.replace(task, validation=np.ones(len(task.labels), bool))
    with pytest.raises(CatalogError, match="and 0 to validate on"):
        dataclasses.replace(task, validation=np.zeros(len(task.labels), bool))
    with pytest.raises(CatalogError, match="materialise grouped_split again"):
        dataclasses.replace(task, validation=task.validation[:-1])
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"not weights")
    source = WeightsSource("file", "bad", bad, f"sha256:{sha256_of_bytes(b'not weights')}")
    with pytest.raises(WeightsError, match="not a readable state dict"):
        tuned(dataclasses.replace(task, weights=source))


def test_the_users_generator_and_threads_are_left_alone(task: Task) -> None:
    torch.manual_seed(11)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    tuned(task, dataclasses.replace(SHORT, epochs=1), threads=threads + 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_the_identity_holds_all_that_the_result_depends_on(task: Task) -> None:
    one = task.identity(SHORT)
    flipped = task.validation.copy()
    flipped[:4] = ~flipped[:4]
    labels = task.labels.copy()
    labels[0] = (labels[0] + 1) % CLASSES
    others = [
        task.identity(dataclasses.replace(SHORT, dropout=0.3)),
        dataclasses.replace(task, validation=flipped).identity(SHORT),
        dataclasses.replace(task, labels=labels).identity(SHORT),
        dataclasses.replace(task, backbone=dataclasses.replace(SMALL, document_side=64)).identity(SHORT),
        dataclasses.replace(
            task,
            table=ImageTable(
                task.table.paths, task.table.rows, task.table.valid, ["x" * 64] * len(task.table)
            ),
        ).identity(SHORT),
    ]
    assert all(other != one for other in others)
