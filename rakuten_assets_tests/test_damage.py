"""Whatever happens to a stored file: what is read is what was written, or the damage is told. Never anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets_tests.stored_kinds import KINDS, StoredKind

_PACKED = (KINDS["converted model"], KINDS["seeded weights"])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> StoredKind:
    return KINDS[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "storage"
    folder.mkdir()
    return folder


def _content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _restore(folder: Path, content: dict[Path, bytes]) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path not in content:
            path.unlink()  # What a reader set aside, or wrote anew.
    for path, whole in content.items():
        if not path.exists() or path.read_bytes() != whole:
            path.write_bytes(whole)


def _outcome(kind: StoredKind, folder: Path, place: int, whole: Any, files: list[Path]) -> str:
    """What reading gives after damage: "same", "told" or "refused". Anything else fails."""
    said: list[str] = []
    try:
        found = kind.read(folder, place, said.append)
    except RakutenAssetsError as error:
        assert any(path.name in str(error) for path in files), error
        return "refused"
    if found == whole:
        return "same"
    is_part = not found or (isinstance(found, dict) and found.items() <= whole.items())
    assert is_part, f"other content was read: {found}"
    assert any(path.name in line for path in files for line in said), f"nothing was said of it: {said}"
    return "told"


def _try(
    kind: StoredKind, folder: Path, damages: Callable[[bytes], Iterator[bytes]], may_be_same: bool = False
) -> None:
    kind.write(folder, 0, 0)
    whole = kind.read(folder, 0, pytest.fail)
    before = _content(folder)
    for path, content in before.items():
        for damaged in (
            damages(content) if content else ()
        ):  # Empty: the tables that a catalogue's test needs.
            path.write_bytes(damaged)
            outcome = _outcome(kind, folder, 0, whole, list(before))
            assert may_be_same or outcome != "same", f"{path.name}: the damage was not noticed"
            _restore(folder, before)
    assert kind.read(folder, 0, pytest.fail) == whole


def _flips(count: int) -> Callable[[bytes], Iterator[bytes]]:
    def flipped(content: bytes) -> Iterator[bytes]:
        chance = np.random.default_rng(len(content))
        places = np.linspace(0, len(content) - 1, count).astype(int)
        for place, change in zip(places, chance.integers(1, 256, count), strict=True):
            damaged = bytearray(content)
            damaged[place] ^= int(change)
            yield bytes(damaged)

    return flipped


def test_a_changed_byte_never_gives_other_content(kind: StoredKind, folder: Path) -> None:
    _try(kind, folder, _flips(25), may_be_same=True)


@pytest.mark.slow
def test_many_changed_bytes_never_give_other_content(kind: StoredKind, folder: Path) -> None:
    _try(kind, folder, _flips(kind.flips), may_be_same=True)


def test_a_cut_file_is_noticed(kind: StoredKind, folder: Path) -> None:
    # From 2: a JSON document without its last line feed holds the same.
    _try(kind, folder, lambda content: (content[:at] for at in (0, 1, len(content) // 2, len(content) - 2)))


def test_a_longer_file_is_noticed(kind: StoredKind, folder: Path) -> None:
    def longer(content: bytes) -> Iterator[bytes]:
        yield content + b"\1"
        yield content * 2
        yield content + bytes(5000)

    # What follows the end of a zip archive is its comment: what is packed in it is the same.
    _try(kind, folder, longer, may_be_same=kind in _PACKED)


def test_other_bytes_of_the_same_length_are_noticed(kind: StoredKind, folder: Path) -> None:
    _try(kind, folder, lambda content: iter((bytes(len(content)), b"\xff" * len(content), content[::-1])))


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.places > 1])
def test_things_that_changed_places_are_noticed(name: str, folder: Path) -> None:
    kind = KINDS[name]
    kind.write(folder, 0, 0)
    first = list(_content(folder))
    kind.write(folder, 1, 1)
    second = [path for path in _content(folder) if path not in first]
    whole = [kind.read(folder, place, pytest.fail) for place in (0, 1)]
    before = _content(folder)
    pairs = list(zip(first, second, strict=True))
    for exchanged in (*([pair] for pair in pairs), pairs):
        for one, other in exchanged:
            one.write_bytes(before[other])
            other.write_bytes(before[one])
        for place in (0, 1):
            outcome = _outcome(kind, folder, place, whole[place], list(before))
            assert outcome != "same", [one.name for one, _ in exchanged]
        _restore(folder, before)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.places > 1])
def test_a_whole_storage_may_be_moved(name: str, folder: Path) -> None:
    kind = KINDS[name]
    kind.write(folder, 0, 0)
    whole = kind.read(folder, 0, pytest.fail)
    moved = folder.rename(folder.with_name("moved"))
    assert kind.read(moved, 0, pytest.fail) == whole
