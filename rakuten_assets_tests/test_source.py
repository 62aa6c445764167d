"""Which catalogue a run works on, and how changes in its files are noticed."""

import os
from pathlib import Path

import pytest
from upath import UPath

from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.errors import CatalogError
from rakuten_assets.settings import Settings
from rakuten_assets.source import catalog_signature, open_catalog, synthetic_root
from rakuten_assets.synthetic import generate_catalog


def _settings(tmp_path: Path, **overrides: object) -> Settings:
    small = {"synthetic_train_rows": 27, "synthetic_test_rows": 3}
    return Settings(storage=UPath(tmp_path / "storage"), **{**small, **overrides})


def test_without_a_data_folder_the_synthetic_catalog_is_made_once(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    said: list[str] = []
    folder = open_catalog(settings, said.append)
    assert Path(folder.root) == synthetic_root(settings).absolute()
    assert said
    before = catalog_signature(folder)
    said.clear()
    assert catalog_signature(open_catalog(settings, said.append)) == before
    assert not said
    other = open_catalog(_settings(tmp_path, synthetic_seed=7))
    assert other.root != folder.root


def test_a_data_folder_is_used_as_it_is(tmp_path: Path) -> None:
    generate_catalog(tmp_path / "data", 27, 3, log=lambda _: None)
    settings = _settings(tmp_path, data_dir=UPath(tmp_path / "data"))
    assert Path(open_catalog(settings).root) == tmp_path / "data"
    assert not (tmp_path / "storage").exists()
    with pytest.raises(CatalogError, match="does not exist"):
        open_catalog(_settings(tmp_path, data_dir=UPath(tmp_path / "nowhere")))


def test_over_a_bucket_the_synthetic_catalog_lies_on_the_local_disk() -> None:
    root = synthetic_root(Settings(storage=UPath("memory://bucket")))
    assert root == Path("storage").absolute() / "synthetic" / "960x144-seed42"


def test_a_signature_changes_with_every_file_and_with_nothing_else(tmp_path: Path) -> None:
    generate_catalog(tmp_path / "data", 27, 3, log=lambda _: None)
    folder = find_catalog(tmp_path / "data")
    seen = {catalog_signature(folder)}
    assert catalog_signature(folder) in seen
    image = next(iter((tmp_path / "data" / "images" / "image_train").iterdir()))

    def changed() -> bool:
        now = catalog_signature(folder)
        new = now not in seen
        seen.add(now)
        return new

    os.utime(image, ns=(5, 5))
    assert changed()
    image.write_bytes(b"x")
    assert changed()
    image.rename(image.with_name("other.jpg"))
    assert changed()
    (image.with_name("other.jpg")).unlink()
    assert changed()
    os.utime(tmp_path / "data" / "X_test_update.csv", ns=(5, 5))
    assert changed()
    assert not changed()
