"""The README keeps its word: its table of settings is the code's, and each of its commands runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rakuten_assets.backbones.table import backbones_table
from rakuten_assets.settings import settings_table, variable_names
from rakuten_assets_tests.outputs.storages import with_pictures

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# Run elsewhere: the first two by .ci/run, letter for letter; the interface by end_to_end/test_interface.py.
RUN_ELSEWHERE = ("python3 -m venv", "dagster dev")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [block for block in blocks("bash") if not block.startswith(RUN_ELSEWHERE)]


def test_the_table_of_settings_is_the_codes() -> None:
    table = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", README, flags=re.DOTALL)
    assert table is not None
    assert table[1] == settings_table()


def test_the_table_of_backbones_is_the_registrys() -> None:
    table = re.search(r"<!-- backbones -->\n(.*?)\n<!-- /backbones -->", README, flags=re.DOTALL)
    assert table is not None
    assert table[1] == backbones_table()


def test_every_link_and_picture_exists() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).is_file()] == []


def test_the_two_quickstart_commands_are_marked_for_ci() -> None:
    assert re.findall(r"<!-- ci: (\w+) -->\n```bash\npython3 -m venv", README) == ["run", "test"]


@pytest.mark.slow
def test_every_other_command_runs(tmp_path: Path) -> None:
    """In the README's order, on a small catalogue, with the places that a user would put in."""
    import torch
    from rakuten_assets.extraction.networks.backbones import BACKBONES

    from rakuten_assets.extraction.networks.models import build_backbone
    from rakuten_assets.extraction.networks.weights import resolve_weights
    from rakuten_assets.settings import SEEDED, Settings

    weights = tmp_path / "weights.pth"
    model = build_backbone(BACKBONES["efficientnet_b0"], resolve_weights(Settings(weights=SEEDED)))
    torch.save(model.state_dict(), weights)
    (tmp_path / "home").mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAKUTEN_")}
    environment = clean | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}",
        "DAGSTER_HOME": str(tmp_path / "home"),
        "RAKUTEN_STORAGE": str(tmp_path / "storage"),
        "RAKUTEN_SYNTHETIC_TRAIN_ROWS": "108",
        "RAKUTEN_SYNTHETIC_TEST_ROWS": "20",
        # Sixteen shards of eight images each: one injected fault is a large share.
        "RAKUTEN_UNREADABLE_FAIL": "1",
    }
    places = {
        "/path/to/rakuten": str(tmp_path / "catalogue"),
        "storage/real": str(tmp_path / "real"),
        "/path/to/catalogue --full": f"{tmp_path / 'catalogue'} --train-rows 108 --test-rows 20",
        "python -m rakuten_assets.integrity storage/synthetic --out /tmp/report": (
            f"python -m rakuten_assets.integrity {tmp_path / 'storage' / 'synthetic'} --out {tmp_path / 'report'}"
        ),
    }
    # The quickstart's run comes first, as for a reader; then the catalogue that stands in for the challenge's files.
    quickstart = blocks("bash")[0].rpartition("&& ")[2]
    ordered = sorted(commands(), key=lambda block: "rakuten_assets.synthetic" not in block)
    for block in [quickstart, *ordered]:
        for place, real in places.items():
            block = block.replace(place, real)
        extra = {"RAKUTEN_WEIGHTS": str(weights)} if "RAKUTEN_DATA_DIR" in block else {}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=environment | extra,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert (tmp_path / "real" / "outputs" / "metadata.json").is_file()
    assert (tmp_path / "report" / "report.html").is_file()


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAKUTEN_STORAGE", str(tmp_path))
    with_pictures(tmp_path, train_rows=60, extractors=("efficientnet_b0", "efficientnet_lite0"))
    names: dict[str, Any] = {}
    examples = blocks("python")
    assert len(examples) == 3
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert names["data"].extractor == "efficientnet_lite0"
    assert not set(names["groups"][names["fit"]]) & set(names["groups"][names["held_out"]])
    assert names["product"].row["code"] == 2583
    assert len(names["dataset"]) == 59
