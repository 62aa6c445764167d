"""The columns of an image scan: names, types and meanings, in one place.

`SCAN_SCHEMA` is what `scan.scan_images` returns (as a pandas frame), what the stored parquet holds
and what reports document: each field's metadata carries its description. Where there is nothing to measure
(status not `ok`) text is empty, a count or hash 0, a share or statistic NaN (null in parquet), a flag False;
what the header of an unreadable image says is still given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from rakuten_assets.images.borders import WHITE_THRESHOLD

SCAN_VERSION = "4"
"""Changes whenever a measure or the taxonomy does: rows of another version are measured anew."""

NEAR_BLANK_RANGE = 16
"""Grey levels that compression noise may add to one colour."""

_TEXT, _COUNT, _HASH, _REAL, _FLAG = pa.string(), pa.int64(), pa.uint64(), pa.float64(), pa.bool_()

_SAMPLED = "of 32 to 63 evenly spaced rows"

_COLUMNS: list[tuple[str, pa.DataType, str]] = [
    ("status", _TEXT, "ok (decodes whole), unreadable, or missing"),
    ("reason", _TEXT, "code of the fault taxonomy: why not ok, or a remark on an ok image; empty for none"),
    ("detail", _TEXT, "what the decoder or the file system said, for a person"),
    ("bytes", _COUNT, "size of the file in bytes, 0 where it is missing or cannot be read"),
    ("sha256", _TEXT, "sha256 of the file's bytes, hexadecimal; empty where they were not read"),
    (
        "format",
        _TEXT,
        "by content: JPEG, PNG, GIF, WEBP, BMP, TIFF, or the name of one that is not decoded; else empty",
    ),
    ("mode", _TEXT, "stored pixel mode in Pillow's names (RGB, L, CMYK, P, RGBA...)"),
    ("width", _COUNT, "pixels across, from the header"),
    ("height", _COUNT, "pixels down, from the header"),
    ("progressive", _FLAG, "whether it is a progressive JPEG"),
    ("subsampling", _TEXT, "chroma subsampling of a JPEG (4:2:0...); empty for gray and other formats"),
    ("quality", _COUNT, "IJG quality 1..100 estimated from a JPEG's luminance quantisation table, else 0"),
    ("orientation", _COUNT, "Exif orientation 1..8 (reported, never applied), 0 where there is none"),
    ("has_icc", _FLAG, "whether there is an embedded colour profile (reported, never applied)"),
    ("pixel_sha256", _TEXT, "sha256 of the size and the RGB pixels, hexadecimal: equal for equal pictures"),
    ("phash", _HASH, "64-bit perceptual hash: 8x8 lowest DCT frequencies of 32x32 gray against their median"),
    ("dhash", _HASH, "64-bit difference hash: signs of the horizontal differences of 9x8 gray"),
    ("brightness", _REAL, "mean luma, 0..255"),
    ("contrast", _REAL, f"standard deviation of luma {_SAMPLED}, 0..127.5"),
    ("entropy", _REAL, f"Shannon entropy of the histogram of luma {_SAMPLED}, 0..8 bits"),
    ("blur", _REAL, f"variance of the 4-neighbour Laplacian {_SAMPLED}, all channels: low is blurred"),
    ("saturation", _REAL, f"mean HSV saturation {_SAMPLED}, 0..255"),
    ("white_share", _REAL, f"share of pixels with all channels >= {WHITE_THRESHOLD}"),
    ("box_left", _COUNT, "content box: first column that is not all white"),
    ("box_top", _COUNT, "content box: first row that is not all white"),
    ("box_right", _COUNT, "content box: one past the last column that is not all white"),
    (
        "box_bottom",
        _COUNT,
        "content box: one past the last row that is not all white (all 0 if all is white)",
    ),
    ("removable_share", _REAL, "share of the area outside the content box (white borders)"),
    ("blank", _FLAG, "every pixel has the same colour"),
    ("near_blank", _FLAG, f"no channel varies by more than {NEAR_BLANK_RANGE} grey levels (includes blank)"),
    ("scan_version", _TEXT, "version of the measures that made this row"),
]

SCAN_SCHEMA: pa.Schema = pa.schema(
    [
        pa.field(name, kind, nullable=kind == _REAL, metadata={"description": text})
        for name, kind, text in _COLUMNS
    ]
)
SCAN_COLUMNS: list[str] = list(SCAN_SCHEMA.names)


def column_descriptions() -> dict[str, str]:
    """Column name -> meaning, in the order of the schema."""
    return {name: text for name, _, text in _COLUMNS}


def scan_frame(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """A frame of `SCAN_SCHEMA` from one tuple a row, in the order of its columns; also of no rows at all."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(SCAN_COLUMNS)
    return pd.DataFrame(
        {
            field.name: pd.Series(values, dtype=_pandas_type(field.type))
            for field, values in zip(SCAN_SCHEMA, columns, strict=True)
        }
    )


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of the schema's columns with the schema's types: reading parquet may have given others."""
    return frame.astype({field.name: _pandas_type(field.type) for field in SCAN_SCHEMA})


def _pandas_type(kind: pa.DataType) -> Any:
    return "str" if kind == _TEXT else np.dtype(kind.to_pandas_dtype())
