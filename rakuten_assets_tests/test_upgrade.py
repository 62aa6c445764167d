"""A storage as release 0.1.0 wrote it: refused with the command's name, upgraded by it, read from then on."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from rakuten_assets import upgrade as upgrade_module
from rakuten_assets.defs.io_managers.json import JsonIOManager
from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.io_managers.parquet import ParquetIOManager
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.storing.store import RowStore
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.records import CHECKSUM
from rakuten_assets.upgrade import upgrade

FRAME = pd.DataFrame({"text": ["é", None, "x"], "n": [1, 2, 3]}, index=pd.Index([7, 8, 9], name="index"))


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    root = UPath(tmp_path / "storage") if request.param == "folder" else UPath(f"memory://upgrade{tmp_path}")
    storage = Storage(root, 2)
    storage.claim()
    for key in ("00", "01"):
        parquet = ParquetIOManager(storage)
        parquet.write(FRAME, parquet.own_file(["image_scan"], key))
    arrays = NpyIOManager(storage)
    features = np.ones((3, 4), np.float32)
    arrays.write(features, arrays.own_file(["train_features"], "00"))
    matrix, labels = arrays.own_file(["test_feature_matrix"], None), arrays.own_file(["train_labels"], None)
    arrays.write(features, matrix)
    arrays.write(np.arange(3), labels)
    documents = JsonIOManager(storage)
    metadata = documents.own_file(["metadata"], None)
    documents.write({"10": 0}, documents.own_file(["label_encoder"], None))
    documents.write({"a": 1}, metadata)
    RowStore(storage.cache / "rows" / "d", "d" * 64, 4, print).write_about({"engine": "e"})
    published = {
        matrix: "test_features_resnet18.npy",
        labels: "train_labels.npy",
        metadata: "metadata.json",
    }
    for own, name in published.items():  # There they lay, their records in the asset's folder.
        write_bytes(storage.output_file(name), own.read_bytes())
        own.unlink()
    _as_release_0_1_0_wrote_it(storage)
    return storage


def _as_release_0_1_0_wrote_it(storage: Storage) -> None:
    """Take every digest away: tables as pyarrow writes them, records and layout as plain JSON."""
    for path in storage.root.rglob("*"):
        if path.name.endswith(".record.json"):
            path.unlink()
        elif path.suffix == ".json":
            content = json.loads(path.read_bytes())
            if content.pop(CHECKSUM, None):
                path.write_bytes(f"{json.dumps(content, indent=2)}\n".encode())
        elif path.suffix == ".parquet":
            plain = io.BytesIO()
            frame = pq.read_table(io.BytesIO(path.read_bytes())).to_pandas()
            pq.write_table(pa.Table.from_pandas(frame), plain, compression="zstd", write_page_checksum=True)
            path.write_bytes(plain.getvalue())
    storage.layout_file.write_bytes(b'{"version": 1, "shards": 2}\n')


def _outputs(storage: Storage) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in storage.outputs.iterdir()}


def test_it_is_refused_then_upgraded_then_read_and_the_outputs_stay(storage: Storage) -> None:
    before = _outputs(storage)
    with pytest.raises(StoreError, match=r"release 0\.1\.0 .*python -m rakuten_assets\.upgrade"):
        storage.claim()
    with pytest.raises(StoreError, match="holds no digest"):
        ParquetIOManager(storage).read(storage.asset_file(["image_scan"], "00", ".parquet"))

    said: list[str] = []
    assert upgrade(storage, said.append) == 0
    assert "assets/test_feature_matrix, assets/train_features: features of release 0.1.0" in said[0]
    assert "makes them again" in said[0]
    assert "5 files have digests, 0 are damaged" in said[-1]

    assert storage.claim() is False
    for key in ("00", "01"):
        pd.testing.assert_frame_equal(ParquetIOManager(storage).find("image_scan", key), FRAME)
    assert NpyIOManager(storage).find("train_labels") is None  # in `outputs/` only: made again, in no time
    assert JsonIOManager(storage).find("label_encoder") == {"10": 0}
    assert RowStore(storage.cache / "rows" / "d", "d" * 64, 4, pytest.fail).about() == {"engine": "e"}
    assert _outputs(storage) == before


def test_a_second_upgrade_changes_nothing(storage: Storage) -> None:
    upgrade(storage, print)
    before = {path: path.read_bytes() for path in storage.root.rglob("*") if path.is_file()}
    said: list[str] = []
    assert upgrade(storage, said.append) == 0
    assert "already has format 2" in said[0]
    assert {path: path.read_bytes() for path in storage.root.rglob("*") if path.is_file()} == before


def test_an_upgrade_that_was_cut_short_is_started_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(path: UPath) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(upgrade_module, "_seal_document", killed)
        upgrade(storage, print)
    with pytest.raises(StoreError, match="upgrade"):
        storage.claim()
    assert upgrade(storage, print) == 0
    pd.testing.assert_frame_equal(ParquetIOManager(storage).find("image_scan", "00"), FRAME)


def test_a_damaged_file_is_named_left_alone_and_refused_later(storage: Storage) -> None:
    path = storage.asset_file(["image_scan"], "01", ".parquet")
    damaged = path.read_bytes()[:-30]
    path.write_bytes(damaged)
    said: list[str] = []
    assert upgrade(storage, said.append) == 1
    assert "01.parquet" in said[1]
    assert path.read_bytes() == damaged
    with pytest.raises(StoreError, match=r"01\.parquet"):
        ParquetIOManager(storage).read(path)
    pd.testing.assert_frame_equal(ParquetIOManager(storage).find("image_scan", "00"), FRAME)


def test_where_no_storage_is_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no storage of ours"):
        upgrade(Storage(UPath(tmp_path / "none"), 2), print)
    assert not (tmp_path / "none").exists()


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAKUTEN_STORAGE", str(tmp_path))
    monkeypatch.setenv("RAKUTEN_SHARDS", "2")
    assert upgrade_module.main([]) == 2
    assert "there is no storage of ours" in capsys.readouterr().err
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "layout.json").write_text('{"version": 1, "shards": 2}')
    assert upgrade_module.main([]) == 0
    assert f"{tmp_path} has format 2 now" in capsys.readouterr().out
    assert Storage(UPath(tmp_path), 2).claim() is False


@pytest.fixture
def old_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The layout file of a storage of release 0.1.0, which the settings name."""
    layout = tmp_path / "storage" / "assets" / "layout.json"
    layout.parent.mkdir(parents=True)
    layout.write_text('{"version": 1, "shards": 2}')
    monkeypatch.setenv("RAKUTEN_STORAGE", str(tmp_path / "storage"))
    return layout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["--dry-run"], 2), (["--dry-run", "--foo"], 2), (["here", "there"], 2)],
)
def test_the_command_does_nothing_where_its_arguments_do_not_ask_for_it(
    old_layout: Path, arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = old_layout.read_bytes()
    with pytest.raises(SystemExit) as ended:
        upgrade_module.main(arguments)
    assert ended.value.code == status
    told = capsys.readouterr()
    assert "usage: python -m rakuten_assets.upgrade" in (told.out if status == 0 else told.err)
    assert old_layout.read_bytes() == before


def test_the_command_upgrades_the_storage_that_it_is_given(
    old_layout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = old_layout.read_bytes()
    other = tmp_path / "other"
    (other / "assets").mkdir(parents=True)
    (other / "assets" / "layout.json").write_bytes(before)
    assert upgrade_module.main([str(other)]) == 0
    assert f"{other} has format 2 now" in capsys.readouterr().out
    assert old_layout.read_bytes() == before, "that is another storage"
    assert upgrade_module.main([str(tmp_path / "none")]) == 2
    assert "name its folder as STORAGE, or set RAKUTEN_STORAGE" in capsys.readouterr().err


def test_the_module_takes_the_arguments_of_its_command_line(old_layout: Path) -> None:
    before = old_layout.read_bytes()
    command = [sys.executable, "-m", "rakuten_assets.upgrade", "--dry-run"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "unrecognized arguments: --dry-run" in ended.stderr
    assert old_layout.read_bytes() == before
