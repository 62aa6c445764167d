"""The backbones on offer, and the published weights of each: values only, nothing here loads a library.

The numbers are torchvision's own (`torchvision.models`, weights' `.transforms()` and `.url`); a test compares
them with the installed torchvision.
"""

from __future__ import annotations

from dataclasses import dataclass

from rakuten_assets.errors import WeightsError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CHECKPOINT_ADDRESS = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class WeightsRelease:
    """Published weights of one backbone, and the transform that they were evaluated with."""

    name: str
    file_name: str
    resize: int
    crop: int
    interpolation: str
    sha256: str = ""

    @property
    def sha256_prefix(self) -> str:
        """The first hexadecimal digits of the file's sha256: torchvision writes them into the file's name."""
        return self.file_name.rpartition("-")[2].removesuffix(".pth")

    @property
    def address(self) -> str:
        return CHECKPOINT_ADDRESS + self.file_name


@dataclass(frozen=True)
class BackboneSpec:
    """A torchvision network without its classifier.

    Attributes:
        name: torchvision's name of its builder.
        feature_dim: length of a feature row.
        classifier: dotted name of the layer that is replaced by the identity; what remains gives the pooled
            features, float32 (n, feature_dim).
        releases: published weights that fit; the first is the default.
    """

    name: str
    feature_dim: int
    classifier: str
    releases: tuple[WeightsRelease, ...]

    def release(self, name: str) -> WeightsRelease:
        """The published weights called `name`.

        Raises:
            WeightsError: there are none of that name.
        """
        for release in self.releases:
            if release.name == name:
                return release
        known = ", ".join(release.name for release in self.releases)
        raise WeightsError(
            f"RAKUTEN_WEIGHTS={name!r} is neither published weights of {self.name} ({known}), nor `seeded`, "
            "nor an existing .pth or .safetensors file"
        )


def _v1(file_name: str, resize: int, crop: int, interpolation: str, sha256: str = "") -> WeightsRelease:
    return WeightsRelease("IMAGENET1K_V1", file_name, resize, crop, interpolation, sha256)


_SPECS = (
    BackboneSpec(
        "efficientnet_b0",
        1280,
        "classifier",
        (
            _v1(
                "efficientnet_b0_rwightman-7f5810bc.pth",
                256,
                224,
                "bicubic",
                "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",
            ),
        ),
    ),
    BackboneSpec(
        "efficientnet_b3",
        1536,
        "classifier",
        (_v1("efficientnet_b3_rwightman-b3899882.pth", 320, 300, "bicubic"),),
    ),
    BackboneSpec(
        "efficientnet_b7",
        2560,
        "classifier",
        (_v1("efficientnet_b7_lukemelas-c5b4e57e.pth", 600, 600, "bicubic"),),
    ),
    BackboneSpec("resnet18", 512, "fc", (_v1("resnet18-f37072fd.pth", 256, 224, "bilinear"),)),
    BackboneSpec(
        "resnet50",
        2048,
        "fc",
        (
            _v1("resnet50-0676ba61.pth", 256, 224, "bilinear"),
            WeightsRelease("IMAGENET1K_V2", "resnet50-11ad3fa6.pth", 232, 224, "bilinear"),
        ),
    ),
    BackboneSpec(
        "resnet101",
        2048,
        "fc",
        (
            _v1("resnet101-63fe2227.pth", 256, 224, "bilinear"),
            WeightsRelease("IMAGENET1K_V2", "resnet101-cd907fc2.pth", 232, 224, "bilinear"),
        ),
    ),
    BackboneSpec("densenet121", 1024, "classifier", (_v1("densenet121-a639ec97.pth", 256, 224, "bilinear"),)),
    BackboneSpec(
        "mobilenet_v3_large",
        960,
        "classifier",
        (
            _v1("mobilenet_v3_large-8738ca79.pth", 256, 224, "bilinear"),
            WeightsRelease("IMAGENET1K_V2", "mobilenet_v3_large-5c1a4163.pth", 232, 224, "bilinear"),
        ),
    ),
    BackboneSpec(
        "convnext_tiny", 768, "classifier.2", (_v1("convnext_tiny-983f1562.pth", 236, 224, "bilinear"),)
    ),
    BackboneSpec(
        "vit_b_16",
        768,
        "heads.head",
        (
            _v1("vit_b_16-c867db91.pth", 256, 224, "bilinear"),
            # torchvision also publishes IMAGENET1K_SWAG_E2E_V1: it needs 384x384 input, another network.
            WeightsRelease("IMAGENET1K_SWAG_LINEAR_V1", "vit_b_16_lc_swag-4e70ced5.pth", 224, 224, "bicubic"),
        ),
    ),
)
BACKBONES: dict[str, BackboneSpec] = {spec.name: spec for spec in _SPECS}
