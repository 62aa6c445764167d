"""How a network is fine-tuned, as one value, and as the text of the setting `RAKUTEN_FINETUNE_OPTIONS`."""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass
from typing import Any

from rakuten_assets.errors import SettingsError

VARIABLE = "RAKUTEN_FINETUNE_OPTIONS"
ALL = "all"
SCRATCH = "scratch"
BLOCKS = 4
"""Of a network with weights that mean something, the last so many blocks are trained unless others are named."""

# They change how a run goes and not what comes out of it.
_WITHOUT_EFFECT = ("workers", "checkpoint_every")
_WORDS = {"yes": True, "no": False}


def _option(default: Any, about: str, low: float = -math.inf, high: float = math.inf, *allowed: str) -> Any:
    return dataclasses.field(
        default=default, metadata={"about": about, "low": low, "high": high, "allowed": allowed}
    )


def _choice(default: str, about: str, *allowed: str) -> Any:
    return _option(default, about, -math.inf, math.inf, *allowed)


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How a network is fine-tuned. `options_table` says what each value is.

    Raises:
        SettingsError: for a value that is not allowed, or two that exclude each other.
    """

    start: str = _option(
        "",
        "weights to start from: `scratch` (random ones), a published name, or a file; unset: those of "
        "`RAKUTEN_WEIGHTS`",
    )
    train: str = _option(
        "",
        f"what is trained, the rest is frozen: the last so many blocks (`2`), `all`, or dotted prefixes joined by "
        f"`+` (`features.7+features.8`); unset: {BLOCKS}, and `all` from random weights",
    )
    epochs: int = _option(10, "passes over the training rows", 1, 10_000)
    patience: int = _option(
        3, "epochs without a better validation score before it stops; 0: all epochs, the last one is kept", 0
    )
    batch_size: int = _option(32, "images of a step", 2, 65_536)
    accumulate: int = _option(1, "parts that a step's images are worked on in, which saves memory", 1, 65_536)
    learning_rate: float = _option(5e-4, "of the classifier, at its highest", 1e-9, 10.0)
    layer_decay: float = _option(
        0.85, "factor of the learning rate from each block to the one before it", 0.01, 1.0
    )
    warmup: float = _option(
        0.1, "share of the steps in which the learning rate rises; a cosine follows", 0.0, 0.9
    )
    weight_decay: float = _option(0.05, "AdamW's, of weights; none of biases and norms", 0.0, 10.0)
    dropout: float = _option(0.2, "before the classifier", 0.0, 0.95)
    clip_norm: float = _option(1.0, "largest norm of a step's gradient; 0: any", 0.0)
    augment: str = _choice(
        "by_class",
        "`by_class`: by the size of a row's class; or one policy for all",
        "by_class",
        "light",
        "medium",
        "heavy",
        "none",
    )
    balance: str = _choice(
        "none",
        "against unequal classes: weights in the loss, or each class drawn as often",
        "none",
        "class_weights",
        "sampler",
    )
    loss: str = _choice("cross_entropy", "what is minimised", "cross_entropy", "focal")
    gamma: float = _option(2.0, "of the focal loss", 0.0, 100.0)
    ema: float = _option(
        0.998, "decay of the averaged weights that are scored and kept; 0: no averaging", 0.0, 0.999999
    )
    statistics: str = _choice(
        "auto",
        "of BatchNorm in trained blocks: `kept` as the weights brought them, or `moved` to those of the augmented "
        "pictures; `auto`: moved from random weights, else kept",
        "auto",
        "kept",
        "moved",
    )
    precision: str = _choice(
        "auto", "`auto`: f32 on a CPU, mixed with bf16 (else f16) on CUDA", "auto", "f32", "bf16", "f16"
    )
    gradient_checkpointing: bool = _option(
        False, "`yes`: activations are computed twice and not kept, which saves memory"
    )
    checkpoint_every: int = _option(200, "steps between checkpoints; each epoch ends in one too", 1)
    workers: int = _option(
        -1, "processes that read images; -1: none on a CPU, which is busy, one a core on CUDA", -1, 1024
    )
    seed: int = _option(42, "of the order, the augmentations and dropout", 0, 2**31 - 1)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return dataclasses.asdict(self)

    def identity(self) -> dict[str, Any]:
        """The options that the result depends on."""
        return {name: value for name, value in self.as_dict().items() if name not in _WITHOUT_EFFECT}


def parse_options(text: str) -> FineTuning:
    """Options from `name=value,name=value`; those that are not named have their defaults.

    Raises:
        SettingsError: for a name that is none, one that stands there twice, or a value that is not allowed.

    >>> parse_options("epochs=3, train=2").epochs
    3
    """
    fields = {field.name: field for field in dataclasses.fields(FineTuning)}
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"{VARIABLE}: {name!r} is no option of fine-tuning; {hint}options are {', '.join(fields)}"
            )
        if not equals or name in found:
            what = "stands there twice" if name in found else "has no value"
            raise SettingsError(f"{VARIABLE}: {name} {what}; write name=value,name=value")
        found[name] = _parsed(fields[name], value)
    return FineTuning(**found)


def options_table() -> str:
    """The options as the README's Markdown table: name, default, what it is."""
    lines = ["| option | default | what it is |", "|---|---|---|"]
    for field in dataclasses.fields(FineTuning):
        default = _word(field.default)
        about = field.metadata["about"]
        if allowed := field.metadata["allowed"]:
            about += f". Allowed: {', '.join(f'`{value}`' for value in allowed)}"
        lines.append(f"| `{field.name}` | {f'`{default}`' if default != '' else 'unset'} | {about} |")
    return "\n".join(lines)


def _parsed(field: dataclasses.Field[Any], text: str) -> Any:
    kind: Any = type(field.default)
    try:
        return _WORDS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise _refusal(field, text) from None


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    kind: Any = type(field.default)
    about = field.metadata
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not fits or (kind is int and isinstance(value, bool)):
        raise _refusal(field, value)
    is_number = kind in (int, float)
    if is_number and not (math.isfinite(value) and about["low"] <= value <= about["high"]):
        raise _refusal(field, value)
    if about["allowed"] and value not in about["allowed"]:
        raise _refusal(field, value)


def _refusal(field: dataclasses.Field[Any], value: Any) -> SettingsError:
    kind: Any = type(field.default)
    about = field.metadata
    if about["allowed"]:
        wanted = f"allowed are {', '.join(about['allowed'])}"
    elif kind is bool:
        wanted = "allowed are yes and no"
    else:
        wanted = "a whole number" if kind is int else "a number" if kind is float else "a text"
        bounds = [
            f"{word} {about[key]:g}"
            for word, key in (("at least", "low"), ("at most", "high"))
            if math.isfinite(about[key])
        ]
        wanted = f"wanted is {wanted}{', ' if bounds else ''}{' and '.join(bounds)}"
    return SettingsError(
        f"{VARIABLE}: {field.name}={_word(value)} is not allowed; {wanted} ({about['about']})"
    )


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
