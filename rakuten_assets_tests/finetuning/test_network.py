from __future__ import annotations

import copy

import numpy as np
import torch

from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.finetuning.network import Classifier, averaged, recompute_activations
from rakuten_assets_tests.finetuning.small import CLASSES, DIM, Small


def classifier(seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    backbone = Small()
    backbone.head = torch.nn.Identity()
    return Classifier(backbone, DIM, CLASSES, 0.2)


def test_the_linear_layer_takes_over_a_heads_logits() -> None:
    random = np.random.default_rng(0)
    features = (random.normal(size=(60, DIM)) * 7 + 3).astype(np.float32)
    labels = np.arange(60) % CLASSES
    head = fit_logistic(features, labels, codes=np.arange(CLASSES), penalties=(0.1,))
    head = head.with_temperature(2.5)
    network = classifier().eval()
    network.take_over(head)
    found = network.classify(torch.from_numpy(features)).detach().numpy()
    np.testing.assert_allclose(found, head.logits(features) / 2.5, rtol=1e-4, atol=1e-4)


def test_a_feature_that_hardly_varied_does_not_drown_the_others() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(60, DIM)).astype(np.float32)
    features[:, 3] *= 1e-6
    head = fit_logistic(features, np.arange(60) % CLASSES, codes=np.arange(CLASSES), penalties=(0.1,))
    network = classifier().eval()
    network.take_over(head)
    features[:, 3] += 1.0
    assert float(network.classify(torch.from_numpy(features)).detach().abs().max()) < 100


def test_an_average_follows_weights_and_statistics_and_keeps_what_does_not_change() -> None:
    network = classifier()
    average = averaged(network, 0.5)
    frozen = network.backbone.features[0].conv.weight
    frozen.requires_grad_(False)
    norm = network.backbone.features[3].norm
    expected = {"bias": network.linear.bias.detach().clone(), "mean": norm.running_mean.clone()}
    for step in range(4):
        with torch.no_grad():
            network.linear.bias += 1
            norm.running_mean += 2
        average.update_parameters(network)
        decay = 0.0 if step == 0 else min(0.5, (1 + step) / (10 + step))
        values = {"bias": network.linear.bias.detach(), "mean": norm.running_mean}
        expected = {name: decay * expected[name] + (1 - decay) * values[name] for name in values}
    torch.testing.assert_close(average.module.linear.bias.detach(), expected["bias"])
    torch.testing.assert_close(average.module.backbone.features[3].norm.running_mean, expected["mean"])
    assert torch.equal(average.module.backbone.features[0].conv.weight, frozen)


def test_without_a_decay_the_average_is_the_network() -> None:
    network = classifier()
    average = averaged(network, 0.0)
    for _ in range(3):
        with torch.no_grad():
            network.linear.weight.mul_(1.37)
        average.update_parameters(network)
    assert torch.equal(average.module.linear.weight, network.linear.weight)


def test_activations_computed_twice_change_nothing() -> None:
    images, results = torch.randn(8, 3, 32, 32), []
    for recompute in (False, True):
        network = classifier().train()
        if recompute:
            recompute_activations(network.backbone, [f"features.{n}" for n in range(4)])
        passes = []
        network.backbone.features[2].norm.register_forward_hook(lambda *_, seen=passes: seen.append(1))
        torch.manual_seed(3)  # dropout is in the blocks
        network(images).square().sum().backward()
        assert len(passes) == 1 + recompute, "the block was not computed twice"
        gradients = {name: one.grad for name, one in network.named_parameters()}
        results.append((gradients, copy.deepcopy(network.state_dict())))
    (plain, state), (again, other) = results
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert all(torch.equal(state[name], other[name]) for name in state)
    assert int(state["backbone.features.0.norm.num_batches_tracked"]) == 1
