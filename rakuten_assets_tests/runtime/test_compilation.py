"""Kernels are compiled once, when enough images came or were announced, and never by two threads."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from rakuten_assets.runtime.compilation import CompiledKernels


@pytest.fixture
def slow_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that counts its imports and takes as long as the event that it waits for."""
    name = "kernels_for_a_test"
    (tmp_path / f"{name}.py").write_text(
        "import builtins\nbuiltins.imports.append(1)\nbuiltins.begun.set()\nassert builtins.go_on.wait(30)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("builtins.imports", [], raising=False)
    monkeypatch.setattr("builtins.begun", threading.Event(), raising=False)
    monkeypatch.setattr("builtins.go_on", threading.Event(), raising=False)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_kernels_pay_off_from_the_number_of_images_on() -> None:
    kernels = CompiledKernels("math", worth_from=3)
    assert [kernels.count() for _ in range(5)] == [False, False, True, True, True]


def test_announced_images_count_once() -> None:
    kernels = CompiledKernels("math", worth_from=10)
    kernels.expect(8)
    assert [kernels.count() for _ in range(10)] == [False] * 9 + [True]


def test_a_long_run_has_its_kernels_from_the_start() -> None:
    kernels = CompiledKernels("math", worth_from=10)
    kernels.expect(10)
    assert kernels.count()
    assert kernels.compiled().sqrt(4) == 2


def test_kernels_are_prepared_only_where_it_is_worth_it(slow_module: str) -> None:
    import builtins

    builtins.go_on.set()  # type: ignore[attr-defined]
    kernels = CompiledKernels(slow_module, worth_from=10)
    kernels.expect(9)
    kernels.prepare()
    assert builtins.imports == []  # type: ignore[attr-defined]
    kernels.expect(1)
    kernels.prepare()
    kernels.prepare()
    assert builtins.imports == [1]  # type: ignore[attr-defined]


def test_an_interrupted_compilation_is_done_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "interrupted_kernels_for_a_test"
    (tmp_path / f"{name}.py").write_text(
        "import builtins\nbuiltins.tries.append(1)\nif len(builtins.tries) == 1:\n    raise KeyboardInterrupt\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("builtins.tries", [], raising=False)
    kernels = CompiledKernels(name, worth_from=1)
    kernels.expect(1)
    with pytest.raises(KeyboardInterrupt):
        kernels.prepare()
    assert kernels.count()
    assert kernels.compiled() is sys.modules.pop(name)


def test_while_one_thread_compiles_the_others_do_without(slow_module: str) -> None:
    import builtins

    kernels = CompiledKernels(slow_module, worth_from=1)
    assert kernels.count()
    compiling = [threading.Thread(target=kernels.compiled) for _ in range(3)]
    for thread in compiling:
        thread.start()
    assert builtins.begun.wait(30)  # type: ignore[attr-defined]
    assert not kernels.count()
    builtins.go_on.set()  # type: ignore[attr-defined]
    for thread in compiling:
        thread.join(30)
    assert kernels.count()
    assert builtins.imports == [1]  # type: ignore[attr-defined]
