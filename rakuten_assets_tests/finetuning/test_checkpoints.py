from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from upath import UPath

from rakuten_assets.finetuning.checkpoints import Checkpoints

IDENTITY = {"options": {"epochs": 3, "betas": (0.9, 0.999)}, "rows": "abc"}
TENSORS = {"network/a": torch.arange(6.0).reshape(2, 3), "best/b": torch.tensor(7, dtype=torch.int64)}
STATE = {"step": 4, "loss": 0.1 + 0.2, "epochs": [{"epoch": 0}]}


def checkpoints(folder: Path, said: list[str] | None = None, **changed: Any) -> Checkpoints:
    return Checkpoints(UPath(folder), IDENTITY | changed, (said if said is not None else []).append)


def test_what_was_saved_comes_back_bit_by_bit(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert checkpoints(folder).load() is None
    checkpoints(folder).save({"network/a": torch.zeros(2, 3)}, {"step": 3})
    checkpoints(folder).save(TENSORS, STATE)
    said: list[str] = []
    found = checkpoints(folder, said).load()
    assert found is not None and not said
    tensors, state = found
    assert state == STATE
    assert tensors.keys() == TENSORS.keys()
    assert all(
        torch.equal(tensors[name], one) and tensors[name].dtype == one.dtype for name, one in TENSORS.items()
    )
    assert len(list(folder.iterdir())) == 2, "the checkpoint before was not removed"
    checkpoints(folder).clear()
    assert list(folder.iterdir()) == []
    assert checkpoints(folder).load() is None


def test_one_of_another_run_is_not_resumed_and_says_what_differs(tmp_path: Path) -> None:
    checkpoints(tmp_path).save(TENSORS, STATE)
    said: list[str] = []
    assert checkpoints(tmp_path, said, options={"epochs": 5, "betas": (0.9, 0.999)}).load() is None
    (line,) = said
    assert "is of another run (options.epochs: 3 or 5): starting anew" in line


def _cut(folder: Path) -> None:
    (file,) = folder.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-1])


def _flip(folder: Path) -> None:
    (file,) = folder.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


def _remove(folder: Path) -> None:
    (file,) = folder.glob("*.safetensors")
    file.unlink()


def _edit(folder: Path) -> None:
    record = folder / "checkpoint.json"
    record.write_text(record.read_text().replace('"step": 4', '"step": 5'))


def _garbage(folder: Path) -> None:
    (folder / "checkpoint.json").write_text("[" * 5)


def _no_state(folder: Path) -> None:
    (folder / "checkpoint.json").write_text(json.dumps({"format": 1}))


@pytest.mark.parametrize("harm", [_cut, _flip, _remove, _edit, _garbage, _no_state])
def test_a_damaged_one_is_not_resumed_and_says_so(harm: Any, tmp_path: Path) -> None:
    checkpoints(tmp_path).save(TENSORS, STATE)
    harm(tmp_path)
    said: list[str] = []
    assert checkpoints(tmp_path, said).load() is None
    (line,) = said
    assert line.endswith("starting anew") and "checkpoint.json" in line
    # The next one is whole again.
    checkpoints(tmp_path).save(TENSORS, STATE)
    assert checkpoints(tmp_path).load() is not None
