"""Places to publish into."""

import uuid
from pathlib import Path

import pytest
from upath import UPath


@pytest.fixture(autouse=True)
def _defaults(no_settings_of_the_user: None) -> None:
    """Every test here starts from the defaults."""


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
