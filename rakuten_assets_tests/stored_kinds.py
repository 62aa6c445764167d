"""Every kind of stored file, as the tests of damage see it: how it is made, read, and what it holds.

A new kind of stored file is added here, and `test_damage` tries every damage on it.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.defs.io_managers.base import FileIOManager
from rakuten_assets.defs.io_managers.features import FeatureIOManager
from rakuten_assets.defs.io_managers.head import HeadIOManager
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.standardisation import Standardisation
from rakuten_assets.extraction.networks.converted import ConvertedModel
from rakuten_assets.extraction.networks.packed import pack, read_packed
from rakuten_assets.extraction.networks.seeded import FILE, seeded_file, seeded_weights, weights_on_disk
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.extraction.storing.store import RowStore
from rakuten_assets.integrity.duplicates.comparison_memory import ComparisonMemory
from rakuten_assets.integrity.reading.journal import ScanJournal
from rakuten_assets.integrity.reading.record import ImageRecord
from rakuten_assets.outputs.loading import load_set, verify_set
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_bytes, write_bytes
from rakuten_assets.synthetic.catalog import SyntheticCatalog, read_catalog, write_faults, write_marker
from rakuten_assets_tests.extraction.storing.test_matrix import make_manifest, make_shard
from rakuten_assets_tests.outputs.storages import published
from rakuten_assets_tests.synthetic.test_catalog import PARAMETERS, RECORD

Tell = Callable[[str], None]


@dataclass(frozen=True)
class StoredKind:
    """One kind.

    Attributes:
        write: puts content number 0 or 1 into a folder, at place 0 or 1 of that folder.
        read: what lies at that place, in a form that `==` compares; parts that are not believed are left out (a
            mapping) or None, and then the callback is told.
        places: how many things of this kind one storage holds side by side.
        flips: how many changed bytes are tried in each of its files; fewer where reading is slow.
    """

    write: Callable[[Path, int, int], None]
    read: Callable[[Path, int, Tell], Any]
    places: int = 2
    flips: int = 500


def _by_manager(
    kind: type[FileIOManager],
    value: Callable[[Path, int], Any],
    plain: Callable[[Any], Any],
) -> StoredKind:
    def find(folder: Path, place: int) -> tuple[FileIOManager, UPath]:
        manager = kind(Storage(UPath(folder), 2))
        return manager, manager.own_file(["some_asset"], f"0{place}")

    def write(folder: Path, place: int, content: int) -> None:
        manager, file = find(folder, place)
        manager.write(value(folder, content), file)

    def read(folder: Path, place: int, tell: Tell) -> Any:
        manager, file = find(folder, place)
        return plain(manager.read(file))

    return StoredKind(write, read)


def _frame(_: Path, content: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n": pd.array([1, None, content] * 20, dtype="Int64"),
            "text": ["é", None, f"a longer text {content}"] * 20,
            "x": np.arange(60) / 3 + content,
        },
        index=pd.Index(np.arange(60) * 7, name="index"),
    )


def _plain_frame(frame: pd.DataFrame) -> Any:
    return frame.to_json(orient="split"), [str(dtype) for dtype in frame.dtypes], frame.index.name


def _array(_: Path, content: int) -> np.ndarray:
    return np.arange(60, dtype=np.float32).reshape(12, 5) + content


def _plain_array(array: np.ndarray) -> Any:
    return array.dtype.str, array.shape, array.tolist()


def _document(_: Path, content: int) -> dict[str, Any]:
    return {"b": [content, 1.5, None], "a": {"é": True, "name": "x" * 50}}


def _shard(folder: Path, content: int) -> FeatureArray:
    made = folder.parent / f"{folder.name}-made"
    made.mkdir(exist_ok=True)
    return make_shard(make_manifest(20 + content, 1), "00", made, threads=content)


def _plain_shard(shard: FeatureArray) -> Any:
    return _plain_array(shard.array), _plain_frame(shard.rows), dict(shard.fingerprint)


def _matrix(folder: Path, content: int) -> FeatureArray:
    return dataclasses.replace(_shard(folder, content), made_of=f"made of {content}")


def _plain_matrix(matrix: FeatureArray) -> Any:
    return _plain_shard(matrix), matrix.made_of


def _head(folder: Path, content: int) -> Head:
    numbers = np.arange(12, dtype=np.float32).reshape(4, 3) + content
    standardisation = Standardisation(np.zeros(4, np.float32), np.ones(4, np.float32))
    layers = ((numbers, np.arange(3, dtype=np.float32)),)
    return Head(
        "logistic", standardisation, layers, np.array([10, 40, 50]), np.full(3, 1 / 3), 1.5, f"{content}"
    )


def _plain_head(head: Head) -> Any:
    return [_plain_array(part) for layer in head.layers for part in layer], head.temperature, head.fingerprint


def _store(folder: Path, place: int, tell: Tell) -> RowStore:
    return RowStore(UPath(folder) / f"rows{place}", f"{place}" * 64, 5, tell)


def _write_rows(folder: Path, place: int, content: int) -> None:
    rows = _array(folder, content)
    _store(folder, place, print).append([bytes([content, n]) * 16 for n in range(len(rows))], rows)


def _read_rows(folder: Path, place: int, tell: Tell) -> dict[bytes, list[float]]:
    found: dict[bytes, list[float]] = {}
    keys = [bytes([content, n]) * 16 for content in (0, 1) for n in range(12)]
    _store(folder, place, tell).read(keys, lambda i, row: found.update({keys[i]: row.tolist()}))
    return found


def _write_about(folder: Path, place: int, content: int) -> None:
    _store(folder, place, print).write_about({"engine": {"precision": "f32", "number": content}})


def _read_about(folder: Path, place: int, tell: Tell) -> Any:
    return _store(folder, place, tell).about()


def _write_packed(folder: Path, place: int, content: int) -> None:
    parts = {"model.xml": f"<net {content}/>".encode(), "model.bin": bytes(range(100)) + bytes([content])}
    about = {"state_sha256": f"{content}" * 64, "request": f"request {place}"}
    (folder / f"model{place}.zip").write_bytes(pack(parts, about))


def _read_packed(folder: Path, place: int, tell: Tell) -> Any:
    path = UPath(folder / f"model{place}.zip")
    try:
        packed = read_packed(path)
        return ConvertedModel.of(packed, f"request {place}")
    except StoreError as error:
        tell(f"{path} is damaged: {error}")  # As `converted_model` does before it converts again.
        return None


def _write_layout(folder: Path, place: int, content: int) -> None:
    Storage(UPath(folder), 16).claim()


def _read_layout(folder: Path, place: int, tell: Tell) -> Any:
    Storage(UPath(folder), 16).claim()
    return 16


_FILES = [sha256_of_bytes(f"file {number}".encode()) for number in range(8)]


def _memory(folder: Path, place: int, tell: Tell) -> ComparisonMemory:
    return ComparisonMemory(folder / "near_pairs", {"way": place}, _FILES, tell)


_LEFT, _RIGHT = np.triu_indices(len(_FILES), k=1)


def _write_memory(folder: Path, place: int, content: int) -> None:
    memory = _memory(folder, place, print)
    memory.learn(_LEFT, _RIGHT, content == (_LEFT + _RIGHT) % 3)
    memory.save()


def _read_memory(folder: Path, place: int, tell: Tell) -> Any:
    memory = _memory(folder, place, tell)
    if not memory.knows(_LEFT, _RIGHT).any():
        return None
    return [side.tolist() for side in memory.alike()]


def _write_catalog(folder: Path, place: int, content: int) -> None:
    root = folder / "catalog"
    root.mkdir()
    write_faults(root, [RECORD])
    for name in ("X_train_update.csv", "X_test_update.csv", "Y_train_CVw08PX.csv"):
        (root / name).write_text("")
    write_marker(root, SyntheticCatalog(root, *PARAMETERS, 45, 123_456, {"near_duplicate": 1}))


def _read_catalog(folder: Path, place: int, tell: Tell) -> Any:
    found = read_catalog(folder / "catalog", *PARAMETERS)
    assert found is not None
    return found, found.read_faults()


_SCANNED = [ImageRecord("ok", "", width=number, sha256=f"{number:064x}") for number in range(20)]


def _write_journal(folder: Path, place: int, content: int) -> None:
    journal = ScanJournal(folder / "journal", f"0{place}")
    for half in (_SCANNED[content : content + 9], _SCANNED[content + 9 : content + 18]):
        journal.append(half, [f"{record.width}.jpg" for record in half])


def _read_journal(folder: Path, place: int, tell: Tell) -> dict[str, str]:
    rows = ScanJournal(folder / "journal", f"0{place}", tell).read()
    if rows.empty:
        return {}
    return dict(
        zip(
            rows["file"],
            rows.drop(columns="file").to_json(orient="records", lines=True).splitlines(),
            strict=True,
        )
    )


_NETWORK = find_backbone("resnet18")


def _write_seeded(folder: Path, place: int, content: int) -> None:
    write_bytes(seeded_file(UPath(folder), _NETWORK), pack({FILE: bytes([content]) * 300}, {"made": "here"}))


def _read_seeded(folder: Path, place: int, tell: Tell) -> Any:
    source = seeded_weights(UPath(folder), _NETWORK)
    if source is None:
        tell(f"{seeded_file(UPath(folder), _NETWORK)} was damaged")  # As `make_seeded_weights` does.
        return None
    with weights_on_disk(source, UPath(folder), _NETWORK) as on_disk:
        assert on_disk.path is not None
        return on_disk.path.read_bytes(), on_disk.identity


def _write_set(folder: Path, place: int, content: int) -> None:
    published(folder / f"set{place}", seed=content)
    shutil.rmtree(folder / f"set{place}" / "assets")


def _read_set(folder: Path, place: int, tell: Tell) -> Any:
    verify_set(folder / f"set{place}")
    found = load_set(folder / f"set{place}")
    splits = [
        [*map(_plain_array, (split.X, split.valid, split.ids)), _plain_frame(split.frame)]
        for split in (found.train, found.test)
    ]
    return splits, _plain_array(found.train.y), found.metadata, found.manifest.set_id


KINDS: dict[str, StoredKind] = {
    "table": _by_manager(ParquetIOManager, _frame, _plain_frame),
    "array": _by_manager(NpyIOManager, _array, _plain_array),
    "document": _by_manager(JsonIOManager, _document, lambda document: document),
    "head": _by_manager(HeadIOManager, _head, _plain_head),
    "feature shard": _by_manager(FeatureIOManager, _shard, _plain_shard),
    "feature matrix": _by_manager(FeatureIOManager, _matrix, _plain_matrix),
    "rows": StoredKind(_write_rows, _read_rows),
    "about the rows": StoredKind(_write_about, _read_about),
    "converted model": StoredKind(_write_packed, _read_packed),
    "layout": StoredKind(_write_layout, _read_layout, places=1),
    "comparison memory": StoredKind(_write_memory, _read_memory),
    "synthetic catalogue": StoredKind(_write_catalog, _read_catalog, places=1),
    "scan under way": StoredKind(_write_journal, _read_journal),
    "seeded weights": StoredKind(_write_seeded, _read_seeded, places=1),
    "published set": StoredKind(_write_set, _read_set, places=1, flips=60),
}
