"""The benchmarks measure what they say; no wall time is asserted."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest

from rakuten_assets.benchmarks import quickstart
from rakuten_assets.benchmarks.integrity import ISSUES_OF_THE_PEER
from rakuten_assets.benchmarks.measuring.graph import Run, throughput_by_tenth
from rakuten_assets.benchmarks.measuring.memory import PeakMemory
from rakuten_assets.benchmarks.measuring.tables import markdown_table, write_json
from rakuten_assets.benchmarks.measuring.turns import Command, run_in_turns
from rakuten_assets.integrity.reporting.findings import KINDS

EXTRACTION_KEYS = {
    "name",
    "engine",
    "precision",
    "images_per_second",
    "ratio_to_document",
    "ratio_to_dataloader",
    "max_abs_difference",
    "max_relative_difference",
    "peak_rss_mb",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rakuten_assets.benchmarks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200)


@pytest.mark.slow
def test_extraction_compares_the_same_features(tmp_path: Path) -> None:
    result = tmp_path / "extraction.json"
    done = run("extraction", "--n", "24", "--rounds", "2", "--without-torch", "--json", str(result))
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(result.read_text())
    assert all(set(row) >= EXTRACTION_KEYS for row in rows)
    by_name = {row["name"]: row for row in rows}
    document, loader = by_name["document's loop"], by_name["expert DataLoader"]
    assert document["ratio_to_document"] == loader["ratio_to_dataloader"] == 1
    ours = by_name["ours, openvino f32"]
    assert (ours["engine"], ours["precision"]) == ("openvino", "f32")
    assert 0 < ours["max_relative_difference"] < 1e-4
    assert ours["ratio_to_document"] == pytest.approx(
        ours["images_per_second"] / document["images_per_second"]
    )
    # The document's process holds torch, ours does not.
    assert 50 < ours["peak_rss_mb"] < document["peak_rss_mb"]
    assert ours["roofline_share"] > 0
    assert f"{ours['ratio_to_document']:.2f}"[:3] in done.stdout


@pytest.mark.slow
def test_the_graph_is_run_again_and_again(tmp_path: Path) -> None:
    result = tmp_path / "full.json"
    small = ("--n", "100", "--test-rows", "16", "--shards", "1")
    done = run("full", *small, "--work", str(tmp_path / "work"), "--json", str(result))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    model, first, shards, again, changed_shards, changed = json.loads(result.read_text())
    assert 0 < shards["seconds"] < again["seconds"]
    assert 0 < changed_shards["seconds"] < changed["seconds"]
    assert [row["changed"] for row in (shards, again, changed_shards, changed)] == [0, 0, 1, 1]
    assert model["images"] is None and model["seconds"] > 0
    assert [row["images"] for row in (first, again, changed)] == [116] * 3
    assert first["share_of_first"] == 1
    assert again["share_of_first"] == pytest.approx(again["seconds"] / first["seconds"])
    assert all(100 < row["peak_rss_mb"] < 3000 for row in (first, again, changed))


@pytest.mark.slow
def test_overhead_compares_the_same_vectors(tmp_path: Path) -> None:
    small = ("--n", "100", "--test-rows", "16", "--shards", "1")
    done = run("overhead", *small, "--work", str(tmp_path))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (graph,) = (tmp_path / "storage" / "assets").glob("*/train_feature_matrix/train_feature_matrix.npy")
    bare = tmp_path / "storage-bare" / "outputs" / "train_features.npy"
    assert graph.read_bytes() == bare.read_bytes()


@pytest.mark.slow
def test_the_scan_is_measured_beside_a_loop_over_the_same_images(tmp_path: Path) -> None:
    result = tmp_path / "scan.json"
    small = ("--n", "60", "--test-rows", "12", "--work", str(tmp_path / "work"))
    done = run("scan", *small, "--json", str(result))
    assert done.returncode == 0, done.stderr[-2000:]  # also over the damaged images, at which Pillow raises
    loop, ours = json.loads(result.read_text())
    assert ours["ratio"] == pytest.approx(loop["seconds"] / ours["seconds"])
    assert ours["ratio_of"] == loop["name"]
    images = loop["images_per_second"] * loop["seconds"]
    assert images == pytest.approx(ours["images_per_second"] * ours["seconds"])
    assert 60 < round(images) <= 72


LOG = """
import sys, time
from pathlib import Path
own, other = map(Path, sys.argv[1:])
own.touch()
while not other.exists():
    time.sleep(0.01)
for _ in range(120):
    with own.open("a") as log:
        print(time.monotonic(), file=log)
    time.sleep(0.01)
"""


def test_commands_in_turns_never_run_at_the_same_time(tmp_path: Path) -> None:
    logs = [tmp_path / "first", tmp_path / "second"]
    commands = [
        Command(["-c", LOG, str(own), str(logs[not at])], dict(os.environ)) for at, own in enumerate(logs)
    ]
    started = time.perf_counter()
    outcomes = run_in_turns(commands, seconds_of_a_turn=0.5)
    seconds = time.perf_counter() - started
    written = sorted((float(at), log.name) for log in logs for at in log.read_text().split())
    assert len(written) == 240
    turns = 1 + sum(before != after for (_, before), (_, after) in itertools.pairwise(written))
    # At the same time they would alternate line by line; a turn has room for up to fifty.
    assert 4 <= turns < 60
    assert sum(outcome.seconds for outcome in outcomes) < seconds
    assert all(outcome.seconds > 1 and outcome.peak_mb > 1 for outcome in outcomes)


LONG = """
import os, sys, time
from pathlib import Path
Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(600)
"""
FAIL = """
import sys, time
from pathlib import Path
while not Path(sys.argv[1]).exists() or not Path(sys.argv[1]).read_text():
    time.sleep(0.01)
raise SystemExit("out of luck")
"""


def test_a_command_that_fails_ends_the_others(tmp_path: Path) -> None:
    own_number = tmp_path / "pid"
    commands = [Command(["-c", code, str(own_number)], dict(os.environ)) for code in (LONG, FAIL)]
    with pytest.raises(RuntimeError, match="ended with 1:\nout of luck"):
        run_in_turns(commands, seconds_of_a_turn=0.3)
    assert not psutil.pid_exists(int(own_number.read_text()))


def test_every_issue_of_the_peer_is_a_kind_of_ours() -> None:
    assert set(ISSUES_OF_THE_PEER.values()) < set(KINDS)


def test_a_missing_peer_is_said(tmp_path: Path) -> None:
    hidden = tmp_path / "cleanvision"
    hidden.mkdir()
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'cleanvision' else find(name, *a)\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "rakuten_assets.benchmarks",
            "integrity",
            "--n",
            "40",
            "--work",
            str(tmp_path / "w"),
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "pip install -e '.[benchmarks]'" in done.stderr


def test_peak_memory_sees_what_a_child_held() -> None:
    code = "import numpy as np; a = np.ones(30_000_000); import time; time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", code]) as process, PeakMemory(process.pid) as memory:
        process.wait()
    assert 240 < memory.peak_mb < 600


def test_throughput_by_tenth_finds_the_slow_half() -> None:
    seconds = np.arange(1, 201, dtype=float)
    stored = np.where(seconds <= 100, seconds * 200, 20_000 + (seconds - 100) * 100).astype(int)
    rates = throughput_by_tenth(list(zip(seconds.tolist(), stored.tolist(), strict=True)), rows=300)
    assert len(rates) == 10
    assert rates[0] == pytest.approx(2.0, rel=0.05)
    assert rates[-1] == pytest.approx(1.0, rel=0.05)
    assert throughput_by_tenth([(1.0, 10), (2.0, 20)], rows=2) == []


def test_tables_and_json_hold_the_rows(tmp_path: Path) -> None:
    rows = [{"name": "a", "rate": 1234.5}, {"name": "b", "rate": 2e-6}]
    table = markdown_table(rows, {"name": "", "rate": "images/s"})
    assert "1,234" in table and "2.0e-06" in table
    write_json(tmp_path / "rows.json", rows)
    assert json.loads((tmp_path / "rows.json").read_text()) == rows


@pytest.mark.slow
def test_the_head_is_compared_on_the_same_held_back_rows(tmp_path: Path) -> None:
    result = tmp_path / "head.json"
    done = run("head", "--n", "2500", "--dimensions", "40", "--json", str(result))
    assert done.returncode == 0, done.stderr[-2000:]
    theirs, ours, chosen = json.loads(result.read_text())
    assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], abs=2e-3)
    assert ours["ratio"] == pytest.approx(theirs["seconds"] / ours["seconds"])
    assert chosen["rows"] == 2500
    assert chosen["validation_loss"] == pytest.approx(ours["validation_loss"], abs=2e-3)


def test_features_without_labels_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", np.zeros((3, 2), np.float32))
    done = run("head", "--features", str(tmp_path / "features.npy"))
    assert done.returncode == 2 and "go together" in done.stderr


def test_the_quickstart_is_run_once_and_its_re_runs_in_turns() -> None:
    asked: list[Sequence[str]] = []
    seconds = iter([100.0, 20.0, 2.0, 40.0, 4.0, 30.0, 3.0])

    def run(command: Sequence[str]) -> Run:
        asked.append(command)
        return Run(next(seconds), 100.0 + len(asked))

    rows = quickstart.measure(run, shards=4, rounds=3)
    assert [row["seconds"] for row in rows] == [100.0, 30.0, 3.0]
    assert [row["share_of_first"] for row in rows] == [1.0, 0.3, 0.03]
    assert [row["peak_rss_mb"] for row in rows] == [101.0, 106.0, 107.0]
    everything, refresh = asked[0], asked[2]
    assert asked == [everything, everything, refresh, everything, refresh, everything, refresh]
    assert everything[-4:] == ["--select", "*", "--partition-range", "00...03"]
    assert "rakuten_assets.refresh" in refresh
