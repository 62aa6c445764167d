import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from rakuten_assets.integrity.__main__ import main
from rakuten_assets.integrity.reading import scan
from rakuten_assets.synthetic import SyntheticCatalog, generate_catalog
from rakuten_assets_tests.images.pictures import encoded
from rakuten_assets_tests.integrity.gallery import cropped, product, save

FILES = ["duplicates.csv", "findings.csv", "images.parquet", "report.html", "summary.json"]

# What a report must call each fault that the synthetic catalogue injects.
KIND_OF_FAULT = {
    "truncated": "truncated",
    "corrupt_scan": "corrupt_scan",
    "garbage": "not_an_image",
    "empty": "empty",
    "missing": "missing",
    "too_many_pixels": "too_many_pixels",
    "blank": "blank",
    "near_blank": "near_blank",
    "grayscale": "grayscale",
    "cmyk": "odd_mode",
    "odd_size": "odd_size",
    "png_named_jpg": "wrong_format",
    "trailing_bytes": "trailing_bytes",
    "animated_gif": "animated",
    "same_label": "exact_duplicate",
    "conflicting_labels": "label_conflict",
    "train_test_twin": "train_test_twin",
    "pixel_twin": "pixel_duplicate",
    "near_duplicate": "near_duplicate",
}
LEVEL_OF_FAULT = {
    "same_label": "exact",
    "conflicting_labels": "exact",
    "train_test_twin": "exact",
    "pixel_twin": "pixel",
    "near_duplicate": "near",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images under awkward names, one of them broken, two of them copies of others."""
    root = tmp_path / "some images"
    save(
        root,
        {
            "été/日本 1.jpg": product(1),
            "=SUM(A1).jpg": product(1),
            "<b>&.jpg": product(2),
            "b.jpg": product(3),
            "broken.JPG": encoded(product(4))[:700],
            "near.jpg": cropped(product(2), 0.01),
            "notes.txt": b"no image",
        },
    )
    return root


def table(out: Path) -> pd.DataFrame:
    with (out / "images.parquet").open("rb") as file:
        return pq.read_table(file).to_pandas()


def test_any_folder_gets_a_report(folder, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    assert main([str(folder), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == FILES
    images = table(out)
    assert images.columns[:3].tolist() == ["path", "status", "reason"]
    assert images["path"].tolist() == [
        "<b>&.jpg",
        "=SUM(A1).jpg",
        "b.jpg",
        "broken.JPG",
        "near.jpg",
        "été/日本 1.jpg",
    ]
    assert images.set_index("path")["status"].to_dict()["broken.JPG"] == "unreadable"
    assert (images["status"] == "ok").sum() == 5
    assert (images["sha256"].str.len() == 64).all()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["duplicates"]["exact"]["groups"] == 1
    assert summary["duplicates"]["near"]["beyond_finer_level"] == 1
    duplicates = pd.read_csv(out / "duplicates.csv")
    assert duplicates["file"].tolist() == ["'=SUM(A1).jpg", "été/日本 1.jpg", "<b>&.jpg", "near.jpg"]
    assert "<b>&.jpg" not in (out / "report.html").read_text()
    said = capsys.readouterr()
    assert "1 of 6 images cannot be used" in said.out
    assert f"report: {out / 'report.html'}" in said.out
    assert "scan: 6 of 6 images" in said.err


def test_two_runs_and_any_number_of_threads_give_the_same_files(folder, tmp_path):
    outs = [tmp_path / name for name in ("one", "two")]
    for out, workers in zip(outs, "13", strict=True):
        assert main([str(folder), "--out", str(out), "--workers", workers]) == 0
    first, second = ({path.name: path.read_bytes() for path in out.iterdir()} for out in outs)
    assert first == second
    assert main([str(folder), "--out", str(outs[0])]) == 0  # over an earlier report, whose scan is reused
    assert {path.name: path.read_bytes() for path in outs[0].iterdir()} == first


def test_names_that_are_no_text_reach_every_file(tmp_path, capsys):
    root = tmp_path / os.fsdecode(b"\xe9t\xe9")
    save(root, {os.fsdecode(b"caf\xe9.jpg"): product(1), os.fsdecode(b"caf\xe8.jpg"): product(1)})
    out = root / "out"
    assert main([str(root), "--out", str(out)]) == 0
    assert table(out)["path"].tolist() == ["caf\\xe8.jpg", "caf\\xe9.jpg"]
    assert pd.read_csv(out / "duplicates.csv")["file"].tolist() == ["caf\\xe8.jpg", "caf\\xe9.jpg"]
    assert "caf\\xe9.jpg" in (out / "report.html").read_text()
    assert "\\xe9t\\xe9" in capsys.readouterr().out


def test_a_report_inside_the_folder_is_no_part_of_it(folder):
    out = folder / "report"
    for _ in range(2):
        save(out, {"picture.jpg": product(9)})
        assert main([str(folder), "--out", str(out)]) == 0
        assert not table(out)["path"].str.startswith("report").any()


def test_a_damaged_earlier_table_is_not_trusted(folder, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "images.parquet").write_bytes(b"PAR1 not really")
    assert main([str(folder), "--out", str(out)]) == 0
    assert "note: the earlier report's table is not used" in capsys.readouterr().out
    assert len(table(out)) == 6
    whole = (out / "images.parquet").read_bytes()
    for at in range(0, len(whole), len(whole) // 6):
        (out / "images.parquet").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert main([str(folder), "--out", str(out)]) == 0
        assert "note: the earlier report's table is not used" in capsys.readouterr().out
        assert (out / "images.parquet").read_bytes() == whole


def test_an_earlier_table_is_used_after_its_folder_was_renamed(folder, tmp_path, capsys, monkeypatch):
    assert main([str(folder), "--out", str(tmp_path / "one")]) == 0
    (tmp_path / "one").rename(tmp_path / "two")
    monkeypatch.setattr(scan, "record_of_content", None)  # nothing is decoded
    assert main([str(folder), "--out", str(tmp_path / "two")]) == 0
    assert "not used" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gates", "status"),
    [
        (["unreadable"], 1),
        (["truncated"], 1),
        (["duplicates"], 1),
        (["near-duplicates"], 1),
        (["missing"], 0),
        (["missing", "blank"], 0),
        (["missing,twins", "blank"], 3),
        (["missing", "errors"], 1),
        ([], 0),
    ],
)
def test_what_is_found_decides_the_exit_status_only_where_asked(folder, tmp_path, capsys, gates, status):
    arguments = [part for gate in gates for part in ("--fail-on", gate)]
    assert main([str(folder), "--out", str(tmp_path / "out"), *arguments]) == status
    assert (tmp_path / "out" / "report.html").exists() is (status != 3)
    assert ("found" in capsys.readouterr().err) is (status == 1)


def test_distance_zero_finds_fewer_candidates(folder, tmp_path):
    assert main([str(folder), "--out", str(tmp_path / "out"), "--near-distance", "0"]) == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["duplicates"]["exact"]["groups"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone", "--out", "out"], "does not exist; give the folder"),
        (["file.jpg", "--out", "out"], "is a file, not a folder"),
        (["images", "--out", "file.jpg"], "is a file; give a folder"),
        (["images", "--out", "images"], "is the folder of the images itself"),
        (["empty", "--out", "out"], "there is no image in"),
        (["images", "--out", "out", "--fail-on", "typo"], "'typo' is not known; allowed are unreadable"),
        (["images", "--out", "out", "--labels", "gone.csv"], "gone.csv"),
        (["images", "--out", "file.jpg/deep"], "file.jpg"),
        (["images", "--out", "file.jpg/deep"], "file.jpg/deep cannot be written: "),
        (["images", "--out", "/proc/x"], "/proc/x cannot be written: nothing can be written in /proc: "),
    ],
)
def test_a_wrong_argument_is_refused_with_the_way_out(tmp_path, monkeypatch, capsys, arguments, said):
    save(tmp_path, {"images/a.jpg": product(1), "file.jpg": b"x"})
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.splitlines()[-1].startswith("error: ")
    assert said in message
    assert "scan: " not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["images"],
        ["images", "--out", "o", "--workers", "0"],
        ["images", "--out", "o", "--near-distance", "65"],
    ],
)
def test_a_malformed_command_line_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m rakuten_assets.integrity" in capsys.readouterr().err


def test_labels_bring_conflicts_and_twins(folder, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "path,label,split\n=SUM(A1).jpg,10,train\nété/日本 1.jpg,40,train\n<b>&.jpg,10,train\nnear.jpg,10,test\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    assert (
        main([str(folder), "--out", str(out), "--labels", str(labels), "--fail-on", "label-conflicts"]) == 1
    )
    summary = json.loads((out / "summary.json").read_text())
    assert summary["label_conflicts"]["exact"]["class_pairs"] == [{"codes": [10, 40], "groups": 1, "rows": 2}]
    assert summary["train_test_twins"]["near"]["test_rows"] == 1
    assert summary["train_test_twins"]["exact"]["test_rows"] == 0


def test_the_module_is_a_command_that_imports_neither_dagster_nor_torch(folder, tmp_path):
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rakuten_assets.integrity", str(folder),
         "--out", str(tmp_path / "out"), "--fail-on", "unreadable"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert finished.returncode == 1, finished.stderr
    assert "--fail-on unreadable: found truncated 1" in finished.stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in finished.stderr.splitlines()}
    assert "pandas" in imported
    assert not imported & {"dagster", "torch", "torchvision", "openvino", "sklearn", "matplotlib"}


@pytest.fixture(scope="module", params=[1, 42])
def catalogue(request, tmp_path_factory) -> SyntheticCatalog:
    return generate_catalog(
        tmp_path_factory.mktemp("catalogue") / "root", 240, 60, seed=request.param, workers=2
    )


@pytest.mark.slow
def test_every_injected_fault_is_found_and_nothing_healthy_is_flagged(catalogue, tmp_path):
    out = tmp_path / "out"
    assert main([str(catalogue.root), "--out", str(out)]) == 0
    faults = pd.DataFrame([vars(record) for record in catalogue.read_faults()])
    findings = pd.read_csv(out / "findings.csv")

    by_file = findings.groupby("file")["kind"].apply(set).to_dict()
    missed = [
        fault.file
        for fault in faults.itertuples()
        if KIND_OF_FAULT[fault.kind] not in by_file.get(fault.file, ())
    ]
    assert missed == []
    assert set(by_file) <= set(faults["file"])

    images = table(out).set_index("file")
    assert images.loc[faults["file"], "status"].tolist() == faults["expected_status"].tolist()
    assert images.loc[faults["file"], "reason"].tolist() == faults["expected_reason"].tolist()
    assert (images.drop(index=faults["file"])["status"] == "ok").all()
    for kind, level in LEVEL_OF_FAULT.items():
        for _, members in faults[faults["kind"] == kind].groupby("group"):
            group = images.loc[members["file"], f"{level}_group"]
            assert group.nunique() == 1
            assert set(images.index[images[f"{level}_group"] == group.iloc[0]]) == set(members["file"])
    located = findings.merge(
        faults[["file", "row", "index", "image_id", "product_id"]], on="file", suffixes=("", "_true")
    )
    assert all(
        (located[name] == located[f"{name}_true"]).all()
        for name in ("row", "index", "image_id", "product_id")
    )


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    """Three train rows, one of them without its file, and one test row, in the challenge's layout."""
    root = tmp_path / "challenge"
    header = ",designation,description,productid,imageid\n"
    train = "".join(f"{row},name {row},,{20 + row},{10 + row}\n" for row in range(3))
    save(
        root,
        {
            "X_train_update.csv": (header + train).encode(),
            "Y_train_CVw08PX.csv": b",prdtypecode\n0,10\n1,2705\n2,10\n",
            "X_test_update.csv": (header + "84916,name,,29,19\n").encode(),
            "images/image_train/image_10_product_20.jpg": product(1),
            "images/image_train/image_11_product_21.jpg": product(1),
            "images/image_test/image_19_product_29.jpg": cropped(product(1), 0.01),
            "images/image_train/stray.jpg": product(2),
        },
    )
    return root


def test_a_challenge_folder_is_read_with_its_labels_and_splits(challenge, tmp_path):
    out = tmp_path / "out"
    assert main([str(challenge), "--out", str(out), "--fail-on", "unlisted_file"]) == 1
    images = table(out)
    assert images["path"].tolist() == [
        "images/image_train/image_10_product_20.jpg",
        "images/image_train/image_11_product_21.jpg",
        "images/image_train/image_12_product_22.jpg",
        "images/image_test/image_19_product_29.jpg",
    ]
    assert images["status"].tolist() == ["ok", "ok", "missing", "ok"]
    assert images["code"].fillna(-1).tolist() == [10, 2705, 10, -1]
    findings = pd.read_csv(out / "findings.csv").set_index("kind")
    assert findings.loc["unlisted_file", "file"] == "image_train/stray.jpg"
    assert findings.loc["missing", "file"] == "image_train/image_12_product_22.jpg"
    assert findings.loc["label_conflict", "image_id"].tolist() == [10, 11]
    assert findings.loc["train_test_twin", "split"].tolist() == ["train", "train", "test"]


def test_a_challenge_folder_brings_its_own_labels(tmp_path, capsys):
    for name in ("X_train_update.csv", "Y_train_CVw08PX.csv", "X_test_update.csv"):
        (tmp_path / name).write_text("x\n")
    assert main([str(tmp_path), "--out", str(tmp_path / "out"), "--labels", "labels.csv"]) == 2
    assert "leave --labels out" in capsys.readouterr().err
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "image_train" in capsys.readouterr().err
