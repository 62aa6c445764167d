import hashlib

import numpy as np

from rakuten_assets.extraction.networks.calibration import calibration_images


def test_images_are_drawn_alike_every_time() -> None:
    images, again = calibration_images(8, seed=3), calibration_images(8, seed=3)
    assert images.shape == (8, 3, 224, 224)
    assert images.dtype == np.float32
    assert np.array_equal(images, again)
    assert not np.array_equal(images, calibration_images(8, seed=4))
    assert len({hashlib.sha256(image.tobytes()).digest() for image in images}) == 8


def test_images_are_as_varied_as_product_photos() -> None:
    images = calibration_images(16, seed=3)
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    white = (images == 1.0).all(axis=1).mean(axis=(1, 2))
    assert (white > 0.2).sum() >= 6
    assert (white < 0.05).sum() >= 4
