"""Which images are the same picture: equal bytes, equal pixels, near-duplicates verified on pixels."""
