"""The run: from a backbone's weights to better ones, resumable at any step to the same bits.

- the classifier starts as the logistic head of the frozen features, so that epoch 0 is what there was to beat
- an epoch's order and augmentations are functions of (seed, epoch, row); a step's random numbers of (seed, step)
- so a checkpoint is tensors, a step number and the scores so far
- the averaged weights are scored on the validation rows after each epoch, and the best are kept
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

import numpy as np
import torch

from rakuten_assets.errors import EngineError, SettingsError
from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.extraction.networks.models import build_backbone
from rakuten_assets.finetuning.blocks import TrainedPart, set_training, trained_part
from rakuten_assets.finetuning.checkpoints import Checkpoints, Tensors
from rakuten_assets.finetuning.network import BACKBONE, Classifier, averaged, recompute_activations
from rakuten_assets.finetuning.objective import Objective, class_weights
from rakuten_assets.finetuning.options import VARIABLE, FineTuning
from rakuten_assets.finetuning.schedule import best_epoch, should_stop
from rakuten_assets.finetuning.scoring import Epoch, epoch_of, on_device, outputs
from rakuten_assets.finetuning.stepping import Stepper, step_seed
from rakuten_assets.finetuning.task import Task, moves_statistics, plain_images, trained_of, training_images
from rakuten_assets.runtime.progress import Progress
from rakuten_assets.torch_data import ImageLoader, training_loader, validation_loader

_ARITHMETIC = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, eq=False)
class FineTuned:
    """What came out.

    Attributes:
        state: tensors of the backbone without its classifier, on the CPU.
        epochs: scores of the start and of each epoch.
        kept: the epoch whose weights these are.
        part: what was trained.
        parts: that a step was worked on in at the end.
        environment: of the machine that ended the run: what the last bits may depend on.
    """

    state: Tensors
    epochs: tuple[Epoch, ...]
    kept: int
    part: TrainedPart
    parts: int
    environment: dict[str, Any]


def fine_tune(
    task: Task,
    options: FineTuning,
    *,
    device: str = "cpu",
    threads: int = 1,
    checkpoints: Checkpoints | None = None,
    log: Callable[[str], None] = print,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> FineTuned:
    """Fine-tune a network.

    Args:
        device: "cpu" or "cuda".
        threads: of the CPU; the last bits depend on their number.
        checkpoints: of this task and these options; None: a killed run is lost. They are for the caller to clear, once
            the result is stored.
        log: told of progress, each epoch, and what was resumed.
        on_epoch, on_step: told of each epoch's scores, and of the number of steps taken after each.

    Raises:
        SettingsError: options that do not fit the network, or a learning rate that leads nowhere.
        WeightsError: the weights' file is not what it should be.
        AugmentationError: an image is no longer what the scan saw.
        EngineError: the device's memory is too small for a single image.
    """
    with _machine(device, threads, options.seed):
        run = _Run(task, options, torch.device(device), threads, checkpoints, log)
        found = checkpoints.load() if checkpoints is not None else None
        if found is None:
            run.begin()
        else:
            run.resume(*found)
        run.train(on_epoch or (lambda epoch: None), on_step or (lambda step: None))
        return run.result()


class _Run:
    """A network under way, with all that a checkpoint holds."""

    def __init__(
        self,
        task: Task,
        options: FineTuning,
        device: torch.device,
        threads: int,
        checkpoints: Checkpoints | None,
        log: Callable[[str], None],
    ) -> None:
        self._task, self._options, self._device, self._log = task, options, device, log
        self._checkpoints = checkpoints
        self._arithmetic = arithmetic_of(options.precision, device.type)
        self._environment = _environment(device, threads)
        backbone = build_backbone(task.backbone, task.weights)
        self._part = trained_part(backbone, trained_of(options, task.weights))
        torch.manual_seed(step_seed(options.seed, 0))  # of the classifier's first weights
        self._network = Classifier(backbone, task.backbone.feature_dim, task.classes, options.dropout)
        self._network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = averaged(self._network, options.ema).eval()
        self._averaged = cast(Classifier, self._average.module)
        trained = {f"{BACKBONE}{name}" for name in self._part.names} | {"linear.weight", "linear.bias"}
        set_training(self._network, frozenset(trained), moves_statistics(options, task.weights))
        buffers = {name for name, _ in self._network.named_buffers()}
        self._changing = [name for name in self._network.state_dict() if name in trained | buffers]
        if options.gradient_checkpointing:
            modules = [name for block in self._part.blocks for name in block]
            recompute_activations(self._network.backbone, modules)
        self._loader = self._training_loader(threads)
        self._validation = validation_loader(
            plain_images(task, task.validating), options.batch_size, workers=self._workers(threads)
        )
        steps = len(self._loader) * options.epochs
        objective = Objective(options, task.labels[task.training], task.classes).to(device)
        self._stepper = Stepper(self._network, self._part, options, objective, steps, self._arithmetic, log)
        self._steps = steps
        self._step = self._epoch = self._batch = 0
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._epochs: list[Epoch] = []
        self._best: Tensors = {}

    def begin(self) -> None:
        """The start: the frozen network with its best linear classifier, scored."""
        # A run without a start worth its name has nothing to lose, and nothing to read from its features.
        if self._task.weights.kind != "seeded":
            self._fit_classifier()
        self._score(None)
        self._save()

    def resume(self, tensors: Tensors, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was."""
        self._network.load_state_dict(_of(tensors, "network"), strict=False)
        self._averaged.load_state_dict(_of(tensors, "average"), strict=False)
        self._best = _of(tensors, "best")
        for name, parameter in self._network.named_parameters():
            moments = _of(tensors, f"optimizer/{name}")
            if moments:
                # Copies, laid out in memory as the ones that they stand for.
                self._stepper.optimizer.state[parameter] = {
                    key: one.clone() if key == "step" else torch.empty_like(parameter).copy_(one)
                    for key, one in moments.items()
                }
        self._step, self._epoch, self._batch = state["step"], state["epoch"], state["batch"]
        self._average.n_averaged.fill_(self._step)
        self._loss.fill_(state["loss"])
        self._epochs = [Epoch(**one) for one in state["epochs"]]
        self._stepper.parts = state["parts"]
        self._stepper.scaler.load_state_dict(state["scaler"])
        self._log(f"resumed after step {self._step:,} of {self._steps:,}, in epoch {self._epoch + 1}")
        if state["environment"] != self._environment:
            self._log(
                f"the checkpoint was made on another machine ({_told(state['environment'])}; this one: "
                f"{_told(self._environment)}): the last bits may differ from those of an undisturbed run"
            )

    def train(self, on_epoch: Callable[[Epoch], None], on_step: Callable[[int], None]) -> None:
        """Epochs, until they are over or bring nothing more."""
        options = self._options
        left = (self._steps - self._step) * self._loader.batch_size
        label = f"fine-tuning {self._task.backbone.name}"
        with Progress(label, left, log=self._log) as progress:
            while self._epoch < options.epochs and not should_stop(self._scores, options.patience):
                for images, labels in self._batches():
                    placed = on_device(images, self._device), labels.to(self._device)
                    self._loss += self._stepper.take(*placed, self._step)
                    self._average.update_parameters(self._network)
                    self._step, self._batch = self._step + 1, self._batch + 1
                    progress.advance(len(images))
                    if self._step % options.checkpoint_every == 0 and self._batch < len(self._loader):
                        self._save()
                    on_step(self._step)
                loss = self._mean_loss()
                self._epoch, self._batch = self._epoch + 1, 0
                self._loss.zero_()
                on_epoch(self._score(loss))
                self._save()

    def result(self) -> FineTuned:
        """The best epoch's weights; without early stopping, the last one's."""
        kept = len(self._epochs) - 1
        if self._options.patience:
            kept = best_epoch(self._scores)
            self._averaged.load_state_dict(self._best, strict=False)
        backbone: torch.nn.Module = self._averaged.backbone
        state = {name: one.detach().cpu().contiguous().clone() for name, one in backbone.state_dict().items()}
        epochs = tuple(self._epochs)
        return FineTuned(state, epochs, kept, self._part, self._stepper.parts, self._environment)

    @property
    def _scores(self) -> list[float]:
        return [epoch.weighted_f1 for epoch in self._epochs]

    def _batches(self) -> ImageLoader:
        place = {"epoch": self._epoch, "batches": self._batch}
        self._loader.load_state_dict(self._loader.state_dict() | place)
        return self._loader

    def _score(self, loss: float | None) -> Epoch:
        logits = outputs(self._averaged, self._validation, self._arithmetic)
        epoch = epoch_of(self._epoch, loss, logits, self._task.labels[self._task.validating])
        self._epochs.append(epoch)
        best = best_epoch(self._scores)
        if best == self._epoch:
            state = self._averaged.state_dict()
            self._best = {name: state[name].clone() for name in self._changing}
        what = f"epoch {epoch.epoch} of {self._options.epochs}" if self._epoch else "before training"
        trained = f"training loss {loss:.3f}, " if loss is not None else ""
        self._log(
            f"{what}: {trained}validation loss {epoch.validation_loss:.3f}, weighted F1 {epoch.weighted_f1:.3f} "
            f"(best {self._scores[best]:.3f}, epoch {best})"
        )
        return epoch

    def _save(self) -> None:
        if self._checkpoints is None:
            return
        self._mean_loss()
        network, average = self._network.state_dict(), self._averaged.state_dict()
        tensors = {f"network/{name}": network[name] for name in self._changing}
        tensors |= {f"average/{name}": average[name] for name in self._changing}
        tensors |= {f"best/{name}": one for name, one in self._best.items()}
        for name, parameter in self._network.named_parameters():
            state = self._stepper.optimizer.state.get(parameter, {})
            tensors |= {f"optimizer/{name}/{key}": state[key] for key in _MOMENTS if key in state}
        state = {
            "step": self._step,
            "epoch": self._epoch,
            "batch": self._batch,
            "loss": float(self._loss),
            "epochs": [epoch.as_dict() for epoch in self._epochs],
            "parts": self._stepper.parts,
            "scaler": self._stepper.scaler.state_dict(),
            "environment": self._environment,
        }
        self._checkpoints.save(tensors, state)

    def _mean_loss(self) -> float:
        loss = float(self._loss) / max(self._batch, 1)
        if not math.isfinite(loss):
            raise SettingsError(
                f"the training loss is {loss} after step {self._step:,}: the weights are lost. Set a smaller "
                f"learning_rate in {VARIABLE} (it is {self._options.learning_rate:g})"
            )
        return loss

    def _fit_classifier(self) -> None:
        task = self._task
        self._log(f"fitting a classifier to the features of {int(task.training.sum()):,} training images")
        loader = validation_loader(plain_images(task, task.training), self._options.batch_size)
        with Progress("features", int(task.training.sum()), log=self._log) as progress:
            features = outputs(self._averaged.backbone, loader, self._arithmetic, advance=progress.advance)
        labels = task.labels[task.training]
        balanced = self._options.balance == "class_weights"
        head = fit_logistic(
            features,
            labels,
            task.groups[task.training],
            codes=np.arange(task.classes),
            class_weights=class_weights(labels, task.classes) if balanced else None,
            seed=self._options.seed,
        )
        for network in (self._network, self._averaged):
            network.take_over(head)

    def _training_loader(self, threads: int) -> ImageLoader:
        dataset, options = training_images(self._task, self._options), self._options
        size = min(options.batch_size, len(dataset))
        return training_loader(
            dataset,
            size,
            balanced=options.balance == "sampler",
            seed=options.seed,
            workers=self._workers(threads),
            drop_last=True,  # A last batch of one or two images would have statistics of its own.
            pin_memory=self._device.type == "cuda",
        )

    def _workers(self, threads: int) -> int:
        wanted = self._options.workers
        if wanted >= 0:
            return wanted
        return 0 if self._device.type == "cpu" else threads


def arithmetic_of(precision: str, device: str) -> torch.dtype:
    """What a forward pass computes in.

    Raises:
        EngineError: the device cannot.
    """
    if precision == "auto":
        if device == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "f16" and device == "cpu":
        raise EngineError(f"{VARIABLE}: precision=f16 is for CUDA; take f32 or bf16 on a CPU")
    return _ARITHMETIC[precision]


@contextmanager
def _machine(device: str, threads: int, seed: int) -> Iterator[None]:
    """Torch's threads and generators for a run, put back at its end."""
    before = torch.get_num_threads()
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.set_num_threads(threads)
        try:
            torch.manual_seed(seed)
            yield
        finally:
            torch.set_num_threads(before)


def _environment(device: torch.device, threads: int) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {"device": device.type, "name": name, "threads": threads, "torch": version("torch")}


def _told(environment: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in environment.items())


def _of(tensors: Tensors, folder: str) -> Tensors:
    start = f"{folder}/"
    return {name.removeprefix(start): one for name, one in tensors.items() if name.startswith(start)}
