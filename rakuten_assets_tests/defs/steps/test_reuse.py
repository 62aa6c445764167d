"""A step whose stored result still stands tells it again; where anything about it changed, it computes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from rakuten_assets.defs.io_managers.npy import NpyIOManager
from rakuten_assets.defs.steps.inputs import content_of
from rakuten_assets.defs.steps.reuse import TOLD_AGAIN, _below_root
from rakuten_assets.runtime.code_identity import sources_digest
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import sha256_of_file
from rakuten_assets.storage.records import read_record, write_record
from rakuten_assets.storage.tables import read_table, write_table
from rakuten_assets_tests.defs.conftest import Project, stand_ins

REUSED = {
    "augmentation_gallery",
    "random_split",
    "grouped_split",
    *(
        f"efficientnet_b0/{name}"
        for name in (
            "held_out_predictions",
            "head",
            "test_predictions",
            "validation_report",
            "suspect_labels",
            "feature_quality",
            "imbalance_comparison",
            "feature_map",
        )
    ),
}


def told(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Metadata of each asset without partitions, by name."""
    return {
        event.asset_key.to_user_string(): dict(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None and event.materialization.partition is None
    }


def told_again(result: dg.ExecuteInProcessResult) -> set[str]:
    return {name for name, metadata in told(result).items() if TOLD_AGAIN in metadata}


def versions(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        event.asset_key.to_user_string(): (event.materialization.tags or {})["dagster/data_version"]
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None and event.materialization.partition is None
    }


def checks(result: dg.ExecuteInProcessResult) -> set[tuple[str, str, bool, str, str | None]]:
    return {
        (one.asset_key.to_user_string(), one.check_name, one.passed, one.severity.value, one.description)
        for one in result.get_asset_check_evaluations()
    }


def written_by(storage: Path) -> dict[str, dict[str, str]]:
    """Of each kept step: its files' digests."""
    return {
        file.name: json.loads(file.read_text())["files"] for file in (storage / "cache" / "steps").iterdir()
    }


@pytest.fixture(scope="module")
def ran(
    catalog: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, dg.ExecuteInProcessResult]]:
    """A project after its first run, and what that run gave. Tests leave it whole."""
    with pytest.MonkeyPatch.context() as patch:
        stand_ins(patch)
        project = Project(catalog, tmp_path_factory.mktemp("ran") / "storage", dg.DagsterInstance.ephemeral())
        yield project, project.run_all()


def test_a_second_run_tells_the_same_and_computes_nothing_of_it(
    ran: tuple[Project, dg.ExecuteInProcessResult],
) -> None:
    project, first = ran
    assert first.success
    assert told_again(first) == set()
    files = {path: path.stat() for path in project.storage.rglob("*") if path.is_file()}
    second = project.run_all()
    assert second.success
    assert told_again(second) == REUSED
    assert versions(second) == versions(first)
    assert checks(second) == checks(first)
    for name in REUSED:
        again = told(second)[name]
        assert again.pop(TOLD_AGAIN).value.endswith(f"run {first.dagster_run.run_id}")
        assert again == told(first)[name]
    kept = written_by(project.storage)
    assert len(kept) == len(REUSED)
    for name in (name for one in kept.values() for name in one):
        now, before = (project.storage / name).stat(), files[project.storage / name]
        assert (now.st_mtime_ns, now.st_ino) == (before.st_mtime_ns, before.st_ino), name


def test_what_is_missing_or_changed_is_made_anew_with_the_same_bytes(
    ran: tuple[Project, dg.ExecuteInProcessResult],
) -> None:
    project, _ = ran
    kept = written_by(project.storage)
    assert {"efficientnet_b0.validation_report.json", "efficientnet_b0.head.json"} <= kept.keys()
    for number, names in enumerate(kept.values()):
        assert names
        for place, name in enumerate(sorted(names)):
            file = project.storage / name
            if (number + place) % 2:
                file.unlink()
            else:
                content = file.read_bytes()
                file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = project.run_all()
    assert again.success
    assert told_again(again) == set()
    # A record of versions keeps those before.
    for name, digest in ((name, digest) for one in kept.values() for name, digest in one.items()):
        if not name.endswith(".record.json"):
            assert sha256_of_file(project.storage / name) == digest, name
    assert told_again(project.run_all()) == REUSED


def test_other_settings_are_another_result(ran: tuple[Project, dg.ExecuteInProcessResult]) -> None:
    project, _ = ran
    other = Project(project.catalog, project.storage, project.instance, suspect_warn=0.5)
    result = other.run_all()
    assert result.success
    # Those that are given no settings stand.
    assert told_again(result) == {
        f"efficientnet_b0/{name}"
        for name in ("held_out_predictions", "head", "test_predictions", "imbalance_comparison")
    }
    threads = Project(project.catalog, project.storage, project.instance, suspect_warn=0.5, threads=1)
    assert told_again(threads.run_all()) == REUSED  # of a machine, not of the work
    assert project.run_all().success


def test_another_configuration_is_another_result(ran: tuple[Project, dg.ExecuteInProcessResult]) -> None:
    project, _ = ran
    map_key = project.key("feature_map")

    def mapped(points: int) -> dg.ExecuteInProcessResult:
        return project.job.execute_in_process(
            run_config={"ops": {"efficientnet_b0__feature_map": {"config": {"points": points}}}},
            asset_selection=[map_key],
            instance=project.instance,
        )

    first, second = mapped(20), mapped(20)
    assert (told_again(first), told_again(second)) == (set(), {map_key.to_user_string()})
    assert told_again(mapped(30)) == set()
    assert project.run("feature_map").success


def test_other_inputs_are_another_result(ran: tuple[Project, dg.ExecuteInProcessResult]) -> None:
    project, _ = ran
    assert told_again(project.run("random_split", "grouped_split")) == {"random_split", "grouped_split"}
    file = project.storage / "assets" / "train_labels" / "train_labels.npy"
    labels = np.load(file)
    assert (labels != labels[::-1]).any()
    manager = NpyIOManager(Storage(UPath(project.storage), project.settings.shards))
    manager.write(labels[::-1].copy(), UPath(file))
    result = project.run("random_split", "grouped_split")
    assert result.success
    assert told_again(result) == set()
    manager.write(labels, UPath(file))
    assert project.run_all().success


def test_a_record_that_is_damaged_is_told_and_not_used(
    ran: tuple[Project, dg.ExecuteInProcessResult], capfd: pytest.CaptureFixture[str]
) -> None:
    project, _ = ran
    record = project.storage / "cache" / "steps" / "random_split.json"
    record.write_text(record.read_text().replace('"computed": "20', '"computed": "19'))
    result = project.run("random_split")
    assert result.success
    assert told_again(result) == set()
    assert "random_split.json is damaged" in capfd.readouterr().err
    assert told_again(project.run("random_split")) == {"random_split"}


def test_a_step_that_fails_is_not_kept(ran: tuple[Project, dg.ExecuteInProcessResult]) -> None:
    project, _ = ran
    record = project.storage / "cache" / "steps" / "efficientnet_b0.test_predictions.json"
    record.unlink()
    manifest = project.storage / "assets" / "image_manifest" / "image_manifest.parquet"
    table = read_table(manifest)
    write_table(UPath(manifest), table[table["split"] == "train"])
    assert not project.run("test_predictions").success
    assert not record.exists()
    write_table(UPath(manifest), table)
    assert project.run("test_predictions").success
    assert record.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"files": None},
        {"files": {"../../etc/passwd": "0"}},
        {"files": {"/etc/passwd": "0"}},
        {"metadata": {"a": "garbage"}},
        {"metadata": None},
        {"checks": [{}]},
        {"checks": []},
        {"data_version": None},
        {"made_of": 1},
    ],
)
def test_a_record_of_another_kind_is_not_used(
    ran: tuple[Project, dg.ExecuteInProcessResult], change: dict[str, Any]
) -> None:
    project, _ = ran
    assert project.run("random_split").success
    record = project.storage / "cache" / "steps" / "random_split.json"
    write_record(record, {**read_record(record), **change})
    result = project.run("random_split")
    assert result.success
    assert told_again(result) == set()
    assert told_again(project.run("random_split")) == {"random_split"}


def test_what_was_made_without_its_pictures_is_made_again_with_them(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins(monkeypatch)
    copy = tmp_path / "catalog"
    shutil.copytree(catalog, copy)
    project = Project(copy, tmp_path / "storage", dg.DagsterInstance.ephemeral())
    assert project.run_all().success
    page = project.storage / "outputs" / "evaluation_efficientnet_b0" / "feature_map.html"
    whole = page.read_bytes()
    (project.storage / "cache" / "steps" / "efficientnet_b0.feature_map.json").unlink()
    (copy / "images").rename(copy / "elsewhere")
    (copy / "images").mkdir()
    for split in ("image_train", "image_test"):
        (copy / "images" / split).mkdir()
        (copy / "images" / split / "note.jpg").touch()
    without = project.run("feature_map")
    assert without.success
    assert page.read_bytes() != whole
    shutil.rmtree(copy / "images")
    (copy / "elsewhere").rename(copy / "images")
    again = project.run("feature_map")
    assert told_again(again) == set()
    assert page.read_bytes() == whole


def test_what_was_made_while_sources_were_edited_is_not_kept(
    ran: tuple[Project, dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = ran
    record = project.storage / "cache" / "steps" / "random_split.json"
    record.unlink()
    with monkeypatch.context() as patch:
        patch.setattr("rakuten_assets.defs.steps.reuse.code_identity", lambda: "edited since")
        assert project.run("random_split").success
    assert not record.exists()
    assert project.run("random_split").success
    assert record.exists()


def test_a_file_that_went_before_it_was_recorded_is_missed(
    ran: tuple[Project, dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = ran
    file = project.storage / "outputs" / "evaluation_efficientnet_b0" / "suspect_labels.csv"
    (project.storage / "cache" / "steps" / "efficientnet_b0.suspect_labels.json").unlink()

    def removes(path: Any, content: Any) -> None:
        file.unlink()
        write_record(path, content)

    with monkeypatch.context() as patch:
        patch.setattr("rakuten_assets.defs.steps.reuse.write_record", removes)
        assert project.run("suspect_labels").success
    assert not file.exists()
    assert told_again(project.run("suspect_labels")) == set()
    assert file.exists()


def test_a_bucket_without_a_folder_is_a_storage_as_well() -> None:
    root = UPath("memory://bucket")
    assert _below_root(Storage(root, 1), {str(root / "outputs" / "a.csv"): "0"}) == {"outputs/a.csv": "0"}
    assert _below_root(Storage(UPath("/x"), 1), {"/x/outputs/a.csv": "0"}) == {"outputs/a.csv": "0"}
    assert _below_root(Storage(UPath("/x"), 1), {"/xy/a.csv": "0"}) is None


def test_contents_are_told_apart() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    different = [
        frame,
        frame.assign(a=[1, 3]),
        frame.assign(b=["x", "None"]),
        frame.assign(a=frame["a"].astype("int32")),
        frame.rename(columns={"a": "c"}),
        frame.iloc[::-1],
        np.arange(3),
        np.arange(3.0),
        np.arange(3)[:, None],
        {"a": frame},
        {"b": frame},
        {"a": 1},
        {"a": 1.5},
        {"a": "1"},
        [1, "2"],
        ["1", 2],
        None,
        True,
    ]
    contents = [content_of(one) for one in different]
    assert len(set(contents)) == len(contents)
    assert contents == [content_of(one) for one in different]
    assert content_of(frame.copy()) == content_of(frame)
    assert content_of(pd.concat([frame[:1], frame[1:]])) == content_of(frame)
    with pytest.raises(TypeError, match="has no digest here"):
        content_of(object())


def test_any_change_of_a_source_is_other_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    first = sources_digest(tmp_path)
    assert sources_digest(tmp_path) == first
    (tmp_path / ".#a.py").symlink_to(tmp_path / "nowhere")  # an editor's lock
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("compiled")
    assert sources_digest(tmp_path) == first
    (tmp_path / "page.html").write_text("a template")
    assert sources_digest(tmp_path) != first
    (tmp_path / "page.html").unlink()
    (tmp_path / "a.py").write_text("x = 2")
    second = sources_digest(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, sources_digest(tmp_path)}) == 3
