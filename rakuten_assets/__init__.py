"""Trustworthy, reproducible machine-learning inputs from the Rakuten France product catalogue, as Dagster assets.

The assets make them, at a terminal in the project's folder:
`dagster asset materialize -m rakuten_assets.definitions --select '*' --partition-range 00...15`

One function reads them:

    import rakuten_assets

    data = rakuten_assets.load()            # of the storage that the settings name; or load("path/to/storage")
    data                                    # what is there: rows, classes, extractor, weights
    data.train.X                            # float32 (rows, dim), a read-only memory map
    data.train.y                            # int64 (rows,), classes 0 to n-1
    data.test.X                             # rows of the test split; it has no y
    data.train.frame                        # ids, code, label, valid, groups, file of each row, as a pandas table
    data.label_encoder, data.class_weights  # class code (prdtypecode) -> class; one weight a class

Row i is the same image in everything that a split gives: `X`, `y`, `ids`, `valid`, `groups`, `frame`. An unreadable
image keeps its row: its vector is zero, and `valid` is False.

The catalogue shows many pictures more than once. Rows that show the same picture have the same value in `groups`. A
fit that does not leak keeps them on one side of its split:

    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    usable = data.train.valid
    X, y, groups = data.train.X[usable], data.train.y[usable], data.train.groups[usable]
    fit, held_out = next(StratifiedGroupKFold(n_splits=5).split(X, y, groups))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(X[fit], y[fit])
    score = f1_score(y[held_out], model.predict(X[held_out]), average="weighted")

What the numbers stand for:

    data.images(code=2583)                  # pictures of a class: a sheet in a notebook, a sequence in code
    product = data.product(imageid=1263597046)
    product.picture, product.row, product.scan, product.features

For PyTorch, which is imported only now:

    from torch.utils.data import DataLoader

    for x, y in DataLoader(data.train.torch(), batch_size=256, shuffle=True):
        ...

Each of these has a `help` of its own, and none but the last needs Dagster:

- `torch_data`, `augmentation`: the images as a PyTorch data set; reproducible augmentations
- `evaluation`, `imbalance`: splits, classifier heads and scores; rare classes
- `integrity`, `synthetic`: a check of any folder of images; the synthetic catalogue (both are commands too)
- `settings`: every `RAKUTEN_*` variable
- `definitions`: the graph
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from upath import UPath

    from rakuten_assets.outputs.published import PublishedSet

__all__ = ["load"]


def load(
    storage: str | Path | UPath | None = None,
    extractor: str | None = None,
    *,
    data_dir: str | Path | UPath | None = None,
    verify: bool = True,
) -> PublishedSet:
    """Open the published set of a storage: features, labels, masks, ids, groups and metadata that belong together.

    Arrays are memory-mapped on a local storage, and read whole from a bucket. What is returned stays as it is when a
    newer set is published: load again to see that.

    Args:
        storage: the storage's folder or bucket address, or a copy of its `outputs` folder. Default: the one that
            `RAKUTEN_STORAGE` names.
        extractor: whose features. Default: the first of the configured ones.
        data_dir: folder of the challenge's files, for pictures. Default: `RAKUTEN_DATA_DIR`, or the synthetic
            catalogue of the storage.
        verify: whether to read each file that is used and compare its sha256 with the manifest. For the full
            catalogue (0.5 GB) that takes about three seconds, once a process. Sizes, shapes and dtypes are always
            compared.

    Returns:
        `.train` and `.test`, `.extractors`, `.metadata`, `.label_encoder`, `.class_weights`; `.images()`,
        `.product()`, `.torch()`. `help(data)` and `help(data.train)` explain them.

    Raises:
        StoreError: if nothing is published there, the extractor is not among the published ones, or a file is missing,
            damaged, or of another set. It names the file and the command that mends it.
        SettingsError: if a setting has a value that is not allowed.
    """
    # Only here: everything else that imports this package needs neither pandas nor pyarrow for it.
    from rakuten_assets.outputs.loading import load_set

    return load_set(storage, extractor, data_dir=data_dir, verify=verify)
