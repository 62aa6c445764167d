import sys
from pathlib import Path

import pytest

from rakuten_assets.errors import EngineError, WeightsError
from rakuten_assets.extraction.networks import torch_process
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the child's module; write its code into the returned file."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(torch_process, "_CHILD", "stand_in_child")
    return tmp_path / "stand_in_child.py"


def test_the_answer_is_the_last_line(child: Path) -> None:
    child.write_text(
        "import json, sys; print('noise'); print(json.dumps([sys.argv[1], json.load(sys.stdin)]) and '{\"a\": 1}')"
    )
    assert run_in_torch_process("convert", {"x": 1}) == {"a": 1}


def test_the_childs_refusal_is_raised_here(child: Path) -> None:
    child.write_text('print(\'{"error": "WeightsError", "message": "w.pth is empty"}\'); raise SystemExit(1)')
    with pytest.raises(WeightsError, match=r"^w\.pth is empty$"):
        run_in_torch_process("convert", {})


def test_a_crash_says_what_the_child_said(child: Path) -> None:
    child.write_text("raise LookupError('a defect')")
    with pytest.raises(EngineError, match=r"exit status 1[\s\S]*LookupError: a defect"):
        run_in_torch_process("convert", {})


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_killed_child_is_named(child: Path) -> None:
    child.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(EngineError, match="signal 9"):
        run_in_torch_process("convert", {})


def test_an_unparsable_answer_is_an_error(child: Path) -> None:
    child.write_text("print('[1, 2]')")
    with pytest.raises(EngineError, match="exit status 0"):
        run_in_torch_process("convert", {})
