"""A relative storage lies in one place, from whichever folder a command is started."""

from pathlib import Path

import pytest
from upath import UPath

from rakuten_assets.project import project_root
from rakuten_assets.settings import Settings

OURS = '[tool.dagster]\nmodule_name = "rakuten_assets.definitions"\n'


@pytest.fixture(autouse=True)
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", "RAKUTEN_STORAGE"):
        monkeypatch.delenv(name, raising=False)


def _go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pyproject.toml", OURS),
        ("workspace.yaml", "load_from:\n  - python_module: rakuten_assets.definitions\n"),
    ],
)
@pytest.mark.parametrize("below", ["", "a", "a/b/c"])
def test_a_project_has_one_root(
    name: str, content: str, below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text(content)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "elsewhere" / "home"))
    _go(tmp_path / below, monkeypatch)
    assert project_root() == tmp_path
    assert Settings.load().storage == UPath(tmp_path / "storage")


@pytest.mark.parametrize(
    "content", ["", "[tool]\n", "tool = 3\n", "[tool.dagster]\nmodule_name = 'x'\n", "\x00["]
)
def test_another_programs_project_is_passed_by(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(OURS)
    inner = tmp_path / "inner"
    _go(inner, monkeypatch)
    (inner / "pyproject.toml").write_text(content)
    assert project_root() == tmp_path


def test_outside_a_project_data_lies_beside_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _go(tmp_path / "anywhere", monkeypatch)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "project" / ".dagster"))
    assert Settings.load().storage == UPath(tmp_path / "project" / "storage")


def test_without_history_it_is_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _go(tmp_path, monkeypatch)
    monkeypatch.setenv("RAKUTEN_STORAGE", "deep/er")
    assert Settings.load().storage == UPath(tmp_path / "deep" / "er")


@pytest.mark.parametrize("address", ["/somewhere/else", "memory://bucket/folder"])
def test_whole_addresses_are_left_alone(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _go(tmp_path, monkeypatch)
    assert str(Settings(storage=address).storage) == address
