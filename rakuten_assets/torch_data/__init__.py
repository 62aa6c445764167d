"""The catalogue for PyTorch: a data set of its images, and loaders that resume exactly.

from rakuten_assets.augmentation import MEDIUM
from rakuten_assets.torch_data import RakutenImageDataset, training_loader
dataset = RakutenImageDataset.from_storage(augment=MEDIUM)
loader = training_loader(dataset, batch_size=32, balanced=True, workers=2)
images, labels = next(iter(loader))
"""

from rakuten_assets.torch_data.images import RakutenImageDataset
from rakuten_assets.torch_data.loaders import ImageLoader, training_loader, validation_loader
from rakuten_assets.torch_data.options import ImageOptions
from rakuten_assets.torch_data.order import EpochSampler, Order, Visit, weights_by_class
from rakuten_assets.torch_data.tables import ImageTable

__all__ = [
    "EpochSampler",
    "ImageLoader",
    "ImageOptions",
    "ImageTable",
    "Order",
    "RakutenImageDataset",
    "Visit",
    "training_loader",
    "validation_loader",
    "weights_by_class",
]
