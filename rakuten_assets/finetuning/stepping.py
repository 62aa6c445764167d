"""One step: gradients of a batch in parts, and AdamW. Where a GPU's memory is too small, the parts are halved.

A step is a function of the weights, the images and its number: the generators are seeded with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from rakuten_assets.augmentation.randomness import sample_key
from rakuten_assets.errors import EngineError
from rakuten_assets.finetuning.blocks import TrainedPart
from rakuten_assets.finetuning.network import BACKBONE, Classifier
from rakuten_assets.finetuning.objective import Objective
from rakuten_assets.finetuning.options import VARIABLE, FineTuning
from rakuten_assets.finetuning.schedule import rate_factor

_SCALE = "base rate"  # of a parameter group: what the schedule multiplies


class Stepper:
    """Takes steps.

    Args:
        network: on its device, in the wanted mode.
        part: what is trained of the backbone.
        options: as they were given.
        objective: on the same device.
        steps: of the whole run.
        arithmetic: of the forward pass; float32 for no mixed precision.
        log: told when memory was too small.

    Attributes:
        optimizer: AdamW.
        parts: that a batch is worked on in; grows where memory is too small.
    """

    def __init__(
        self,
        network: Classifier,
        part: TrainedPart,
        options: FineTuning,
        objective: Objective,
        steps: int,
        arithmetic: torch.dtype,
        log: Callable[[str], None],
    ) -> None:
        self.network, self.objective, self.arithmetic = network, objective, arithmetic
        self.parts, self._steps, self._options, self._log = options.accumulate, steps, options, log
        self.optimizer = torch.optim.AdamW(_groups(network, part, options), lr=options.learning_rate)
        self._device = next(network.parameters()).device
        self.scaler = torch.amp.GradScaler(self._device.type, enabled=arithmetic == torch.float16)

    def take(self, images: torch.Tensor, labels: torch.Tensor, step: int) -> torch.Tensor:
        """Take a step; its mean loss, a scalar without gradient.

        Args:
            images: (n, 3, side, side), on the network's device.
            labels: int64 (n,).
            step: its number, from 0.

        Raises:
            EngineError: a single image does not fit into memory.
        """
        statistics = self._statistics()
        while True:
            try:
                loss = self._gradients(images, labels, step)
                break
            except torch.OutOfMemoryError:
                pass  # What the failed attempt held is free once this block has ended.
            self._halve(len(images), statistics)
        factor = rate_factor(step, self._steps, self._options.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group[_SCALE] * factor
        self.scaler.unscale_(self.optimizer)
        if self._options.clip_norm:
            torch.nn.utils.clip_grad_norm_(self._trained(), self._options.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _gradients(self, images: torch.Tensor, labels: torch.Tensor, step: int) -> torch.Tensor:
        torch.manual_seed(step_seed(self._options.seed, step))
        total = torch.zeros((), device=self._device)
        for of_images, of_labels in zip(
            images.tensor_split(min(self.parts, len(images))),
            labels.tensor_split(min(self.parts, len(images))),
            strict=True,
        ):
            with torch.autocast(self._device.type, self.arithmetic, enabled=self.arithmetic != torch.float32):
                logits = self.network(of_images)
            loss = self.objective(logits, of_labels, labels)
            self.scaler.scale(loss).backward()
            total += loss.detach()
        return total

    def _halve(self, images: int, statistics: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        for buffer, before in statistics:
            buffer.copy_(before)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if self.parts >= images:
            raise EngineError(
                f"the {self._device.type} device's memory does not hold the training of a single image of this "
                f"network; set gradient_checkpointing=yes or a smaller train in {VARIABLE}, or take a smaller backbone"
            )
        self.parts = min(2 * self.parts, images)
        self._log(
            f"out of memory on {self._device.type}: a step's {images} images are worked on in {self.parts} parts from "
            "now on"
        )

    def _statistics(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Buffers that a failed attempt would leave changed: BatchNorm's, each with a copy."""
        norms = [
            one
            for one in self.network.modules()
            if isinstance(one, nn.modules.batchnorm._BatchNorm) and one.training
        ]
        return [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers(recurse=False)]

    def _trained(self) -> list[torch.Tensor]:
        return [one for group in self.optimizer.param_groups for one in group["params"]]


def step_seed(seed: int, step: int) -> int:
    """What the generators are seeded with for a step: 63 bits."""
    low, high, *_ = sample_key(seed, "step of fine-tuning", step, 0)
    return low | (high & 0x7FFFFFFF) << 32


def _groups(network: Classifier, part: TrainedPart, options: FineTuning) -> list[dict[str, Any]]:
    """Parameters by learning rate, which falls from the classifier to the input, and by whether they decay."""
    found: dict[tuple[int, bool], list[torch.Tensor]] = {}
    for name, parameter in network.named_parameters():
        if name.startswith(BACKBONE) and name.removeprefix(BACKBONE) not in part.depths:
            continue
        depth = part.depths.get(name.removeprefix(BACKBONE), 0)
        found.setdefault((depth, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": options.weight_decay if decays else 0.0,
            _SCALE: options.learning_rate * options.layer_decay**depth,
        }
        for (depth, decays), parameters in sorted(found.items(), key=lambda one: one[0])
    ]
