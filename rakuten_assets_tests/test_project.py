"""A relative storage lies in one place, from whichever folder a command is started."""

from pathlib import Path

import pytest
from upath import UPath

from rakuten_assets.errors import SettingsError
from rakuten_assets.project import project_root
from rakuten_assets.settings import Settings, variable_names

OURS = '[tool.dagster]\nmodule_name = "rakuten_assets.definitions"\n'


@pytest.fixture(autouse=True)
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_HOME", *variable_names()):
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


def test_settings_of_the_root_hold_in_every_folder_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(OURS)
    (tmp_path / ".env").write_text("RAKUTEN_SHARDS=4\nRAKUTEN_STORAGE=own\nrakuten_threads=3\n")
    _go(tmp_path / "notebooks" / "mine", monkeypatch)
    settings = Settings.load()
    assert (settings.shards, settings.threads, settings.storage) == (4, 3, UPath(tmp_path / "own"))
    Path(".env").write_text("rakuten_shards=8\nRAKUTEN_STORAGE=\n")
    settings = Settings.load()
    assert (settings.shards, settings.threads, settings.storage) == (8, 3, UPath(tmp_path / "own"))
    monkeypatch.setenv("RAKUTEN_SHARDS", "2")
    assert Settings.load().shards == 2


def test_a_mistake_in_the_roots_settings_names_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(OURS)
    (tmp_path / ".env").write_text("RAKUTEN_SHARD=4\n")
    _go(tmp_path / "notebooks", monkeypatch)
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert f"RAKUTEN_SHARD in {tmp_path / '.env'} is not a setting" in str(refused.value)
    (tmp_path / ".env").write_text("RAKUTEN_SHARDS: 4\n")
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert str(refused.value).startswith(f"{tmp_path / '.env'}, line 1: ")
