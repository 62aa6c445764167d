"""What other assets have stored, as contents of a set: their files are published as they lie, not loaded."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd

from rakuten_assets.backbones import Backbone
from rakuten_assets.dataset.layout import SPLITS, Split
from rakuten_assets.defs.features.names import matrix_key, metadata_key
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.contents import ExtractorContents, SetContents, StoredFile, read_metadata
from rakuten_assets.outputs.index import build_index
from rakuten_assets.outputs.loading import published_manifest
from rakuten_assets.outputs.names import features_file, make_command
from rakuten_assets.storage import Storage
from rakuten_assets.storage.arrays import ArrayRecord, read_array_record


def stored_contents(
    storage: Storage,
    backbones: Sequence[Backbone],
    manifest: pd.DataFrame,
    labels: np.ndarray,
    valid: Mapping[Split, np.ndarray],
    groups: pd.DataFrame,
    label_encoder: Mapping[str, int],
) -> SetContents:
    """Everything that is published.

    Raises:
        StoreError: if an asset is missing or damaged, with the command that makes it.
        ManifestError: if assets have other rows than the manifest.
    """
    arrays = NpyIOManager(storage)
    return SetContents(
        index=build_index(manifest, labels, valid, groups),
        labels=_array(arrays, ["train_labels"]),
        valid={split: _array(arrays, [f"{split}_valid"]) for split in SPLITS},
        label_encoder=label_encoder,
        extractors=[_extractor(storage, backbone) for backbone in backbones],
    )


def unpublished_matrices(storage: Storage, backbones: Sequence[Backbone]) -> list[str]:
    """Names of the published files of matrices that are stored and are not, or not as they are stored, in the published
    set; by what their records say, without a look at the matrices.

    Raises:
        StoreError: if a record is damaged.
        OSError: if the storage cannot be read.
    """
    features, manifest, names = FeatureIOManager(storage), published_manifest(storage.root), []
    for backbone in backbones:
        for split in SPLITS:
            name, own = (
                features_file(split, backbone.family),
                features.own_file(matrix_key(backbone, split), None),
            )
            try:
                stored = ArrayRecord.from_dict(read_array_record(own).get("array"))
            except FileNotFoundError:
                continue
            published = manifest.files.get(name) if manifest is not None else None
            if published is None or published.sha256 != stored.sha256:
                names.append(name)
    return names


def _extractor(storage: Storage, backbone: Backbone) -> ExtractorContents:
    features, files, matrices = FeatureIOManager(storage), {}, {}
    for split in SPLITS:
        key = matrix_key(backbone, split)
        with _told_clearly(key):
            matrices[split] = features.read(features.own_file(key, None))
        files[split] = StoredFile.array(features.own_file(key, None), matrices[split].record)
    key = metadata_key(backbone)
    with _told_clearly(key):
        json_files = JsonIOManager(storage)
        own = json_files.own_file(key, None)
        json_files.read(own)  # Compared with its record.
        file, metadata = read_metadata(own)
    return ExtractorContents(
        name=backbone.family,
        features=files,
        fingerprints={split: matrix.fingerprint for split, matrix in matrices.items()},
        rows={split: matrix.rows for split, matrix in matrices.items()},
        metadata_file=file,
        metadata=metadata,
    )


def _array(arrays: NpyIOManager, key: list[str]) -> StoredFile:
    own = arrays.own_file(key, None)
    with _told_clearly(key):
        return StoredFile.array(own, ArrayRecord.from_dict(read_array_record(own).get("array")))


@contextmanager
def _told_clearly(key: Sequence[str]) -> Iterator[None]:
    name = "/".join(key)
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"{name} is missing ({error.filename}). Make it: {make_command(name)}") from None
    except StoreError as error:
        raise StoreError(f"{name}: {error}. Make it again: {make_command(name)}") from error
