"""Plain torch: what a backbone's features should be, from torchvision's own modules and the papers' own words.

Nothing of the package takes part: neither its layers' names, nor its preprocessing, nor its EfficientNet-Lite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn import functional

State = Mapping[str, torch.Tensor]

LITE_REPEATS = {
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}
_LITE_SIDES = {"efficientnet_lite0": (256, 224), "efficientnet_lite2": (292, 260)}
_LITE_STRIDES = (1, 2, 2, 2, 1, 2, 1)


def reference_input(name: str, images: Sequence[Image.Image]) -> torch.Tensor:
    """Images as the network's publisher prepares them for its first weights: float32 (n, 3, side, side)."""
    if name in LITE_REPEATS:
        return torch.stack([_lite_input(image, *_LITE_SIDES[name]) for image in images])
    transform = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].transforms()
    return torch.stack([transform(image) for image in images])


def reference_features(name: str, state: State, images: torch.Tensor) -> torch.Tensor:
    """Penultimate, pooled features of one image after the other: float32 (n, dim).

    Args:
        state: tensors of the network; those of its classifier may be missing.
    """
    forward: Callable[[torch.Tensor], torch.Tensor]
    if name in LITE_REPEATS:
        forward = _Lite(state, LITE_REPEATS[name])
    else:
        model = torchvision.models.get_model(name, weights=None).eval()
        left_out = model.load_state_dict(state, strict=False)
        assert left_out.unexpected_keys == []
        assert {key.partition(".")[0] for key in left_out.missing_keys} <= {
            "classifier",
            "fc",
            "heads",
            "head",
        }
        forward = _before_the_classifier(model)
    with torch.inference_mode():
        return torch.cat([forward(image[None]) for image in images])


def parameter_count(name: str, state: State) -> int:
    """Parameters of the whole network, with its classifier for ImageNet's 1,000 classes."""
    if name in LITE_REPEATS:
        of_batches = ("running_mean", "running_var", "num_batches_tracked")
        body = sum(t.numel() for key, t in state.items() if not key.endswith(of_batches) and "_fc" not in key)
        return body + 1280 * 1000 + 1000
    with torch.device("meta"):  # shapes without memory
        model = torchvision.models.get_model(name, weights=None)
    return sum(parameter.numel() for parameter in model.parameters())


def _before_the_classifier(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    def pooled(x: torch.Tensor) -> torch.Tensor:
        return model.avgpool(model.features(x)).flatten(1)

    def convnext(x: torch.Tensor) -> torch.Tensor:
        flatten, norm = model.classifier[1], model.classifier[0]
        return flatten(norm(model.avgpool(model.features(x))))

    def hidden(x: torch.Tensor) -> torch.Tensor:
        return model.classifier[:6](pooled(x))  # the two hidden layers, each with its ReLU

    def resnet(x: torch.Tensor) -> torch.Tensor:
        x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
            x = layer(x)
        return x.mean((2, 3))

    def densenet(x: torch.Tensor) -> torch.Tensor:
        return functional.relu(model.features(x)).mean((2, 3))

    def swin(x: torch.Tensor) -> torch.Tensor:
        return model.norm(model.features(x)).mean((1, 2))

    def class_token(x: torch.Tensor) -> torch.Tensor:
        model.heads = nn.Identity()
        return model(x)

    ways: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "EfficientNet": pooled,
        "MobileNetV3": pooled,
        "ConvNeXt": convnext,
        "AlexNet": hidden,
        "VGG": hidden,
        "ResNet": resnet,
        "DenseNet": densenet,
        "SwinTransformer": swin,
        "VisionTransformer": class_token,
    }
    return ways[type(model).__name__]


def _lite_input(image: Image.Image, resize: int, crop: int) -> torch.Tensor:
    """The shorter side to `resize`, bicubic; the centre; (x - 127) / 128."""
    width, height = image.size
    scale = resize / min(width, height)
    image = image.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
    left, top = round((image.width - crop) / 2), round((image.height - crop) / 2)
    pixels = torch.frombuffer(
        bytearray(image.crop((left, top, left + crop, top + crop)).tobytes()), dtype=torch.uint8
    )
    return (pixels.view(crop, crop, 3).permute(2, 0, 1).float() - 127.0) / 128.0


class _Lite:
    """EfficientNet-Lite as its paper and TensorFlow's code describe it, written down from the tensors."""

    def __init__(self, state: State, repeats: Sequence[int]) -> None:
        self.state = state
        self.strides = [
            stride if number == 0 else 1
            for stride, count in zip(_LITE_STRIDES, repeats, strict=True)
            for number in range(count)
        ]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu6(self.norm(self.conv(x, "_conv_stem", 2), "_bn0"))
        for number, stride in enumerate(self.strides):
            x = self.block(x, f"_blocks.{number}.", stride)
        return functional.relu6(self.norm(self.conv(x, "_conv_head"), "_bn1")).mean((2, 3))

    def block(self, x: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        inside = x
        if f"{name}_expand_conv.weight" in self.state:
            inside = functional.relu6(self.norm(self.conv(x, f"{name}_expand_conv"), f"{name}_bn0"))
        inside = self.conv(inside, f"{name}_depthwise_conv", stride)
        inside = functional.relu6(self.norm(inside, f"{name}_bn1"))
        inside = self.norm(self.conv(inside, f"{name}_project_conv"), f"{name}_bn2")
        return inside + x if inside.shape == x.shape else inside

    def conv(self, x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        """Padded as TensorFlow's "SAME": more after than before."""
        weight, side = self.state[f"{name}.weight"], x.shape[-1]
        wanted = -(-side // stride)
        total = max((wanted - 1) * stride + weight.shape[-1] - side, 0)
        before, after = total // 2, total - total // 2
        x = functional.pad(x, (before, after, before, after))
        return functional.conv2d(x, weight, stride=stride, groups=x.shape[1] // weight.shape[1])

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (
            self.state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias, eps=1e-3)
