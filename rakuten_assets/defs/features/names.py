"""Names that more than one place of this stage needs."""

from rakuten_assets.dataset.layout import Split


def shards_asset(split: Split) -> str:
    """Asset that holds a split's features by shard."""
    return f"{split}_features"


def matrix_asset(split: Split) -> str:
    """Asset that holds a split's features merged."""
    return f"{split}_feature_matrix"


def matrix_file(split: Split, backbone: str) -> str:
    """Published file of a split's features."""
    return f"{split}_features_{backbone}.npy"
