"""Names that more than one place of this stage needs. An extractor's assets have its name as key prefix."""

from rakuten_assets.backbones import Backbone
from rakuten_assets.dataset.layout import Split


def shards_key(backbone: Backbone, split: Split) -> list[str]:
    """Key of the asset that holds a split's features by shard."""
    return [backbone.family, f"{split}_features"]


def matrix_key(backbone: Backbone, split: Split) -> list[str]:
    """Key of the asset that holds a split's features merged."""
    return [backbone.family, f"{split}_feature_matrix"]


def metadata_key(backbone: Backbone) -> list[str]:
    """Key of the asset that describes an extractor's features."""
    return [backbone.family, "metadata"]
