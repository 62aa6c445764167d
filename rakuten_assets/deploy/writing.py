"""The files of a deployment: templates that lie beside this module, with the few values that they leave open."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from jinja2 import Environment, StrictUndefined

import rakuten_assets
from rakuten_assets.errors import DeploymentError
from rakuten_assets.metrics.dashboard import dashboard_text
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.writable import refuse_unwritable

_DASHBOARD = "grafana/dashboards/rakuten_assets.json"


def deployment_files(workers: int, shards_per_run: int) -> dict[str, str]:
    """Every file's text by its path below the deployment's folder.

    Args:
        workers: runs that are under way at once.
        shards_per_run: how many shards one run of a backfill covers.
    """
    values = {"workers": workers, "shards_per_run": shards_per_run, "project": _checkout()}
    # What stays in the files for compose and the shell has one brace or a dollar.
    templates = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    found = _texts(resources.files("rakuten_assets.deploy") / "files", "")
    files = {name: templates.from_string(text).render(values) for name, text in found.items()}
    return {**files, _DASHBOARD: dashboard_text()}


def _checkout() -> str:
    """The checkout that this package runs from, which images are built from; "" for an installed one."""
    folder = Path(rakuten_assets.__file__).resolve().parent.parent
    return str(folder) if (folder / "pyproject.toml").is_file() else ""


def write_deployment(folder: Path, workers: int = 2, shards_per_run: int = 4) -> dict[str, bool]:
    """Write a deployment's files.

    Args:
        folder: made where it is not there; other files in it are let alone.
        workers, shards_per_run: as for `deployment_files`.

    Returns:
        Path below `folder` -> whether it is new; one that was there had just this content.

    Raises:
        DeploymentError: a file is there and says something else. None is written then.
        WriteError: the folder cannot be written.
    """
    files = deployment_files(workers, shards_per_run)
    changed = [
        name for name, text in files.items() if _is_there(folder / name) and _differs(folder / name, text)
    ]
    if changed:
        raise DeploymentError(
            f"{folder}: {', '.join(sorted(changed))} {'is' if len(changed) == 1 else 'are'} there and would be "
            "replaced by something else; nothing was written. Name another folder, or move what is yours away"
        )
    written = {name: not _is_there(folder / name) for name in files}
    if any(written.values()):  # Where all is there already, nothing needs to be writable.
        refuse_unwritable(folder, "name another folder", is_folder=True)
    for name, text in files.items():
        if written[name]:
            path = folder / name
            write_bytes(path, text.encode())
            if path.suffix == ".sh":
                path.chmod(0o755)
    return written


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # Where this user may not look, nothing can be written either.
        return False


def _differs(path: Path, text: str) -> bool:
    try:
        return path.read_text("utf-8") != text
    except (IsADirectoryError, UnicodeDecodeError):
        return True


def _texts(folder: Traversable, prefix: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        texts |= _texts(entry, f"{name}/") if entry.is_dir() else {name: entry.read_text("utf-8")}
    return texts
