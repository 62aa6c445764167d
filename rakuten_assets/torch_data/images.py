"""The catalogue's images as a map-style data set of PyTorch.

- read, compare with the scan, decode strictly, resize (Pillow's bytes), augment, mix, normalise;
- a sample is a function of (seed, policy, row, epoch): no worker, batch or order has a part in it;
- a quarantined row is left out, or it is there with `valid` False; a black picture never stands in for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Dataset
from upath import UPath

from rakuten_assets.augmentation.mixing import Mix, blended, mixed_label
from rakuten_assets.augmentation.normalisation import normalise, to_size
from rakuten_assets.augmentation.randomness import sample_key
from rakuten_assets.augmentation.transform import Transform
from rakuten_assets.errors import AugmentationError, UndecodableImageError
from rakuten_assets.extraction.preparation import complete_spec
from rakuten_assets.extraction.preprocessing import preprocess
from rakuten_assets.images.decoding import decode_rgb
from rakuten_assets.integrity.reading.record import ImageRecord, read_image_file
from rakuten_assets.runtime.console import to_standard_error
from rakuten_assets.settings import Settings
from rakuten_assets.storage.content_cache import bytes_kept, keep_images
from rakuten_assets.storage.files import is_local, sha256_of_bytes
from rakuten_assets.torch_data.options import ImageOptions, options_of
from rakuten_assets.torch_data.order import Visit
from rakuten_assets.torch_data.tables import ImageTable, scanned_folder, stored_images

Invalid = Literal["exclude", "mask"]
Pixels = NDArray[np.uint8]


class RakutenImageDataset(Dataset[tuple[Any, ...]]):
    """Images of one split, with labels where there are any.

    `dataset[i]` is `(image, label)`, without labels `image` alone; with `invalid="mask"` a bool `valid` follows. An
    image is float32 (3, side, side), or uint8 where there is no normalisation; a label is an int64 of 0 to
    classes - 1.

    Args:
        table: the images, as from `stored_images`, `scanned_folder` or `ImageTable` itself.
        labels: whole numbers, one a row of the table; None for no labels.
        invalid: "exclude" leaves out the rows whose image does not decode. "mask" keeps every row in its place: a
            quarantined one has `valid` False and a picture of NaN (of white, where pictures are bytes), so that a
            use of it shows. Drop such rows before the network: `images[valid]`.
        options: also given as keyword arguments, `RakutenImageDataset(table, labels, side=260, augment=MEDIUM)`.

    Raises:
        AugmentationError: labels that do not fit the rows, or options that do not fit together.

    >>> import numpy as np, tempfile
    >>> from rakuten_assets.augmentation import MEDIUM
    >>> from rakuten_assets.synthetic import generate_catalog
    >>> root = Path(tempfile.mkdtemp())
    >>> _ = generate_catalog(root, train_rows=27, test_rows=2, seed=1, faults=False, workers=1)
    >>> dataset = RakutenImageDataset.from_folder(root, augment=MEDIUM)
    >>> image, label = dataset[3]
    >>> len(dataset), tuple(image.shape), image.dtype, dataset.get_image_path(3).suffix
    (27, (3, 224, 224), torch.float32, '.jpg')
    """

    def __init__(
        self,
        table: ImageTable,
        labels: ArrayLike | None = None,
        *,
        invalid: Invalid = "exclude",
        options: ImageOptions | None = None,
        **more_options: Any,
    ) -> None:
        if invalid not in ("exclude", "mask"):
            raise AugmentationError(f"invalid={invalid!r}: allowed are 'exclude' and 'mask'")
        self.options = options_of(options, more_options)
        self.invalid: Invalid = invalid
        self.labels = None if labels is None else _checked_labels(labels, len(table))
        self._table = table
        self._places = np.flatnonzero(table.valid) if invalid == "exclude" else np.arange(len(table))
        if self.labels is None and (
            self.options.mix is not None or isinstance(self.options.augment, Mapping)
        ):
            raise AugmentationError("mixing, and a policy for each class, need labels; give `labels`")
        self.num_classes = 0 if self.labels is None else int(self.labels.max(initial=-1)) + 1
        # In shared memory, so that workers that are already running see a new epoch too.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    @classmethod
    def from_storage(
        cls,
        settings: Settings | None = None,
        split: Literal["train", "test"] = "train",
        *,
        extractor: str = "",
        **options: Any,
    ) -> RakutenImageDataset:
        """Images of a split as the asset graph last scanned them, with labels for train.

        They are cropped, resized and normalised as the settings' extractor does it, where the options do not say
        otherwise: a `side` alone means a plain resize, with the extractor's normalisation.

        Args:
            settings: default: from the environment and `.env`.
            extractor: its backbone's name; default: the settings' first.
            options: as for the class.

        Raises:
            StoreError: where the manifest or the scan has not been made, or the data set's own normalisation.
        """
        settings = settings or Settings.load()
        table, labels = stored_images(settings, split)
        if options.get("options") is None:
            preprocessing = complete_spec(settings, extractor, to_standard_error).preprocessing
            followed: dict[str, Any] = {"normalisation": preprocessing.settled, "limits": settings.limits}
            if not {"side", "preprocessing"} & options.keys():
                followed |= {"side": preprocessing.side, "preprocessing": preprocessing}
            options = {**followed, **options}
        return cls(table, labels, **options)

    @classmethod
    def from_folder(
        cls, root: str | Path | UPath, split: Literal["train", "test"] = "train", **options: Any
    ) -> RakutenImageDataset:
        """Images of a split of a catalogue that was never scanned: it is scanned now, without the asset graph.

        Raises:
            CatalogError: where the folder lacks one of the challenge's files.
        """
        limits = options_of(
            options.get("options"), {k: v for k, v in options.items() if k == "limits"}
        ).limits
        table, labels = scanned_folder(root, split, limits)
        return cls(table, labels, **options)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bytes_kept": bytes_kept()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if kept := state.pop(
            "_bytes_kept"
        ):  # in a worker's process, which begins anew where images lie on a bucket
            keep_images(kept)
        self.__dict__.update(state)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def is_local(self) -> bool:
        """Whether the images lie in a folder of this machine, not on a bucket."""
        return not len(self._table.paths) or is_local(self._table.paths[0])

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64 (n,): each sample's row in its CSV file, from 0."""
        return self._table.rows[self._places]

    @property
    def sample_labels(self) -> NDArray[np.int64] | None:
        """int64 (n,): each sample's label."""
        return None if self.labels is None else self.labels[self._places]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """bool (n,): whether each sample's image decodes whole."""
        return self._table.valid[self._places]

    @property
    def epoch(self) -> int:
        """The epoch of samples that are asked for by a plain index."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Go to another epoch; workers follow. Loaders of this package do not need it: an index of theirs says its
        epoch."""
        if epoch < 0:
            raise AugmentationError(f"epoch={epoch} is negative; epochs count from 0")
        self._epoch.fill_(epoch)

    def get_image_path(self, index: int) -> Path | UPath:
        """The file of a sample."""
        return self._table.paths[self._place(index)]

    def __getitem__(self, index: int | Visit) -> Any:
        visit = index if isinstance(index, Visit) else Visit(index, self.epoch)
        place = self._place(visit.sample)
        pixels = self._augmented(place, visit.epoch, visit.repeat) if self._table.valid[place] else None
        mix = self._mix(place, visit) if pixels is not None else None
        partner = None
        if mix is not None:
            partner = int(self._places[mix.partner])
            other = self._augmented(partner, visit.epoch, 0) if self._table.valid[partner] else None
            pixels, mix, partner = _mixed(pixels, other, mix, partner)
        parts: list[Any] = [self._finished(pixels)]
        if self.labels is not None:
            parts.append(self._label(place, partner, mix))
        if self.invalid == "mask":
            parts.append(pixels is not None)
        return tuple(parts) if len(parts) > 1 else parts[0]

    def _place(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of a data set of {len(self)}")
        return int(self._places[index])

    def _augmented(self, place: int, epoch: int, repeat: int) -> Any:
        """uint8 (side, side, 3), or the tensor that a foreign transform made."""
        pixels = self._pixels(place)
        augment = self.options.augment
        if isinstance(augment, Mapping):
            assert self.labels is not None  # the constructor saw to it
            augment = augment.get(int(self.labels[place]))
        if augment is None:
            return pixels
        seed, row = self.options.seed, int(self._table.rows[place])
        if isinstance(augment, Transform):
            return augment.augmented(pixels, sample_key(seed, augment.identity, row, epoch, repeat))
        with _torch_keyed(sample_key(seed, "torch", row, epoch, repeat)):
            tensor = augment(torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous())
        if not isinstance(tensor, torch.Tensor) or tensor.ndim != 3:
            raise AugmentationError(
                f"the transform {augment!r:.80} gave {type(tensor).__name__} where a tensor (3, h, w) is wanted"
            )
        return tensor.permute(1, 2, 0).contiguous().numpy() if tensor.dtype == torch.uint8 else tensor

    def _pixels(self, place: int) -> Pixels:
        path, known, limits = self._table.paths[place], self._table.sha256[place], self.options.limits
        content = read_image_file(path, limits, known)
        reason = ""
        if isinstance(content, ImageRecord):
            reason = content.detail
        elif known and sha256_of_bytes(content) != known:
            reason = "its content has changed since the scan"
        else:
            try:
                return np.ascontiguousarray(self._resized(decode_rgb(content, limits)))
            except UndecodableImageError as error:
                reason = str(error)
        raise AugmentationError(
            f"{path} (row {self._table.rows[place]}) cannot be used: {reason}; the scan found it whole. Scan the "
            "images again (materialise its shard of image_scan), or put the file back"
        )

    def _resized(self, pixels: Pixels) -> Pixels:
        if self.options.preprocessing is not None:
            return preprocess(np.ascontiguousarray(pixels), self.options.preprocessing)
        return to_size(pixels, self.options.side)

    def _mix(self, place: int, visit: Visit) -> Mix | None:
        if self.options.mix is None:
            return None
        side, seed = self.options.side, self.options.seed
        return self.options.mix.draw(
            len(self), side, side, seed=seed, row=int(self._table.rows[place]), epoch=visit.epoch, repeat=visit.repeat
        )  # fmt: skip

    def _label(self, place: int, partner: int | None, mix: Mix | None) -> Any:
        assert self.labels is not None  # the caller asks only then
        own = int(self.labels[place])
        if self.options.mix is None:
            return own
        whole = mix or Mix(place, 1.0)
        other = own if partner is None else int(self.labels[partner])
        return torch.from_numpy(mixed_label(own, other, whole, self.num_classes))

    def _finished(self, pixels: Any) -> torch.Tensor:
        normalisation, side = self.options.normalisation, self.options.side
        if pixels is None:
            if normalisation is None:
                return torch.full((3, side, side), 255, dtype=torch.uint8)
            return torch.full((3, side, side), torch.nan)
        if isinstance(pixels, torch.Tensor):
            return pixels
        if normalisation is None:
            return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return torch.from_numpy(normalise(pixels, normalisation))


def _mixed(own: Any, other: Any, mix: Mix, partner: int) -> tuple[Any, Mix | None, int | None]:
    if other is None:  # a quarantined partner has nothing to give
        return own, None, None
    if isinstance(own, torch.Tensor) or isinstance(other, torch.Tensor) or own.shape != other.shape:
        raise AugmentationError(
            "mixing needs pictures of bytes and of one size; let the transform end before ToDtype, Normalize and crops"
        )
    return blended(own, other, mix), mix, partner


@contextlib.contextmanager
def _torch_keyed(key: Sequence[int]) -> Iterator[None]:
    """Torch's global generator, seeded for one sample, and put back."""
    generator = torch.default_generator
    state = generator.get_state()
    generator.manual_seed(key[0] | (key[1] & 0x7FFFFFFF) << 32)
    try:
        yield
    finally:
        generator.set_state(state)


def _checked_labels(labels: ArrayLike, count: int) -> NDArray[np.int64]:
    values = np.asarray(labels)
    if values.shape != (count,) or (count and not np.issubdtype(values.dtype, np.integer)):
        raise AugmentationError(
            f"labels are {values.dtype} {values.shape}, the table has {count} rows; one whole number a row is wanted, "
            "quarantined rows included"
        )
    if count and values.min() < 0:
        raise AugmentationError(
            f"row {int(values.argmin())}: label {values.min()} is negative; labels count from 0 (`encode_labels`)"
        )
    return values.astype(np.int64)
