"""A network as a row of blocks: which of them are trained, how fast each learns, and what frozen ones must not do.

A block is what a network's author repeats: an inverted bottleneck, a residual block, a layer of a transformer; a norm
belongs to the layer before it. Blocks are counted from the classifier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from rakuten_assets.errors import SettingsError
from rakuten_assets.finetuning.options import ALL, VARIABLE

# Exactly these: a subclass is an author's own layer (torchvision's Conv2dNormActivation, DenseNet's dense block).
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
# A module that holds so much of a network is a container by another name (the encoder of a vision transformer).
_MOST = 0.8
_NAMES_IN_A_MESSAGE = 12


@dataclass(frozen=True)
class TrainedPart:
    """What is trained of a network.

    Attributes:
        blocks: the whole network's, from its input; each is the dotted names of its modules.
        depths: trained parameter -> blocks from the classifier to its own, 1 for the last.
    """

    blocks: tuple[tuple[str, ...], ...]
    depths: dict[str, int]

    @property
    def names(self) -> frozenset[str]:
        """The trained parameters."""
        return frozenset(self.depths)


def blocks_of(network: nn.Module) -> tuple[tuple[str, ...], ...]:
    """The blocks of a network, from its input; each is the dotted names of its modules."""
    found: list[tuple[str, ...]] = []
    for name, module in _opened(network, "", sum(one.numel() for one in network.parameters())):
        is_norm = all(one.ndim < 2 for one in module.parameters())
        if is_norm and found:
            found[-1] = (*found[-1], name)
        else:
            found.append((name,))
    return tuple(found)


def trained_part(network: nn.Module, train: str) -> TrainedPart:
    """What of a network is to be trained.

    Args:
        train: a number of last blocks, `all`, or dotted prefixes joined by `+`.

    Raises:
        SettingsError: for a number that is not positive, or a prefix without a parameter.
    """
    blocks = blocks_of(network)
    names = [name for name, _ in network.named_parameters()]
    block_of = {name: _block_of(name, blocks) for name in names}
    if train == ALL:
        chosen = names
    elif train.isascii() and train.isdecimal():
        count = int(train)
        if not 1 <= count <= len(blocks):
            raise SettingsError(
                f"{VARIABLE}: train={train} is not allowed; this network has {len(blocks)} blocks: 1 to "
                f"{len(blocks)}, or {ALL}"
            )
        chosen = [name for name in names if block_of[name] >= len(blocks) - count]
    else:
        chosen = _of_prefixes(train, names, blocks)
    return TrainedPart(blocks, {name: len(blocks) - block_of[name] for name in chosen})


def set_training(network: nn.Module, trained: frozenset[str], statistics_move: bool = True) -> None:
    """Train mode for the trained part, eval mode for the rest: there BatchNorm keeps its statistics, and nothing is
    dropped. Gradients are computed for the trained parameters only.

    Args:
        trained: names of parameters.
        statistics_move: False: BatchNorm keeps its statistics in the trained part too.
    """
    within = {""} if trained else set()
    for name in trained:
        parts = name.split(".")
        within |= {".".join(parts[:length]) for length in range(1, len(parts))}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trained)
    for name, module in network.named_modules():
        has_parameters = next(module.parameters(), None) is not None
        # A layer without parameters, such as stochastic depth, does as what it is part of.
        module.training = (name if has_parameters else name.rpartition(".")[0]) in within
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not statistics_move:
            module.training = False


def _opened(module: nn.Module, name: str, total: int) -> Iterator[tuple[str, nn.Module]]:
    for part, child in module.named_children():
        held = sum(one.numel() for one in child.parameters())
        if not held:
            continue
        dotted = f"{name}.{part}" if name else part
        has_children = next(child.children(), None) is not None
        if type(child) in _CONTAINERS or (has_children and held >= _MOST * total):
            yield from _opened(child, dotted, total)
        else:
            yield dotted, child


def _block_of(name: str, blocks: tuple[tuple[str, ...], ...]) -> int:
    for number, modules in enumerate(blocks):
        if any(name.startswith(f"{module}.") for module in modules):
            return number
    return 0  # A parameter of the network's own, such as a class token, works at the input.


def _of_prefixes(train: str, names: list[str], blocks: tuple[tuple[str, ...], ...]) -> list[str]:
    chosen: set[str] = set()
    for prefix in (part.strip() for part in train.split("+")):
        found = [name for name in names if prefix and (name == prefix or name.startswith(f"{prefix}."))]
        if not found:
            last = [modules[0] for modules in blocks[-_NAMES_IN_A_MESSAGE:]]
            raise SettingsError(
                f"{VARIABLE}: train={train}: no parameter of this network begins with {prefix!r}; its last blocks are "
                f"{', '.join(last)}"
            )
        chosen.update(found)
    return [name for name in names if name in chosen]
