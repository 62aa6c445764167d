"""`python -m rakuten_assets.readiness` on the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rakuten_assets.readiness.__main__ import checklist_lines, main
from rakuten_assets.readiness.checklist import check_readiness
from rakuten_assets_tests.readiness.conftest import EXTRACTOR, ReadyStorage


def test_it_says_what_holds_and_what_is_missing(
    ready: ReadyStorage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["--storage", str(ready.root)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == f"{ready.root}: 14 of 14 boxes: yes"
    assert out.count("[x] yes") == 14
    shutil.rmtree(ready.root / "assets" / EXTRACTOR / "feature_map")
    assert main(["--storage", str(ready.root), "--extractor", EXTRACTOR]) == 0
    out = capsys.readouterr().out
    assert "[ ] not yet: t-SNE map made (efficientnet_lite0)" in out
    assert "--select efficientnet_lite0/feature_map" in out


def test_stored_features_that_nobody_evaluates_are_judged_only_if_asked_for(
    ready: ReadyStorage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assets = ready.root / "assets"
    shutil.copytree(assets / EXTRACTOR, assets / "efficientnet_b0")
    arguments = ["--storage", str(ready.root)]
    assert main(arguments) == 0
    assert "(efficientnet_b0)" in capsys.readouterr().out, "it has been evaluated"
    shutil.rmtree(assets / "efficientnet_b0" / "validation_report")
    assert main(arguments) == 0
    assert "(efficientnet_b0)" not in capsys.readouterr().out
    shutil.rmtree(assets / "efficientnet_b0" / "feature_map")
    assert main([*arguments, "--extractor", "efficientnet_b0"]) == 0
    out = capsys.readouterr().out
    # The settings evaluate the other one only: their graph has no such asset.
    (command,) = [
        line for line in out.splitlines() if "efficientnet_b0/feature_map" in line and "dagster" in line
    ]
    assert command.strip().startswith("RAKUTEN_EVALUATE=efficientnet_b0 ")
    monkeypatch.setenv("RAKUTEN_EVALUATE", "all")
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "(efficientnet_b0)" in out
    assert "RAKUTEN_EVALUATE" not in out


@pytest.mark.parametrize(("fail_on", "missing", "wrong"), [("no", 0, 1), ("not-yet", 1, 1)])
def test_fail_on_gives_status_1_for_what_it_names(
    ready: ReadyStorage, fail_on: str, missing: int, wrong: int, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--storage", str(ready.root), "--fail-on", fail_on]
    assert main(arguments) == 0
    shutil.rmtree(ready.root / "assets" / EXTRACTOR / "feature_map")
    assert main(arguments) == missing
    (ready.root / "assets" / "class_weights" / "class_weights.npy").write_bytes(b"")
    assert main(arguments) == wrong
    assert main(arguments[:2]) == 0


def test_what_is_not_there_is_refused_in_a_sentence(
    ready: ReadyStorage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--storage", str(tmp_path / "nowhere")]) == 2
    assert "there is no storage in" in capsys.readouterr().err
    assert main(["--storage", str(ready.root), "--extractor", "resnet18"]) == 2
    assert "no features of resnet18" in capsys.readouterr().err
    (ready.root / "assets" / "layout.json").write_text("{}")
    assert main(["--storage", str(ready.root)]) == 2
    assert "layout.json" in capsys.readouterr().err


def test_an_empty_storage_waits_for_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["--storage", str(tmp_path / "empty")]) == 0
    assert "14: not yet" in capsys.readouterr().out.splitlines()[0]


def test_lines_fit_a_narrow_terminal_and_are_ascii(ready: ReadyStorage) -> None:
    shutil.rmtree(ready.root / "assets" / EXTRACTOR / "feature_quality")
    lines = list(checklist_lines(check_readiness(ready.stored()), 40))
    assert all(line.isascii() for line in lines)
    long = [line for line in lines if len(line) > 40 and not line.strip().startswith("dagster ")]
    assert all(" " not in line.strip() for line in long)


def test_it_reads_only_and_imports_no_torch(ready: ReadyStorage, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in ready.root.rglob("*")}
    program = (
        "import sys; from rakuten_assets.readiness.__main__ import main;"
        f"status = main(['--storage', {str(ready.root)!r}]);"
        "heavy = ('torch', 'sklearn', 'matplotlib', 'dagster');"
        "print([name for name in heavy if name in sys.modules]); sys.exit(status)"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert {path: path.stat().st_mtime_ns for path in ready.root.rglob("*")} == before
