"""Products of a published set with their pictures, for looking at."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from rakuten_assets.dataset.labels import class_text
from rakuten_assets.dataset.layout import SPLITS, CatalogFolder, Split, find_catalog
from rakuten_assets.errors import CatalogError, StoreError
from rakuten_assets.outputs.names import make_command
from rakuten_assets.settings import Settings
from rakuten_assets.source import synthetic_root
from rakuten_assets.storage.files import sha256_of_bytes
from rakuten_assets.storage.reading import read_bytes
from rakuten_assets.storage.tables import read_table

if TYPE_CHECKING:
    from PIL.Image import Image

    from rakuten_assets.outputs.published import PublishedSet

_MOST_TILES = 27
_MOST_CODES = 30


@dataclass(frozen=True, eq=False, repr=False)
class Product:
    """One product of a published set.

    Attributes:
        row: its row of the index.
        features: float32 (dim,), read-only.
    """

    row: pd.Series
    features: npt.NDArray[np.float32]
    _set: PublishedSet

    @cached_property
    def scan(self) -> pd.Series:
        """What the integrity scan measured of its image: status, reason, size, hashes, brightness...

        Raises:
            StoreError: if the scan is not there: it is part of the storage, not of the published set.
        """
        return _scan_of(self._set, self.row)

    @property
    def content(self) -> bytes:
        """Bytes of its image file.

        Raises:
            CatalogError: if the file cannot be read, or the folder of the pictures is not known.
        """
        folder = catalogue_of(self._set)
        path = folder.image_paths([self.row["file"]])[0]
        try:
            return read_bytes(path)
        except OSError as error:
            raise CatalogError(
                f"{path} cannot be read: {error.strerror or error}. Restore it, or look at `.scan`"
            ) from None

    @property
    def picture(self) -> Image:
        """Its picture, in RGB, decoded as strictly as for the features.

        Raises:
            UndecodableImageError: if it does not decode whole, with the reason.
            StoreError: if the file is not the one that was scanned.
            CatalogError: as `content`.
        """
        from PIL import Image

        from rakuten_assets.images.decoding import decode_rgb

        content, settings = self.content, Settings.load()
        _refuse_another_file(self, content)
        limits = settings.limits
        return Image.fromarray(decode_rgb(content, limits))

    def __repr__(self) -> str:
        row = self.row
        name = "" if pd.isna(row["code"]) else f", class {class_text(int(row['code']))}"
        return (
            f"<product {row['product_id']}, image {row['image_id']}: {row['split']} row {row['row']}{name}, "
            f"{'valid' if row['valid'] else 'invalid'}, {row['file']}>"
        )


class Images(Sequence[Product]):
    """Products in the order of their rows; each picture is read when it is asked for.

    A notebook shows the first 27 of them on a sheet; `images[27:]` shows the next.
    """

    def __init__(self, published: PublishedSet, rows: pd.DataFrame) -> None:
        self._set, self._rows = published, rows

    @property
    def frame(self) -> pd.DataFrame:
        """Their rows of the index, as a copy."""
        return self._rows.copy()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Product: ...
    @overload
    def __getitem__(self, place: slice) -> Images: ...
    def __getitem__(self, place: int | slice) -> Product | Images:
        if isinstance(place, slice):
            return Images(self._set, self._rows.iloc[place])
        row = self._rows.iloc[place]
        return Product(row, self._set.of_split(row["split"]).X[int(row["row"])], self._set)

    def __iter__(self) -> Iterator[Product]:
        return (self[place] for place in range(len(self)))

    def sheet(self) -> Image:
        """The first 27 pictures on one, with class code and row under each; a hatched tile where there is none."""
        from PIL import Image

        return Image.open(io.BytesIO(self._repr_jpeg_()))

    def _repr_jpeg_(self) -> bytes:
        from rakuten_assets.plots.contact_sheet import contact_sheet_jpeg

        return contact_sheet_jpeg(
            [(_content(product), _caption(product.row)) for product in self[:_MOST_TILES]]
        )

    def __repr__(self) -> str:
        more = f", the first: {self[0]!r}" if len(self) else ""
        return f"<{len(self):,} images{more}>"


def chosen_rows(frame: pd.DataFrame, code: int | None, split: Split | None) -> pd.DataFrame:
    """Rows of an index of a class and a split.

    Raises:
        StoreError: if there is no such code or split.
    """
    if split is not None:
        if split not in SPLITS:
            raise StoreError(f"there is no split {split!r}; there are: {', '.join(SPLITS)}")
        frame = frame[frame["split"] == split]
    if code is not None:
        chosen = frame[(frame["code"] == code).fillna(False).astype(bool)]
        if not len(chosen):
            known = sorted(frame["code"].dropna().unique())
            raise StoreError(
                f"no row of these has the class code {code!r}; there are: "
                f"{', '.join(map(str, known[:_MOST_CODES])) or 'none (test rows have no class)'}"
            )
        frame = chosen
    return frame.reset_index(drop=True)


def find_product(published: PublishedSet, imageid: int | None, productid: int | None) -> Product:
    """As `PublishedSet.product`."""
    if (imageid is None) == (productid is None):
        raise StoreError("name one id: product(imageid=...) or product(productid=...)")
    column, value = ("image_id", imageid) if imageid is not None else ("product_id", productid)
    frame = published.frame
    chosen = frame[frame[column] == value]
    if not len(chosen):
        raise StoreError(
            f"no product has {column.replace('_', '')} {value!r}; ids are in `.frame`, for example "
            f"{frame[column].iloc[0]}"
        )
    return Images(published, chosen)[0]


def catalogue_of(published: PublishedSet) -> CatalogFolder:
    """The challenge's folder, or the synthetic catalogue that stands in for it.

    Raises:
        CatalogError: if it is not known or not there, with the ways to name it.
    """
    if published.origin.data_dir is not None:
        return find_catalog(published.origin.data_dir)
    settings = Settings.load()
    if published.metadata.get("data") != "synthetic catalogue":
        if settings.data_dir is None:
            raise CatalogError(
                "the pictures lie in the challenge's folder, which is not known here: set RAKUTEN_DATA_DIR to it, or "
                "name it: rakuten_assets.load(..., data_dir=...)"
            )
        return find_catalog(settings.data_dir)
    if published.origin.storage is None:
        raise CatalogError(
            "the pictures of the synthetic catalogue lie in the storage, and only its published files were loaded: "
            "load the storage, or name the catalogue: rakuten_assets.load(..., data_dir=...)"
        )
    made_with = published.metadata.get("settings", {})
    names = ("synthetic_train_rows", "synthetic_test_rows", "synthetic_seed")
    chosen = {name: made_with[name] for name in names if name in made_with}
    return find_catalog(
        synthetic_root(settings.model_copy(update={"storage": published.origin.storage, **chosen}))
    )


def _caption(row: pd.Series) -> str:
    code = "" if pd.isna(row["code"]) else f"{row['code']}, "
    return f"{code}{row['split']} {row['row']}"


def _content(product: Product) -> bytes | None:
    try:
        return product.content
    except CatalogError:
        catalogue_of(product._set)  # A missing image is shown as a hatched tile, a missing folder is told.
        return None


def _scan_of(published: PublishedSet, row: pd.Series) -> pd.Series:
    if published.origin.storage is None:
        raise StoreError(
            "the scan is part of the storage, and only its published files were loaded: load the storage itself"
        )
    path = published.origin.storage / "assets" / "image_scan" / f"{row['shard']}.parquet"
    command = f"{make_command('image_scan')} --partition {row['shard']}"
    try:
        scan = read_table(path)
    except FileNotFoundError:
        raise StoreError(f"{path} is missing. Make it: {command}") from None
    except (StoreError, OSError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Make it again: {command}") from None
    scan = scan[scan["file"] == row["file"]]
    if len(scan) != 1:
        raise StoreError(
            f"{path} has {len(scan)} rows of {row['file']}: it is of another catalogue than the published set. Make it "
            f"again: {command}"
        )
    found: pd.Series = scan.iloc[0]
    return found


def _refuse_another_file(product: Product, content: bytes) -> None:
    # The beginning of the sha256 of the file that was scanned: part of the published set, unlike the scan.
    group: Any = product.row["exact_group"]
    if product.row["valid"] and not sha256_of_bytes(content).startswith(group):
        raise StoreError(
            f"{product.row['file']} is not the file that the features were made of: it was replaced since. Scan its "
            f"shard again ({make_command('image_scan')} --partition {product.row['shard']}), then make the features"
        )
