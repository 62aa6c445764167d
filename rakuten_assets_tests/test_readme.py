"""The README keeps its word: its table of settings is the code's, and each of its commands runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rakuten_assets.backbones.table import backbones_table
from rakuten_assets.defs.summary import INTERFACE
from rakuten_assets.outputs.names import GALLERY_FILE, MANIFEST_FILE, evaluation_folder
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


def test_every_block_is_run_by_somebody() -> None:
    """A block is a command that CI runs letter for letter, `dagster dev`, which a browser looks at, or one of those
    that the tests below run. A block of another language, or one more of Python, is run by nobody."""
    fences = re.findall(r"^```(\w*)$", README, flags=re.MULTILINE)
    # A drawing is no command: test_architecture holds the house to it.
    languages = [language for language in fences[::2] if language != "text"]
    assert set(fences[1::2]) == {""}, "a block that does not end"
    assert set(languages) == {"bash", "python"}
    assert len(blocks("python")) == 7
    elsewhere = [block for block in blocks("bash") if block.startswith(RUN_ELSEWHERE)]
    assert len(elsewhere) == 3
    assert elsewhere[2] == "dagster dev\n"
    ci = (ROOT / ".ci" / "run").read_text()
    assert "for name in run test" in ci
    assert len(commands()) + len(elsewhere) + len(blocks("python")) == len(languages)


def test_the_python_that_is_named_is_the_one_that_the_project_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "Python 3.11, 3.12 or 3.13" in README
    assert "ResolutionImpossible" in README


def test_dg_comes_with_the_install_that_is_named() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (name,) = [
        extra for extra, wanted in extras.items() if any(line.startswith("dagster-dg-cli") for line in wanted)
    ]
    before = README[: README.index("dg list defs")]
    assert f"-e '.[{name}]'" in before.rpartition("With [dg]")[2]


def test_the_table_of_outputs_names_what_lies_beside_the_set() -> None:
    rows = dict(re.findall(r"^\| `([^`|]+)` \| (.+) \|$", README, flags=re.MULTILINE))
    assert "report.html" in rows["integrity_report/"]
    for beside in (GALLERY_FILE, evaluation_folder("*"), "integrity_report"):
        assert f"`{beside}`" in rows[MANIFEST_FILE]


def test_the_document_is_introduced_before_it_is_spoken_of() -> None:
    first = re.search(r"[^.\n]*the document.*?\.", README, flags=re.IGNORECASE | re.DOTALL)
    assert first is not None
    assert "written specification" in first[0]
    assert "not part of this repository" in " ".join(first[0].split())
    assert first.end() < README.index("## Quickstart")


def test_where_to_look_is_where_the_interface_shows_it() -> None:
    assert INTERFACE in README


def test_messages_in_the_troubleshooting_are_the_codes() -> None:
    """What a reader would search the page for stands in the package, up to its first gap."""
    section = README[README.index("## Troubleshooting") : README.index("## Licence")]
    source = "".join(path.read_text() for path in (ROOT / "rakuten_assets").rglob("*.py"))
    for phrase in (
        "is not one of the",
        "this run names none",
        "is not a setting of this project; did you mean",
        "nothing can be written in",
        "this user has no home folder",
        "are not on this machine",
        "images are not what image_scan saw",
    ):
        assert phrase in section, phrase
        assert phrase in source or phrase in source.replace('"\n            f"', ""), phrase


def test_the_two_quickstart_commands_are_marked_for_ci() -> None:
    assert re.findall(r"<!-- ci: (\w+) -->\n```bash\npython3 -m venv", README) == ["run", "test"]


@pytest.mark.slow
def test_every_other_command_runs(tmp_path: Path) -> None:
    """In the README's order, on a small catalogue, with the places that a user would put in."""
    import torch
    from torchvision.models import efficientnet_b0

    weights = tmp_path / "weights.pth"
    torch.save(efficientnet_b0().state_dict(), weights)
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
        "storage/synthetic/960x144-seed42": str(tmp_path / "storage" / "synthetic" / "108x20-seed42"),
        "/tmp/predictions.csv": str(tmp_path / "predictions.csv"),
        "/tmp/deployment": str(tmp_path / "deployment"),
        "/tmp/report": str(tmp_path / "report"),
        "epochs=5": "epochs=1",
        "storage/outputs/finetuning": str(tmp_path / "storage" / "outputs" / "finetuning"),
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
            timeout=1200,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert (tmp_path / "real" / "outputs" / "metadata.json").is_file()
    assert (tmp_path / "report" / "report.html").is_file()
    # Of the catalogue with its labels and splits, not of a folder of pictures.
    assert "label_conflict" in (tmp_path / "report" / "findings.csv").read_text()


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variable_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAKUTEN_STORAGE", str(tmp_path))
    folder = with_pictures(tmp_path, train_rows=60, extractors=("efficientnet_b0", "efficientnet_lite0"))
    monkeypatch.setenv("RAKUTEN_DATA_DIR", str(folder))
    monkeypatch.setenv("RAKUTEN_SHARDS", "2")
    names: dict[str, Any] = {}
    examples = blocks("python")
    assert len(examples) == 7
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert names["data"].extractor == "efficientnet_lite0"
    assert not set(names["groups"][names["fit"]]) & set(names["groups"][names["held_out"]])
    assert names["product"].row["code"] == 2583
    assert len(names["dataset"]) == 59
    assert names["images"].shape == (32, 3, 224, 224)
    assert set(names["labels"].tolist()) == {0, 1, 2}
    assert names["state"]["batches"] == 1
    assert (names["tensor"].shape, names["tensor"].dtype) == ((3, 224, 224), names["torch"].float32)
    assert names["vector"].shape == (1280,)
