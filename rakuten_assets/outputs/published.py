"""A published set in memory: its two splits, its metadata, and the ways to its pictures and to PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from upath import UPath

from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.manifest import Manifest
from rakuten_assets.units import human_count

if TYPE_CHECKING:  # PyTorch is imported by who asks for it.
    from rakuten_assets.outputs.pictures import Images, Product
    from rakuten_assets.outputs.torch_rows import FeatureRows

_DIGITS = 12


@dataclass(frozen=True)
class Origin:
    """Where a set was loaded from.

    Attributes:
        storage: root of the storage; None for a copy of its `outputs` folder.
        data_dir: folder of the challenge's files, if it was named.
    """

    storage: Path | UPath | None
    data_dir: Path | UPath | None


@dataclass(frozen=True, eq=False, repr=False)
class SplitArrays:
    """The rows of one split. Row i is the same image in every attribute; all have `len(split)` rows, read-only.

    Attributes:
        split: "train" or "test".
        X: float32 (rows, dim), feature vectors; memory-mapped on local storage. Those of invalid rows are zero.
        ids: int64 (rows,), the catalogue's imageid.
        valid: bool (rows,). False: the image does not decode whole.
        groups: str (rows,). Rows of the same group show the same picture: keep them on one side of a split. Ids
            are the same in train and test, and from run to run.
    """

    split: Split
    X: npt.NDArray[np.float32]
    ids: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.str_]
    _y: npt.NDArray[np.int64] | None = field(repr=False)
    _frame: pd.DataFrame = field(repr=False)

    @classmethod
    def of(
        cls,
        split: Split,
        vectors: npt.NDArray[np.float32],
        valid: npt.NDArray[np.bool_],
        y: npt.NDArray[np.int64] | None,
        frame: pd.DataFrame,
    ) -> SplitArrays:
        """Put together what was read; `frame` are the split's rows of the index."""
        ids = frame["image_id"].to_numpy(dtype=np.int64, copy=True)
        groups = np.asarray(frame["near_group"].tolist(), dtype=np.str_)
        for array in (ids, valid, groups, *(() if y is None else (y,))):
            array.flags.writeable = False
        return cls(split, vectors, ids, valid, groups, y, frame)

    @property
    def y(self) -> npt.NDArray[np.int64]:
        """int64 (rows,), classes 0 to n-1, of the train split.

        Raises:
            StoreError: for the test split: the challenge keeps its labels.
        """
        if self._y is None:
            raise StoreError(
                "the test split has no y: the challenge keeps its labels. To measure a model, hold out rows of "
                "`.train`, by `groups`"
            )
        return self._y

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of the index, as a copy: split, row, index, image_id, product_id, code, label, valid, groups at
        three levels (exact_group, pixel_group, near_group), file, shard."""
        return self._frame.copy()

    def torch(self, rows: npt.ArrayLike | None = None) -> FeatureRows:
        """A map-style PyTorch `Dataset`: (x, y) of a train row, x of a test row. Torch is imported now.

        Args:
            rows: which rows, as positions or as a mask; default: the valid ones.
        """
        from rakuten_assets.outputs.torch_rows import FeatureRows

        return FeatureRows(self.X, self._y, np.asarray(self.valid if rows is None else rows))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        classes = "" if self._y is None else f", {len(np.unique(self._y))} classes"
        invalid = int((~self.valid).sum())
        return (
            f"<{self.split}: {human_count(len(self))} rows, X {self.X.dtype} {self.X.shape}{classes}, "
            f"{human_count(invalid)} invalid, {human_count(len(np.unique(self.groups)))} groups>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class PublishedSet:
    """One extractor's features of a catalogue, and what belongs to them.

    Attributes:
        train, test: the rows of the two splits.
        extractor: whose features `X` holds.
        metadata: how they were made: the extractor's `metadata_<name>.json`.
        manifest: what the set consists of; `manifest.set_id` names exactly this content.
        origin: where it was loaded from.
    """

    train: SplitArrays
    test: SplitArrays
    extractor: str
    metadata: Mapping[str, Any]
    manifest: Manifest
    origin: Origin

    @property
    def extractors(self) -> tuple[str, ...]:
        """Names of all extractors in the set: `rakuten_assets.load(extractor=...)` takes each of them."""
        return self.manifest.names

    @property
    def label_encoder(self) -> dict[int, int]:
        """Class code (prdtypecode) -> class 0 to n-1, in the numeric order of the codes."""
        return {int(code): int(label) for code, label in self.metadata["label_encoder"].items()}

    @property
    def class_weights(self) -> npt.NDArray[np.float64]:
        """float64 (classes,): rows / (classes * rows of the class), as scikit-learn's "balanced"."""
        return np.asarray(self.metadata["class_weights"], dtype=np.float64)

    @property
    def frame(self) -> pd.DataFrame:
        """The whole index: the frames of `train` and `test`."""
        return pd.concat([self.train.frame, self.test.frame], ignore_index=True)

    def images(
        self, code: int | None = None, split: Split | None = None, rows: pd.DataFrame | None = None
    ) -> Images:
        """Pictures of a class, of a split, or of chosen rows: a sequence of `Product`, a sheet in a notebook.

        Args:
            code: class code (prdtypecode); of train rows only, since test rows have none.
            split: "train" or "test"; default: both.
            rows: rows of `frame`, to choose by anything else: `images(rows=data.frame.query("not valid"))`.

        Raises:
            StoreError: for a code or a split that is not in the catalogue.
            CatalogError: if the folder of the pictures is not known.
        """
        from rakuten_assets.outputs.pictures import Images, chosen_rows

        return Images(self, chosen_rows(self.frame if rows is None else rows, code, split))

    def product(self, imageid: int | None = None, productid: int | None = None) -> Product:
        """One product, by one of its ids: picture, row, scan, features.

        Raises:
            StoreError: if no row has that id.
        """
        from rakuten_assets.outputs.pictures import find_product

        return find_product(self, imageid, productid)

    def torch(self, split: Split = "train", rows: npt.ArrayLike | None = None) -> FeatureRows:
        """`self.train.torch(rows)`, or `self.test.torch(rows)`."""
        return self.of_split(split).torch(rows)

    def of_split(self, split: Split) -> SplitArrays:
        """`self.train` or `self.test`, by name.

        Raises:
            StoreError: for another name.
        """
        if split not in SPLITS:
            raise StoreError(f"there is no split {split!r}; there are: {', '.join(SPLITS)}")
        return self.train if split == "train" else self.test

    def __repr__(self) -> str:
        others = [name for name in self.extractors if name != self.extractor]
        lines = [
            f"<published set {self.manifest.set_id[:_DIGITS]} of {self.manifest.published_at}",
            f"  extractor {self.extractor}" + (f" (also: {', '.join(others)})" if others else ""),
            f"  weights: {self.metadata.get('weights_note', 'not told')}",
            f"  {self.train!r}",
            f"  {self.test!r}>",
        ]
        return "\n".join(lines)
