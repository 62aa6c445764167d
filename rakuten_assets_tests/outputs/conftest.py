"""Places to publish into."""

import uuid
from pathlib import Path

import pytest
from upath import UPath

from rakuten_assets.settings import variable_names


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no `.env` of whoever runs the tests takes part."""
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def bucket() -> UPath:
    return UPath(f"memory://{uuid.uuid4().hex}/storage")


@pytest.fixture(params=["folder", "bucket"])
def root(request: pytest.FixtureRequest) -> Path | UPath:
    """A storage on a folder, then on a bucket."""
    chosen: Path | UPath = request.getfixturevalue(request.param)
    return chosen
