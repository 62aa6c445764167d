"""Which images a report shows: the ones that a person should see, at most a few hundred, chosen without chance."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.errors import UndecodableImageError
from rakuten_assets.images.thumbnails import thumbnail_uri, unchanged_bytes
from rakuten_assets.integrity.duplicates.overlaps import conflicting, merging, twin_rows
from rakuten_assets.integrity.reporting.findings import KINDS
from rakuten_assets.pages.contact_sheets import Sheet, Tile
from rakuten_assets.units import human_bytes

THUMBNAIL_SIDE = 112
_MOST_GROUPS = 24
_MOST_PAIRED_GROUPS = 12
_MOST_MEMBERS = 4
_MOST_OF_A_KIND = 12
_MOST_EXTREMES = 4

_SHOWN_KINDS = (
    "wrong_format", "animated", "trailing_bytes", "blank", "near_blank", "odd_size", "odd_mode", "odd_aspect_ratio",
    "dark", "light", "blurry", "low_information", "grayscale", "outlier",
)  # fmt: skip
_EXTREMES = (
    ("bytes", "Smallest and largest files", human_bytes),
    ("brightness", "Darkest and brightest", "brightness {:.0f}".format),
    ("blur", "Softest and sharpest", "sharpness {:,.0f}".format),
    ("removable_share", "Least and most white border", "{:.0%} border".format),
)


@dataclass(frozen=True)
class _Plan:
    name: str
    title: str
    total: int
    sets: list[list[tuple[int, str]]]


def showcase(
    images: pd.DataFrame,
    groups: pd.DataFrame,
    findings: pd.DataFrame,
    paths: Sequence[Path | UPath],
    workers: int = 1,
) -> list[Sheet]:
    """Choose images and read their thumbnails.

    Args:
        images, groups, findings: the tables of the report, `images` and `groups` in the same order.
        paths: each image's file.
        workers: number of threads.
    """
    plans = [
        *_group_plans(groups),
        *_kind_plans(images, findings),
        *_extreme_plans(images),
    ]
    wanted = sorted({row for plan in plans for tiles in plan.sets for row, _ in tiles})
    whole = images["status"].to_numpy(dtype=object) == "ok"
    digests, formats = images["sha256"].to_numpy(dtype=object), images["format"].to_numpy(dtype=object)

    def read(row: int) -> str:
        content = unchanged_bytes(paths[row], digests[row]) if whole[row] else None
        try:
            return thumbnail_uri(content, formats[row], THUMBNAIL_SIDE) if content is not None else ""
        except UndecodableImageError:  # no memory for it now
            return ""

    with ThreadPoolExecutor(workers, thread_name_prefix="thumbnail") as pool:
        pictures = dict(zip(wanted, pool.map(read, wanted), strict=True))
    files = images["file"].to_numpy(dtype=object)
    return [
        Sheet(
            plan.name,
            plan.title,
            plan.total,
            tuple(
                tuple(
                    Tile(str(files[row]), text, _identity(groups, row), pictures[row]) for row, text in tiles
                )
                for tiles in plan.sets
            ),
        )
        for plan in plans
    ]


def _group_plans(groups: pd.DataFrame) -> list[_Plan]:
    conflicts, near_conflicts = conflicting(groups, "pixel"), conflicting(groups, "near")
    return [
        plan
        for plan in (
            _groups_plan(groups, "label_conflict", "pixel", conflicts, each=1, say=_class_tally),
            _groups_plan(
                groups, "near_label_conflict", "near", near_conflicts & ~conflicts, each=_MOST_MEMBERS
            ),
            _groups_plan(
                groups, "train_test_twin", "near", twin_rows(groups, "near"), each=2, one_a_split=True
            ),
            _groups_plan(
                groups, "exact_duplicate", "exact", merging(groups, "exact", None), each=1, say=_copies
            ),
            _groups_plan(groups, "pixel_duplicate", "pixel", merging(groups, "pixel", "exact"), each=2),
            _groups_plan(
                groups, "near_duplicate", "near", merging(groups, "near", "pixel"), each=_MOST_MEMBERS
            ),
        )
        if plan.total
    ]


def _groups_plan(
    groups: pd.DataFrame,
    kind: str,
    level: str,
    mask: npt.NDArray[np.bool_],
    each: int,
    say: object = None,
    one_a_split: bool = False,
) -> _Plan:
    """The largest groups at `level` among the rows of `mask`: `each` members, of different files where they differ."""
    rows = np.flatnonzero(mask)
    keys = groups[f"{level}_group"].to_numpy(dtype=object)[rows]
    members: dict[str, list[int]] = {}
    for row, key in zip(rows.tolist(), keys.tolist(), strict=True):
        members.setdefault(key, []).append(row)
    ranked = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    shown = ranked[: _MOST_GROUPS if each == 1 else _MOST_PAIRED_GROUPS]
    distinct = groups["split" if one_a_split else ("pixel_group" if level == "near" else "exact_group")]
    sets = []
    for _, inside in shown:
        chosen = inside[:1] if each == 1 else _first_of_each(inside, distinct)[:each]
        if callable(say):
            sets.append([(row, say(groups, inside)) for row in chosen])
        else:
            sets.append([(row, _place(groups, row)) for row in chosen])
    return _Plan(kind, KINDS[kind].title, len(ranked), sets)


def _first_of_each(rows: list[int], values: pd.Series) -> list[int]:
    seen: dict[object, int] = {}
    for row in rows:
        seen.setdefault(values.iloc[row], row)
    return list(seen.values())


def _class_tally(groups: pd.DataFrame, rows: list[int]) -> str:
    counts = groups["code"].iloc[rows].value_counts().sort_index()
    return " / ".join(f"{code} ({count})" for code, count in counts.items())


def _copies(groups: pd.DataFrame, rows: list[int]) -> str:
    codes = groups["code"].iloc[rows].dropna().unique()
    return f"{len(rows)} copies" + (f", {codes[0]}" if len(codes) == 1 else "")


def _place(groups: pd.DataFrame, row: int) -> str:
    """Where a row is: `train 123, 2583`."""
    line = groups.iloc[row]
    where = f"{line['split']} {line['row']}".strip()
    return f"{where}, {line['code']}" if pd.notna(line["code"]) else where


def _identity(groups: pd.DataFrame, row: int) -> str:
    """Where a row is, and its ids; without ids, its file: what one needs to find it."""
    line = groups.iloc[row]
    if pd.isna(line["image_id"]):
        return str(line["file"])
    return f"{line['split']} {line['row']}, image {line['image_id']}, product {line['product_id']}"


def _kind_plans(images: pd.DataFrame, findings: pd.DataFrame) -> list[_Plan]:
    position = pd.Series(np.arange(len(images)), index=images["file"].to_numpy(dtype=object))
    plans = []
    for kind in _SHOWN_KINDS:
        lines = findings[findings["kind"] == kind]
        first = lines.head(_MOST_OF_A_KIND)
        tiles = [
            # The beginning says what it is; what is usual is said once, in the table of findings.
            [(int(position[file]), detail.split(", ")[0])]
            for file, detail in zip(first["file"], first["detail"], strict=True)
        ]
        if tiles:
            plans.append(_Plan(kind, KINDS[kind].title, len(lines), tiles))
    return plans


def _extreme_plans(images: pd.DataFrame) -> list[_Plan]:
    """The lowest and the highest few of some measures: what a distribution's ends look like."""
    seen = np.flatnonzero((images["status"] == "ok") & ~images["blank"] & ~images["near_blank"])
    if len(seen) < 4 * _MOST_EXTREMES:
        return []
    plans = []
    for name, title, form in _EXTREMES:
        values = images[name].to_numpy(dtype=np.float64)[seen]
        order = seen[np.argsort(values, kind="stable")]
        ends = [*order[:_MOST_EXTREMES].tolist(), *order[-_MOST_EXTREMES:].tolist()]
        tiles = [[(row, form(images[name].iloc[row]))] for row in ends]
        plans.append(_Plan(f"extremes_{name}", title, len(tiles), tiles))
    return plans
