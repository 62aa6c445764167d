"""What the UI shows of channel statistics and of the gallery."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from PIL import Image
from upath import UPath

from rakuten_assets.defs.presentation import picture, plotted, table
from rakuten_assets.plots import small_jpeg
from rakuten_assets.units import human_bytes, human_duration

if TYPE_CHECKING:
    from rakuten_assets.dataset.statistics import ChannelStatistics

_SHOWN_WIDTH = 840
"""Pixels across in the interface: the text can be read, and the event log holds half of the bytes."""


def sums_metadata(sums: pd.DataFrame, seconds: float) -> dict[str, Any]:
    """Counts of one shard, and throughput."""
    return {
        "images": len(sums),
        "pixels": int(sums["pixels"].sum()),
        "duration": human_duration(seconds),
        **plotted(seconds, len(sums)),
    }


def statistics_metadata(statistics: "ChannelStatistics") -> dict[str, Any]:
    """Both kinds of statistics beside ImageNet's and the document's example; what Dagster plots from run to run."""
    from rakuten_assets.dataset.statistics import comparison

    beside = pd.DataFrame(comparison(statistics)).round(4)
    by_channel = zip(("red", "green", "blue"), statistics.pixel_mean, statistics.pixel_std, strict=True)
    return {
        "images": statistics.images,
        "pixels": statistics.pixels,
        "beside ImageNet and the document's example": table(beside),
        **{
            f"{what}, {name}": value
            for name, mean, std in by_channel
            for what, value in (("mean", mean), ("standard deviation", std))
        },
    }


def gallery_metadata(content: bytes, captions: Sequence[str], file: Path | UPath) -> dict[str, Any]:
    """The gallery as a picture, what it shows, and where the full-size file is."""
    with Image.open(io.BytesIO(content)) as image:
        size = (_SHOWN_WIDTH, round(image.height * _SHOWN_WIDTH / image.width))
        shown = small_jpeg(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))
    products = " and ".join(captions)
    return {
        "what it shows": "each transform with the document's parameters, applied for certain, then each policy and "
        f"each way of mixing, in three epochs; on {products}",
        "gallery": picture(shown, f"augmentations of {products}"),
        "file": dg.MetadataValue.path(str(file)),
        "size of the file": human_bytes(len(content)),
    }
