from pathlib import Path

import pytest

from rakuten_assets.synthetic import SyntheticCatalog, generate_catalog


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> SyntheticCatalog:
    """100 train and 20 test rows with every kind of fault, drawn by one process."""
    folder: Path = tmp_path_factory.mktemp("synthetic") / "catalog"
    return generate_catalog(folder, 100, 20, seed=7, workers=1, log=lambda line: None)
