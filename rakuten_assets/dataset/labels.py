"""Class codes and labels: the encoding, and what is known of the real data set's 27 classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from rakuten_assets.errors import CatalogError

# Rows a class of the real train set, counted from the challenge's label file.
KNOWN_CLASS_COUNTS: dict[int, int] = {
    10: 3116,
    40: 2508,
    50: 1681,
    60: 832,
    1140: 2671,
    1160: 3953,
    1180: 764,
    1280: 4870,
    1281: 2070,
    1300: 5045,
    1301: 807,
    1302: 2491,
    1320: 3241,
    1560: 5073,
    1920: 4303,
    1940: 803,
    2060: 4993,
    2220: 824,
    2280: 4760,
    2403: 4774,
    2462: 1421,
    2522: 4989,
    2582: 2589,
    2583: 10209,
    2585: 2496,
    2705: 2761,
    2905: 872,
}
KNOWN_TRAIN_ROWS = 84_916
KNOWN_TEST_ROWS = 13_812

# Unofficial, read off the products: labels for plots. The code is the truth.
CLASS_NAMES: dict[int, str] = {
    10: "used books",
    40: "imported video games",
    50: "gaming accessories",
    60: "retro consoles",
    1140: "figurines, derived products",
    1160: "trading cards",
    1180: "wargame figurines, role play",
    1280: "toys for children",
    1281: "board games",
    1300: "scale models, drones",
    1301: "baby socks, small games",
    1302: "outdoor play, sports",
    1320: "early childhood",
    1560: "indoor furniture",
    1920: "bed linen, cushions",
    1940: "food",
    2060: "home decoration",
    2220: "pet supplies",
    2280: "magazines, newspapers",
    2403: "book and comic series",
    2462: "video games and consoles, lots",
    2522: "stationery",
    2582: "garden furniture",
    2583: "swimming pools",
    2585: "gardening, tools",
    2705: "new books",
    2905: "downloadable PC games",
}


def fit_label_encoder(codes: npt.ArrayLike) -> dict[int, int]:
    """Number the classes 0 to n-1 in the numeric order of their codes (as text, "1140" would precede "40").

    Args:
        codes: whole numbers (n,), each class at least once.

    Returns:
        code -> label, in the order of the labels.

    Raises:
        CatalogError: if there is no code.
    """
    unique = np.unique(np.asarray(codes, dtype=np.int64))
    if not unique.size:
        raise CatalogError("there is no class code to encode; the label table must hold at least one row")
    return {int(code): label for label, code in enumerate(unique)}


def encode_labels(codes: npt.ArrayLike, encoder: Mapping[int, int]) -> npt.NDArray[np.int64]:
    """Turn codes into labels.

    Args:
        codes: whole numbers (n,).
        encoder: code -> label.

    Returns:
        int64 (n,).

    Raises:
        CatalogError: for a code that the encoder lacks, naming its row and value.
    """
    values = np.asarray(codes, dtype=np.int64)
    unique, inverse = np.unique(values, return_inverse=True)
    unknown = [int(code) for code in unique if int(code) not in encoder]
    if unknown:
        rows = np.flatnonzero(np.isin(values, unknown))
        raise CatalogError(
            f"row {rows[0]}: class code {values[rows[0]]} is unknown ({rows.size:,} such rows, codes "
            f"{', '.join(map(str, unknown[:10]))}); known are {', '.join(map(str, sorted(encoder)))}. "
            "Correct the label file, or fit the label encoder again"
        )
    return np.asarray([encoder[int(code)] for code in unique], dtype=np.int64)[inverse.reshape(-1)]


def decode_labels(labels: npt.ArrayLike, encoder: Mapping[int, int]) -> npt.NDArray[np.int64]:
    """Turn labels (whole numbers (n,)) back into codes, int64 (n,).

    Raises:
        CatalogError: for a label that the encoder does not give, naming its row and value.
    """
    code_of = {label: code for code, label in encoder.items()}
    values = np.asarray(labels, dtype=np.int64)
    unknown = [row for row, label in enumerate(values.tolist()) if label not in code_of]
    if unknown:
        raise CatalogError(
            f"row {unknown[0]}: label {values[unknown[0]]} belongs to no class; the encoder knows "
            f"{len(code_of)} classes. Make the labels and the encoder from the same label file"
        )
    return np.asarray([code_of[label] for label in values.tolist()], dtype=np.int64)


def class_text(code: int) -> str:
    """A class code with its unofficial name, where it has one."""
    return f"{code} {CLASS_NAMES.get(int(code), '')}".strip()


def class_counts(codes: npt.ArrayLike) -> dict[int, int]:
    """Rows a class: code -> count, in numeric order of the codes."""
    unique, counts = np.unique(np.asarray(codes, dtype=np.int64), return_counts=True)
    return {int(code): int(count) for code, count in zip(unique, counts, strict=True)}


def differences_from_known(counts: Mapping[int, int]) -> list[str]:
    """What sets these class counts apart from the real data set's: a sentence each; none if they agree."""
    differences = []
    for code in sorted(counts.keys() | KNOWN_CLASS_COUNTS.keys()):
        found, known = counts.get(code, 0), KNOWN_CLASS_COUNTS.get(code)
        if known is None:
            differences.append(f"class {code} is not one of the 27 ({found:,} rows)")
        elif found != known:
            differences.append(f"class {code} has {found:,} rows, the real data set {known:,}")
    return differences


def has_known_size(train_rows: int, test_rows: int) -> bool:
    """Whether a catalogue is as large as the full real one: then its class counts must be the known ones."""
    return (train_rows, test_rows) == (KNOWN_TRAIN_ROWS, KNOWN_TEST_ROWS)
