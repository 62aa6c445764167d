"""The document's decision trees, followed for these data and this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rakuten_assets.extraction.engines.choice import cuda_devices
from rakuten_assets.readiness.answers import Decision
from rakuten_assets.readiness.stored import NotStoredError, Stored
from rakuten_assets.units import human_count

_FEW, _MANY = 10_000, 100_000


def decide(
    stored: Stored, extractors: Sequence[str], devices: Callable[[], int] = cuda_devices
) -> list[Decision]:
    """Which model (11.1, by the number of images), and which strategy (11.2, by whether there is a GPU).

    A tree whose fact is not stored is left out.
    """
    strategy = _strategy(devices())
    try:
        images = len(stored.table("image_manifest"))
    except NotStoredError:
        return [strategy]
    return [_model(images, extractors), strategy]


def _model(images: int, extractors: Sequence[str]) -> Decision:
    if images < _FEW:
        size, advice = f"fewer than {human_count(_FEW)}", "frozen features (MobileNet, ResNet-18)"
    elif images <= _MANY:
        size = f"{human_count(_FEW)} to {human_count(_MANY)}"
        advice = "transfer learning or fine-tuning (EfficientNet-B0 to B3)"
    else:
        size, advice = f"more than {human_count(_MANY)}", "fine-tuning, or a transformer (ConvNeXt, Swin-T)"
    return Decision(
        "which model (11.1)?",
        f"{human_count(images)} images: {size}",
        advice,
        f"features of {', '.join(extractors)} are stored" if extractors else "no features are stored",
    )


def _strategy(gpus: int) -> Decision:
    if gpus:
        return Decision(
            "which strategy (11.2)?",
            f"{gpus} GPU{'s' if gpus > 1 else ''} here",
            "fine-tuning with strong augmentation (batch 64, learning rate 1e-4)",
            "features are extracted on the GPU (RAKUTEN_DEVICE=auto); augmentations and loaders are in "
            "rakuten_assets.augmentation and rakuten_assets.torch_data",
        )
    return Decision(
        "which strategy (11.2)?",
        "no GPU here",
        "feature extraction without augmentation (batch 32)",
        "features are extracted on the CPU, exactly, in batches that the engine chooses",
    )
