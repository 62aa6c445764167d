from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rakuten_assets.errors import EngineError
from rakuten_assets.finetuning.blocks import set_training, trained_part
from rakuten_assets.finetuning.network import BACKBONE, Classifier
from rakuten_assets.finetuning.objective import Objective, class_weights
from rakuten_assets.finetuning.options import FineTuning
from rakuten_assets.finetuning.stepping import Stepper, step_seed
from rakuten_assets.imbalance.focal_loss import FocalLoss
from rakuten_assets_tests.finetuning.small import CLASSES, DIM, MOST_AT_ONCE, Hungry, Small

LABELS = np.arange(40) % CLASSES


def stepper(
    options: FineTuning,
    build: Callable[[], torch.nn.Module] = Small,
    norms_trained: bool = True,
    log: Callable[[str], None] = print,
) -> Stepper:
    torch.manual_seed(0)
    backbone = build()
    backbone.head = torch.nn.Identity()
    part = trained_part(backbone, "all")
    network = Classifier(backbone, DIM, CLASSES, 0.0)
    trained = {BACKBONE + name for name in part.names if norms_trained or ".norm." not in name}
    set_training(network, frozenset(trained | {"linear.weight", "linear.bias"}))
    for module in network.modules():  # Chance is drawn part by part, and would differ.
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
    return Stepper(network, part, options, Objective(options, LABELS, CLASSES), 10, torch.float32, log)


def batch(count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 32, 32, generator=generator), torch.arange(count) % CLASSES


def weights_after(one: Stepper, steps: int = 2, count: int = 12) -> dict[str, torch.Tensor]:
    for step in range(steps):
        one.take(*batch(count), step)
    return {name: value.clone() for name, value in one.network.state_dict().items()}


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("balance", ["none", "class_weights"])
def test_parts_add_up_to_the_whole_step(loss: str, balance: str) -> None:
    whole, parts = (
        stepper(FineTuning(loss=loss, balance=balance, accumulate=n), norms_trained=False) for n in (1, 5)
    )
    losses = [float(one.take(*batch(), 0)) for one in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    state, other = whole.network.state_dict(), parts.network.state_dict()
    for name in state:
        torch.testing.assert_close(state[name], other[name], rtol=1e-3, atol=1e-5)


def test_the_loss_is_the_one_that_was_asked_for() -> None:
    logits, labels = torch.randn(6, CLASSES), torch.tensor([0, 1, 2, 3, 4, 26])
    weights = torch.from_numpy(class_weights(LABELS, CLASSES).astype(np.float32))
    assert float(weights[0]) != float(weights[26])
    expected = {
        ("cross_entropy", "none"): torch.nn.functional.cross_entropy(logits, labels),
        ("cross_entropy", "class_weights"): torch.nn.functional.cross_entropy(logits, labels, weights),
        ("focal", "none"): FocalLoss(1.5)(logits, labels),
        ("focal", "class_weights"): FocalLoss(1.5, weights)(logits, labels),
    }
    for (loss, balance), value in expected.items():
        found = Objective(FineTuning(loss=loss, balance=balance, gamma=1.5), LABELS, CLASSES)
        torch.testing.assert_close(found(logits, labels, labels), value)


def test_a_class_without_training_rows_has_the_weight_one() -> None:
    found = class_weights(np.array([0, 0, 2]), 4)
    assert found.tolist() == [0.75, 1.0, 1.5, 1.0]


def test_the_rate_falls_towards_the_input_and_norms_and_biases_do_not_decay() -> None:
    one = stepper(FineTuning(layer_decay=0.5, learning_rate=0.1, weight_decay=0.3))
    group_of = {id(value): group for group in one.optimizer.param_groups for value in group["params"]}
    named = dict(one.network.named_parameters())
    assert len(group_of) == len(named)
    for name, value in named.items():
        depth = 0 if name.startswith("linear") else 4 - int(name.split(".")[2])
        assert group_of[id(value)]["base rate"] == pytest.approx(0.1 * 0.5**depth), name
        assert group_of[id(value)]["weight_decay"] == (0.3 if value.ndim > 1 else 0.0), name
    one.take(*batch(), 0)
    assert {group["lr"] / group["base rate"] for group in one.optimizer.param_groups} == {1.0}
    one.take(*batch(), 9)
    assert max(group["lr"] / group["base rate"] for group in one.optimizer.param_groups) < 0.1


def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_left_of_the_failure() -> None:
    said: list[str] = []
    halved = stepper(FineTuning(), Hungry, log=said.append)
    calm = stepper(FineTuning(accumulate=2))
    assert len(batch()[0]) == 2 * MOST_AT_ONCE
    found, expected = weights_after(halved), weights_after(calm)
    assert halved.parts == 2
    assert said == ["out of memory on cpu: a step's 12 images are worked on in 2 parts from now on"]
    for name in expected:  # BatchNorm's statistics too
        assert torch.equal(found[name], expected[name]), name


def test_an_image_that_does_not_fit_by_itself_is_refused() -> None:
    class Starved(Small):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("a stand-in")

    one = stepper(FineTuning(), Starved, log=lambda _: None)
    with pytest.raises(EngineError, match="does not hold the training of a single image"):
        one.take(*batch(), 0)


def test_seeds_of_steps_differ_and_depend_on_the_seed() -> None:
    seeds = {step_seed(seed, step) for seed in (0, 1) for step in range(50)}
    assert len(seeds) == 100
    assert all(0 <= one < 2**63 for one in seeds)
