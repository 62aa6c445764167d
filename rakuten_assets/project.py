"""Where relative folders of the project lie: below its root, from whichever folder a command is started."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

_MODULE = "rakuten_assets.definitions"


def project_root() -> Path:
    """The folder that a relative `RAKUTEN_STORAGE` is resolved against.

    1. the nearest folder, from the working folder upwards, whose `pyproject.toml` names this project to Dagster
       (`[tool.dagster] module_name`), or that has a `workspace.yaml` which does;
    2. else the folder that holds `DAGSTER_HOME`: data and history stay together;
    3. else the working folder.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _names_this_project(folder):
            return folder
    home = os.environ.get("DAGSTER_HOME", "")
    return Path(home).parent if Path(home).is_absolute() else here


def _names_this_project(folder: Path) -> bool:
    try:
        if _MODULE in (folder / "workspace.yaml").read_text(encoding="utf-8"):
            return True
    except (OSError, UnicodeDecodeError):
        pass
    try:
        tools = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("tool", {})
        return bool(tools.get("dagster", {}).get("module_name") == _MODULE)
    except (OSError, ValueError, AttributeError):  # None there, or not ours to read.
        return False
