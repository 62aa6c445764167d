"""A place is refused before the work, in one sentence, and nothing is made by asking."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rakuten_assets.errors import WriteError
from rakuten_assets.storage.writable import refuse_unwritable

OTHERWISE = "choose another --out"
SMALL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
NOBODY = "import os; os.setuid(65534)\n"


def told(place: Path, before: str = "") -> str:
    """The sentence of a refusal in a process of its own, which `before` takes something away from."""
    code = (
        "import sys; from pathlib import Path\n"
        "from rakuten_assets.errors import WriteError\n"
        "from rakuten_assets.storage.writable import refuse_unwritable\n"
        f"{before}"
        "try:\n    refuse_unwritable(Path(sys.argv[1]), 'choose another --out')\n"
        "except WriteError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=True
    )
    return done.stdout.removesuffix("\n")


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("is_folder", [True, False])
@pytest.mark.parametrize("place", ["new", "new/deep/er", "old", "old/x"])
def test_a_place_that_can_be_written_is_left_as_it_is(place: str, is_folder: bool, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    refuse_unwritable(tmp_path / place, OTHERWISE, is_folder=is_folder)
    assert below(tmp_path) == ["old"]


def test_a_file_that_is_there_is_kept_and_a_relative_place_is_one_of_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text("mine")
    refuse_unwritable(Path("x.csv"), OTHERWISE)
    assert below(tmp_path) == ["x.csv"]
    assert Path("x.csv").read_text() == "mine"


@pytest.mark.parametrize(("place", "is_folder"), [("file/x", False), ("file/x/y", False), ("file", True)])
def test_a_file_in_the_place_of_a_folder_is_named(place: str, is_folder: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError) as caught:
        refuse_unwritable(tmp_path / place, OTHERWISE, is_folder=is_folder)
    assert str(caught.value) == (
        f"{tmp_path / place} cannot be written: {tmp_path / 'file'} is a file, not a folder; move it away, or "
        "choose another --out"
    )
    assert below(tmp_path) == ["file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no such file system here")
def test_a_file_system_that_takes_no_files_is_told_by_the_users_name_of_the_place() -> None:
    with pytest.raises(WriteError) as caught:
        refuse_unwritable(Path("/proc/x/y.csv"), OTHERWISE)
    assert str(caught.value) == (
        "/proc/x/y.csv cannot be written: nothing can be written in /proc: No such file or directory; choose "
        "another --out"
    )


def test_a_name_that_is_too_long_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"nothing can be written in .*: File name too long; choose another"):
        refuse_unwritable(tmp_path / ("x" * 300), OTHERWISE)


@pytest.mark.skipif(os.name != "posix", reason="no such limit there")
def test_a_disk_without_room_for_a_page_is_noticed(tmp_path: Path) -> None:
    place = tmp_path / "new" / "x"
    assert told(place, SMALL) == (
        f"{place} cannot be written: nothing can be written in {tmp_path}: File too large; make room on its disk, or "
        "choose another --out"
    )
    assert below(tmp_path) == []


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can reach too: those of the tests are root's alone, and root may write anywhere."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="folders have no such rights there")
@pytest.mark.parametrize("rights", [0o555, 0o000])
def test_a_folder_without_rights_is_noticed(rights: int, open_folder: Path) -> None:
    locked = open_folder / "locked"
    locked.mkdir()
    locked.chmod(rights)
    try:
        sentence = told(locked / "new" / "x", NOBODY if os.getuid() == 0 else "")
    finally:
        locked.chmod(0o755)
    assert sentence == (
        f"{locked / 'new' / 'x'} cannot be written: nothing can be written in {locked}: Permission denied; give this "
        f"user write permission on {locked}, or choose another --out"
    )


def test_a_folder_may_have_the_longest_name(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 250)
    refuse_unwritable(folder, OTHERWISE, is_folder=True)
    refuse_unwritable(folder / "result.csv", OTHERWISE)
    (folder / "below").mkdir(parents=True)
    assert not list((folder / "below").iterdir())
