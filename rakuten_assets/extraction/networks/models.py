"""Backbones as torch modules: a network without its classifier, with the wanted weights, in eval mode.

This module imports torch: the openvino engine reaches it only through a process of its own (`torch_process`).
"""

from __future__ import annotations

import hashlib
import importlib
import re
import struct
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - torch raises it; nothing here is unpickled
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from rakuten_assets.backbones import Backbone, Normalisation, PerImageNormalisation
from rakuten_assets.errors import WeightsError
from rakuten_assets.extraction.networks.calibration import calibration_images
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.storage.files import sha256_of_file

_CALIBRATION_IMAGES = 32
_KEYS_IN_A_MESSAGE = 5
# torchvision's published DenseNet files have names that its modules gave up long ago ("norm.1" is "norm1").
_OLD_DENSENET_NAME = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")

_WHAT_A_HOSTILE_FILE_RAISES = (
    ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError, OSError,
    RuntimeError, TypeError, UnpicklingError, ValueError, safetensors.SafetensorError, struct.error,
)  # fmt: skip


def build_backbone(spec: Backbone, source: WeightsSource) -> nn.Module:
    """The backbone in eval mode, float32, on the CPU: normalised (n, 3, side, side) to features (n, feature_dim).

    Raises:
        WeightsError: the weights' file is hostile, damaged, or another network's.
    """
    if source.path is None:
        raise WeightsError(f"weights {source.name} of kind {source.kind} have no file")
    # What is loaded must be what the fingerprint names, also if the file was replaced since it was hashed.
    if not source.identity.endswith(f"sha256:{sha256_of_file(source.path)}"):
        raise WeightsError(f"{source.path} has changed while it was being loaded; run again")
    model = _without_classifier(_network(spec), spec)
    _load(model, _read_state(source.path), spec, source.path)
    return model.eval()


def seeded_backbone(spec: Backbone, seed: int) -> nn.Module:
    """The backbone with random weights that give usable features.

    A freshly initialised network in eval mode normalises with statistics that nobody measured (EfficientNet-B0:
    features of 1e-13). One pass over a batch of drawn images sets every BatchNorm to what really arrives there.
    One thread, so that sums are added in the same order whatever the machine's cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            model = _without_classifier(_network(spec), spec).eval()
            norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
            for norm in norms:
                norm.momentum = None  # a plain average, with nothing of the initial values in it
                norm.train()
            if norms:
                model(_normalised(torch.from_numpy(calibration_images(_CALIBRATION_IMAGES, seed)), spec))
            return model.eval()
    finally:
        torch.set_num_threads(threads)


def sha256_of_state(model: nn.Module) -> str:
    """Digest of a module's parameters and buffers, whatever file they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name}:{array.dtype.str}:{array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def present_name(name: str) -> str:
    """The name that a tensor of a published file has in torchvision's modules.

    >>> present_name("features.denseblock1.denselayer2.norm.1.weight")
    'features.denseblock1.denselayer2.norm1.weight'
    """
    return _OLD_DENSENET_NAME.sub(r"\1\2", name)


class Normalise(nn.Module):
    """(x / scale - mean) / std of float32 (n, 3, h, w), x from 0 to 255."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        self.scale = normalisation.scale
        self.register_buffer("mean", torch.tensor(normalisation.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(normalisation.std).view(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images / self.scale - self.mean) / self.std


class NormalisePerImage(nn.Module):
    """(x - mean) / std of float32 (n, 3, h, w), by channel, with each image's own mean and standard deviation."""

    def __init__(self, normalisation: PerImageNormalisation) -> None:
        super().__init__()
        self.least_std = normalisation.least_std

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        centred = images - images.mean((2, 3), keepdim=True)
        std = (centred * centred).mean((2, 3), keepdim=True).sqrt()
        return centred / std.clamp(min=self.least_std)


class FromBytes(nn.Module):
    """A backbone that takes bytes and gives float32: uint8 (n, side, side, 3), normalised inside, channels_last.

    The backbone's own arithmetic is in `dtype`.
    """

    def __init__(
        self,
        backbone: nn.Module,
        normalisation: Normalisation | PerImageNormalisation,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.backbone = backbone.to(dtype)
        self.dtype = dtype
        self.normalise = (
            NormalisePerImage(normalisation)
            if isinstance(normalisation, PerImageNormalisation)
            else Normalise(normalisation)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # (n, h, w, 3) seen as (n, 3, h, w) is channels_last already: nothing is moved.
        normalised = self.normalise(images.permute(0, 3, 1, 2).to(torch.float32))
        features: torch.Tensor = self.backbone(normalised.to(self.dtype))
        return features.to(torch.float32)


def load_function(path: str) -> Any:
    """The function that `package.module:function` names.

    Raises:
        WeightsError: there is none.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise WeightsError(
            f"{path!r} names no function that can be imported here ({error}); a backbone's builder is "
            "`package.module:function`"
        ) from error


def _network(spec: Backbone) -> nn.Module:
    model = load_function(spec.builder)(spec)
    if not isinstance(model, nn.Module):
        raise WeightsError(
            f"{spec.builder} gave a {type(model).__name__}, not a torch module, for {spec.name}"
        )
    return model


def _without_classifier(model: nn.Module, spec: Backbone) -> nn.Module:
    if not spec.classifier:
        return model
    parent, _, name = spec.classifier.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Identity())
    return model


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a state-dict file. Code inside a `.pth` is never run (`weights_only`)."""
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        loaded = _load_pth(path)
    except _WHAT_A_HOSTILE_FILE_RAISES as error:
        raise WeightsError(
            f"{path} is not a readable state dict ({type(error).__name__}: {_first_line(error)}); "
            "fetch or save it again: torch.save(model.state_dict(), path) or safetensors"
        ) from error
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise WeightsError(
            f"{path} holds {_outline(loaded)}, not a state dict (names to tensors); "
            "save it as torch.save(model.state_dict(), path)"
        )
    return {str(name): tensor for name, tensor in loaded.items()}


def _load_pth(path: Path) -> Any:
    with path.open("rb") as file:
        is_archive = file.read(4) == b"PK\x03\x04"
    # Files of torch before 1.6 are no zip archives, and cannot be memory-mapped.
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)


def _load(model: nn.Module, state: dict[str, torch.Tensor], spec: Backbone, path: Path) -> None:
    wanted = model.state_dict()
    renamed = {present_name(name): tensor for name, tensor in state.items()}
    given = {
        # Old files hold tensors with gaps between their elements.
        name: tensor.contiguous()
        for name, tensor in renamed.items()
        if not spec.classifier or not name.startswith(spec.classifier + ".")
    }
    # Only training counts batches; old files lack the counter.
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in given if name not in wanted]
    shapes = [
        f"{name} {tuple(given[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    problems = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
    if found := [f"{len(names)} {what}: {_shortened(names)}" for what, names in problems if names]:
        raise WeightsError(f"{path} does not hold weights of {spec.name}: {'; '.join(found)}")
    if odd := [name for name, tensor in given.items() if not bool(torch.isfinite(tensor).all())]:
        raise WeightsError(f"{path} holds NaN or infinite weights in {_shortened(odd)}; it is damaged")
    model.load_state_dict(given, strict=False)


def _normalised(images: torch.Tensor, spec: Backbone) -> torch.Tensor:
    """Images with values from 0 to 1, as the network wants them."""
    norm = spec.normalisation
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (norm.mean, norm.std))
    # Not `images * (255 / scale)` where the two are the same: the bits of seeded weights depend on it.
    scaled = images if norm.scale == 255.0 else images * 255.0 / norm.scale
    normalised: torch.Tensor = (scaled - mean) / std
    return normalised


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _KEYS_IN_A_MESSAGE} more" if len(names) > _KEYS_IN_A_MESSAGE else ""
    return ", ".join(names[:_KEYS_IN_A_MESSAGE]) + more


def _outline(value: Any) -> str:
    if isinstance(value, dict):
        return f"a dictionary with {_shortened([str(key) for key in value])}"
    return f"an object of type {type(value).__name__}"
