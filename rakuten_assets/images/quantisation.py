"""The quality setting that a JPEG was saved with, from its quantisation table.

The IJG library and its heirs scale one table: by 50/q below quality 50, by 2 - q/50 above, and clip the entries
to 1..255. The sum of the entries tells all hundred tables apart, whatever the order of the stored entries.
"""

from __future__ import annotations

from functools import lru_cache

# Luminance table at quality 50 (T.81, table K.1).
_LUMINANCE = [
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
]


def luminance_sum(quality: int) -> int:
    """Sum of the 64 entries of the IJG luminance table at a quality of 1..100."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(max((entry * percent + 50) // 100, 1), 255) for entry in _LUMINANCE)


_SUMS = {quality: luminance_sum(quality) for quality in range(1, 101)}


@lru_cache(maxsize=256)  # a data set has a handful of tables
def estimate_quality(entries_sum: int) -> int:
    """IJG quality (1..100) from the sum of a luminance table's 64 entries; 0 for a sum of 0 (no table).

    Exact for the library's own tables; for any other it is the quality whose table comes nearest in sum.

    >>> estimate_quality(luminance_sum(80))
    80
    """
    if entries_sum <= 0:
        return 0
    return min(_SUMS, key=lambda quality: abs(_SUMS[quality] - entries_sum))
