"""Which shard a row belongs to: a function of its own ids and of the number of shards, of nothing else."""

from __future__ import annotations

import hashlib

from rakuten_assets.errors import ManifestError


def shard_keys(count: int) -> list[str]:
    """Names of `count` shards, zero-padded so that they sort as text in numeric order.

    >>> shard_keys(3)
    ['00', '01', '02']

    Raises:
        ManifestError: if `count` is below 1.
    """
    width = _width(count)
    return [f"{number:0{width}d}" for number in range(count)]


def shard_of(image_id: int, product_id: int, count: int) -> str:
    """Name of the shard, out of `count`, that holds the image with these ids.

    The same in every process and on every machine (Python's own `hash` of a text is not), and independent of
    all other rows, so that rows added or replaced later leave the others where they are.

    >>> shard_of(1263597046, 3804725264, 16)
    '09'

    Raises:
        ManifestError: if `count` is below 1.
    """
    width = _width(count)
    digest = hashlib.blake2b(f"{int(image_id)}:{int(product_id)}".encode("ascii"), digest_size=8).digest()
    return f"{int.from_bytes(digest, 'big') % count:0{width}d}"


def _width(count: int) -> int:
    if count < 1:
        raise ManifestError(f"{count} shards are not possible; allowed: 1 or more (RAKUTEN_SHARDS)")
    return max(2, len(str(count - 1)))
