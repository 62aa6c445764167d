"""Augmentations whose result depends on (seed, policy, row, epoch) and on nothing else.

from rakuten_assets.augmentation import MEDIUM
MEDIUM(image)  # as a transform of torchvision.transforms.v2
MEDIUM.augment(image, seed=0, row=17, epoch=3)  # the same bytes in any worker, batch, order or resumed run
"""

from rakuten_assets.augmentation.colour import BrightnessContrast, Gamma, HueSaturationValue, ToGrey
from rakuten_assets.augmentation.geometry import (
    ElasticTransform,
    HorizontalFlip,
    Perspective,
    Rotate,
    ShiftScaleRotate,
    VerticalFlip,
)
from rakuten_assets.augmentation.mixing import CutMix, MixUp
from rakuten_assets.augmentation.normalisation import ValidationTransform
from rakuten_assets.augmentation.policies import (
    HEAVY,
    LIGHT,
    MEDIUM,
    POLICIES,
    policies_by_class,
    policy_for,
)
from rakuten_assets.augmentation.quality import CoarseDropout, GaussianBlur, GaussianNoise, JpegCompression
from rakuten_assets.augmentation.transform import OneOf, Policy, Transform
from rakuten_assets.backbones import IMAGENET, Normalisation

__all__ = [
    "HEAVY",
    "IMAGENET",
    "LIGHT",
    "MEDIUM",
    "POLICIES",
    "BrightnessContrast",
    "CoarseDropout",
    "CutMix",
    "ElasticTransform",
    "Gamma",
    "GaussianBlur",
    "GaussianNoise",
    "HorizontalFlip",
    "HueSaturationValue",
    "JpegCompression",
    "MixUp",
    "Normalisation",
    "OneOf",
    "Perspective",
    "Policy",
    "Rotate",
    "ShiftScaleRotate",
    "ToGrey",
    "Transform",
    "ValidationTransform",
    "VerticalFlip",
    "policies_by_class",
    "policy_for",
]
