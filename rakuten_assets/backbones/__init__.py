"""The backbones on offer: what each network is, where its weights are, what its input must look like.

Values only: nothing here loads a library. A backbone is one entry in `entries`; everything else follows from it: the
values that `RAKUTEN_BACKBONE` allows, the README's table, an asset family, the model's conversion, the fingerprint.

One from outside this package is one object: `register(Backbone(...))`, or an entry point of the group
`rakuten_assets.backbones`.
"""

from rakuten_assets.backbones.registry import backbone_names, find_backbone, register
from rakuten_assets.backbones.specification import (
    IMAGENET,
    Backbone,
    Normalisation,
    PerImageNormalisation,
    Release,
)

__all__ = [
    "IMAGENET",
    "Backbone",
    "Normalisation",
    "PerImageNormalisation",
    "Release",
    "backbone_names",
    "find_backbone",
    "register",
]
