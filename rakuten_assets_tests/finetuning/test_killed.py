"""Killed outright again and again, fine-tuning ends in the bits of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

KILLS, SEED = 10, 5


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(signal, "SIGKILL") or not hasattr(os, "fork"), reason="this system cannot kill so"
)
def test_ten_kills_change_no_bit(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "rakuten_assets_tests.finetuning.killed",
        str(tmp_path),
        str(KILLS),
        str(SEED),
    ]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"killed after (own steps, file operations): {found['killed']}")
    assert len(found["killed"]) == KILLS, "the run was over before it was killed so often"
    assert done.stderr.count("resumed after step") >= KILLS // 2
    assert "starting anew" not in done.stderr
    undisturbed, killed = found["digests"]
    assert killed == undisturbed
