"""Killed at every moment, publication leaves the old set or the new one, and the next one finishes the work."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec import register_implementation
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

import rakuten_assets
from rakuten_assets.outputs.loading import verify_set
from rakuten_assets.outputs.publication import publish
from rakuten_assets_tests.outputs.killed import DIMS, NEW, OLD, root_of
from rakuten_assets_tests.outputs.storages import NOON, published, stored_set

LEAST_MOMENTS = 20
FINISHED_EVERY = 4
"""Of so many moments, one is followed by another publication."""


def look_of(root: Path | UPath) -> tuple[Any, ...]:
    """Everything that a loaded set says."""
    data = rakuten_assets.load(root, "kept")
    return (
        data.extractors,
        data.manifest.set_id,
        np.asarray(data.train.X).tobytes(),
        np.asarray(data.test.X).tobytes(),
        data.train.y.tobytes(),
        data.train.valid.tobytes(),
        data.train.frame.to_csv(),
        data.metadata["fingerprint"],
    )


def files_of(root: Path, kind: str) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in (root / "outputs").iterdir()}
    # Where a store is neither a folder nor one of the known object stores, an unfinished upload stays, hidden.
    return {name: content for name, content in files.items() if kind == "folder" or not name.startswith(".")}


def calm(root: Path | UPath, **options: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What a calm publication of the old set looks like, and of the new one after it."""
    published(root, **{**OLD, **options})
    old = look_of(root)
    published(root, **{**NEW, **options})
    return old, look_of(root)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
@pytest.mark.filterwarnings("ignore:UPath 'diskbucket' filesystem not explicitly implemented")
@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_process_killed_at_every_moment_leaves_the_old_set_or_the_new_one(
    kind: str, tmp_path: Path
) -> None:
    old, new = calm(root_of(tmp_path / "calm", kind), dim=DIMS[kind])
    command = [sys.executable, "-m", "rakuten_assets_tests.outputs.killed", str(tmp_path / "moments"), kind]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    moments = int(done.stdout)
    assert moments > LEAST_MOMENTS
    found = []
    for moment in range(moments):
        folder = tmp_path / "moments" / f"{moment:03d}"
        root = root_of(folder, kind)
        (folder / "outputs" / "mine.npy").write_bytes(b"a file of the user's own")
        look = look_of(root)
        assert look in (old, new), f"moment {moment}: a mixed set"
        found.append(look == new)
        if moment % FINISHED_EVERY:
            continue
        verify_set(root)
        # Whoever publishes next leaves what a calm publication leaves.
        publish(root, stored_set(root, **NEW, dim=DIMS[kind]), now=NOON)
        assert look_of(root) == new
        left = files_of(folder, kind)
        assert left.pop("mine.npy") == b"a file of the user's own"
        assert left == files_of(tmp_path / "calm", kind)
        assert not (folder / "publishing" / "manifest.json").exists()
    print(f"{kind}: killed at {moments - 1} moments, {sum(found) - 1} of them left the new set")
    # The old set until a moment, the new one from then on.
    assert found == sorted(found)
    assert 0 < sum(found) < moments


class Killed(BaseException):
    """Stands for the end of a process: nothing but `finally` runs after it."""


class MortalBucket(MemoryFileSystem):
    """A bucket whose client dies before its n-th write."""

    protocol = ("mortal",)
    store: dict[str, Any] = {}  # noqa: RUF012 - as in the class it stands in for
    pseudo_dirs = [""]  # noqa: RUF012
    left: int | None = None

    @classmethod
    def count(cls) -> None:
        if cls.left is not None:
            if cls.left == 0:
                cls.left = None
                raise Killed
            cls.left -= 1

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return MemoryFileSystem._strip_protocol(str(path).replace("mortal://", "memory://"))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            self.count()
        return super()._open(path, mode, **options)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> Any:
        self.count()
        return super().pipe_file(path, value, **options)

    def cp_file(self, path1: str, path2: str, **options: Any) -> None:
        self.count()
        super().cp_file(path1, path2, **options)

    def _rm(self, path: str) -> None:
        self.count()
        super()._rm(path)

    def rm(self, path: Any, *arguments: Any, **options: Any) -> None:
        self.count()
        super().rm(path, *arguments, **options)


@pytest.fixture
def mortal() -> Iterator[type[MortalBucket]]:
    register_implementation("mortal", MortalBucket, clobber=True)
    yield MortalBucket
    MortalBucket.left = None


@pytest.mark.filterwarnings("ignore:UPath 'mortal' filesystem not explicitly implemented")
def test_killed_at_every_moment_a_bucket_holds_the_old_set_or_the_new_one(
    mortal: type[MortalBucket],
) -> None:
    small = {"dim": 4}  # A bucket has no links to be large for.
    old, new = calm(UPath("mortal://calm/storage"), **small)
    root = UPath("mortal://moment/storage")
    published(root, **{**OLD, **small})
    contents = stored_set(root, **{**NEW, **small})
    stored = {path: file.getvalue() for path, file in mortal.store.items() if path.startswith("/moment")}
    found = []
    for moment in range(1000):
        root.fs.rm("/moment", recursive=True)
        for path, content in stored.items():
            root.fs.pipe_file(path, content)
        mortal.left = moment
        with contextlib.suppress(Killed):
            publish(root, contents, now=NOON)
        finished, mortal.left = mortal.left is not None, None
        look = look_of(root)
        assert look in (old, new), f"moment {moment}: a mixed set"
        found.append(look == new)
        if finished:
            break
        if moment % FINISHED_EVERY == 0:
            publish(root, contents, now=NOON)
            assert look_of(root) == new
            verify_set(root)
            assert not (root / "publishing" / "manifest.json").exists()
    assert found == sorted(found)
    assert 0 < sum(found) < len(found)
    assert len(found) > LEAST_MOMENTS
