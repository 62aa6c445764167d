"""The command's exit status depends on what it found, and on nothing else that may happen to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rakuten_assets.integrity import __main__ as command
from rakuten_assets.integrity.__main__ import main
from rakuten_assets.storage.tables import read_table
from rakuten_assets_tests.integrity.gallery import product, save

HTML = b"<!DOCTYPE html><html><body>404 not found</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "été 図", {"a.jpg": product(1), "図面.jpg": product(2), "é.jpg": product(2)})
    return tmp_path / "été 図"


def run(folder: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [
        sys.executable,
        "-m",
        "rakuten_assets.integrity",
        str(folder),
        "--out",
        str(folder.parent / "out 図"),
        *arguments,
    ]
    environment = os.environ | options.pop("env", {})
    return subprocess.run(command, check=False, env=environment, stderr=subprocess.PIPE, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_what_the_terminal_cannot_show_is_escaped(folder, env):
    done = run(folder, env=env, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert b"\\u56f3" in done.stdout
    assert b"Traceback" not in done.stderr
    assert run(folder, "--fail-on", "duplicates", env=env, stdout=subprocess.PIPE).returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_closed_or_full_output_changes_no_exit_status(folder):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = run(folder, stdout=closed)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
        assert b"Exception" not in done.stderr
    with Path("/dev/full").open("wb") as full:
        done = run(folder, stdout=full)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
        assert (
            b"standard output cannot be written: No space left on device; lines of it are lost" in done.stderr
        )
        assert run(folder, "--fail-on", "duplicates", stdout=full).returncode == 1
    assert (folder.parent / "out 図" / "report.html").exists()


def test_a_defect_has_a_status_of_its_own(folder, monkeypatch, capsys):
    def broken(*arguments: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(command, "_report", broken)
    assert main([str(folder), "--out", str(folder.parent / "out")]) == 70
    assert "this is a defect" in capsys.readouterr().err


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_unwritable_out_is_known_before_the_scan(folder, capsys):
    folder.parent.chmod(0o555)
    try:
        assert main([str(folder), "--out", str(folder.parent / "out")]) == 2
    finally:
        folder.parent.chmod(0o755)
    assert "is not writable" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")]
)
def test_a_report_that_cannot_be_written_is_a_sentence(folder, monkeypatch, capsys, error):
    from rakuten_assets.integrity.reporting import report

    def full(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(report, "write_bytes", full)
    assert main([str(folder), "--out", str(folder.parent / "out")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: the report cannot be written to")


@pytest.mark.parametrize(
    "gate",
    ["label-conflicts", "label_conflict", "near_label_conflict", "twins", "train_test_twin", "unlisted_file"],
)
def test_a_gate_without_its_input_fails_with_a_sentence(folder, capsys, gate):
    assert main([str(folder), "--out", str(folder.parent / "out"), "--fail-on", gate]) == 3
    said = capsys.readouterr()
    assert f"--fail-on {gate} cannot be decided without" in said.err
    assert "without labels" in said.out.splitlines()[0]


def test_labels_without_splits_decide_conflicts_and_not_twins(folder, capsys):
    labels = folder.parent / "l.csv"
    labels.write_text("path,label\na.jpg,1\né.jpg,2\n", encoding="utf-8")
    common = [str(folder), "--out", str(folder.parent / "out"), "--labels", str(labels)]
    assert main([*common, "--fail-on", "label-conflicts"]) == 0
    assert f"with the labels of {labels}" in capsys.readouterr().out.splitlines()[0]
    assert main([*common, "--fail-on", "twins"]) == 3
    labels.write_text("path,label,split\na.jpg,1,train\né.jpg,2,train\n", encoding="utf-8")
    assert main([*common, "--fail-on", "twins"]) == 3


def test_what_is_not_looked_at_is_counted_and_named(tmp_path, capsys):
    root = tmp_path / "images"
    names = ["b.avif", "c.AVIF", "d.jp2", "e", "f.jpg_large", ".hidden.jpg", "Thumbs.db", ".DS_Store", "desktop.ini",
             "._a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "__MACOSX/._a.jpg", "lost+found/x.jpg", "private/p.jpg",
             "deep/private.jpg"]  # fmt: skip
    save(root, {"a.jpg": product(1)} | dict.fromkeys(names, b"x"))
    out = tmp_path / "out"
    assert main([str(root), "--out", str(out), "--exclude", "private*"]) == 0
    said = capsys.readouterr().out
    assert "All 1 images decode whole." in said
    counted = {
        one["what"]: one["count"] for one in json.loads((out / "summary.json").read_text())["not_looked_at"]
    }
    assert counted == {
        "files ending in .avif": 2,
        "files ending in .jp2": 1,
        "files ending in .jpg_large": 1,
        "files without a suffix": 1,
        "hidden files": 1,
        "files that systems leave behind": 4,
        "folders that systems leave behind": 3,
        "folders excluded by --exclude": 1,
        "files excluded by --exclude": 1,
    }
    assert "not looked at: 2 files ending in .avif (first: b.avif)" in said
    page = (out / "report.html").read_text()
    assert all(what in page for what in counted)


@pytest.mark.parametrize("content", [HTML, POINTER])
def test_nothing_is_claimed_of_pictures_that_files_do_not_hold(tmp_path, capsys, content):
    root = tmp_path / "images"
    save(
        root, {"a.jpg": content, "b.jpg": content, "c.jpg": content, "d.jpg": product(1), "e.jpg": product(2)}
    )
    labels = tmp_path / "l.csv"
    labels.write_text(
        "path,label,split\na.jpg,1,train\nb.jpg,2,train\nc.jpg,3,test\nd.jpg,1,train\ne.jpg,2,test\n"
    )
    out = tmp_path / "out"
    gates = "label-conflicts,near_label_conflict,twins,duplicates,near-duplicates"
    assert main([str(root), "--out", str(out), "--labels", str(labels), "--fail-on", gates]) == 0
    summary = json.loads((out / "summary.json").read_text())
    for figures in (summary["duplicates"], summary["label_conflicts"], summary["train_test_twins"]):
        assert all(level["groups"] == 0 for level in figures.values())
    assert all(level["naive"] == 0 for level in summary["leakage"]["levels"].values())
    findings = pd.read_csv(out / "findings.csv")
    equal = findings[findings["kind"] == "equal_without_picture"]
    assert equal["file"].tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert equal["detail"].str.contains("one of 3 equal files").all()
    assert equal["suggestion"].str.contains("git-lfs pointer").all()
    assert (out / "duplicates.csv").read_text().count("\n") == 1


def catalogue(root: Path, number: int) -> None:
    header = ",designation,description,productid,imageid\n"
    save(
        root,
        {
            "X_train_update.csv": (header + "0,name,,20,10\n").encode(),
            "Y_train_CVw08PX.csv": b",prdtypecode\n0,10\n",
            "X_test_update.csv": (header + "1,name,,29,19\n").encode(),
            "images/image_train/image_10_product_20.jpg": product(number),
            "images/image_test/image_19_product_29.jpg": product(number + 1),
            "images/image_train/Thumbs.db": b"x",
            "images/image_train/stray/x.jpg": b"x",
        },
    )


def test_a_catalogue_below_the_folder_is_found(tmp_path, capsys):
    catalogue(tmp_path / "storage/deep/catalog", 1)
    out = tmp_path / "out"
    assert main([str(tmp_path / "storage"), "--out", str(out), "--fail-on", "label-conflicts,twins"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("reading the catalogue ")
    assert "with its labels and splits: 1 train rows, 1 test rows" in said.splitlines()[0]
    assert "folders among the images in image_train (first: image_train/stray)" in said
    assert "unlisted" not in (out / "findings.csv").read_text()
    catalogue(tmp_path / "storage/deep/another", 3)
    assert main([str(tmp_path / "storage"), "--out", str(out)]) == 2
    assert "2 catalogues lie below" in capsys.readouterr().err


def test_exclude_leaves_rows_of_a_catalogue_out_and_says_so(tmp_path, capsys):
    root = tmp_path / "storage/real"
    catalogue(root, 1)
    save(root, {"images/image_train/more.jpg": product(5)})
    out = tmp_path / "out"

    def paths() -> list[str]:
        return read_table(out / "images.parquet", "images.parquet")["path"].tolist()

    train, test = "images/image_train/image_10_product_20.jpg", "images/image_test/image_19_product_29.jpg"
    for folder, pattern, kept in (
        (root, "image_19*", [train]),
        (root, "images/image_test/", [train]),
        (root, str(root / "images/image_test"), [train]),
        (root, "**/image_train", [test]),
        (tmp_path / "storage", "./real/images/image_test", [train]),
    ):
        assert main([str(folder), "--out", str(out), "--exclude", pattern]) == 0
        said = capsys.readouterr().out
        assert (paths(), "1 rows whose file is excluded by --exclude" in said) == (kept, True), pattern
        assert "matches nothing" not in said
    assert main([str(root), "--out", str(out), "--exclude", "more.*", "--exclude", "nothing*"]) == 0
    said = capsys.readouterr().out
    assert paths() == [train, test]
    assert "1 files without a row excluded by --exclude (first: image_train/more.jpg)" in said
    assert "note: --exclude 'nothing*' matches nothing that lies here" in said
    assert "unlisted" not in (out / "findings.csv").read_text()
    assert main([str(root), "--out", str(out), "--exclude", "images"]) == 2
    assert "--exclude leaves no row of the 2" in capsys.readouterr().err


def test_exclude_chooses_among_catalogues(tmp_path, capsys):
    for number, name in enumerate(("new", "old")):
        catalogue(tmp_path / "all" / name, 1 + 2 * number)
    assert main([str(tmp_path / "all"), "--out", str(tmp_path / "out"), "--exclude", "old"]) == 0
    assert "/all/new, with its labels" in capsys.readouterr().out


def test_exclude_holds_for_files_that_the_labels_name(tmp_path, capsys):
    save(tmp_path / "images", {"a.jpg": product(1), "out/b.jpg": product(2)})
    labels = tmp_path / "l.csv"
    labels.write_text("path,label\na.jpg,1\nout/b.jpg,2\n")
    common = [str(tmp_path / "images"), "--out", str(tmp_path / "out"), "--labels", str(labels)]
    assert main([*common, "--exclude", "out", "--fail-on", "missing"]) == 0
    assert "All 1 images decode whole." in capsys.readouterr().out


def test_limits_are_the_settings_unless_the_command_says_otherwise(folder, capsys, monkeypatch):
    common = [str(folder), "--out", str(folder.parent / "out"), "--fail-on", "too_much_memory,file_too_large"]
    assert main(common) == 0
    monkeypatch.setenv("RAKUTEN_MAX_MEMORY", "10000")
    assert main(common) == 1
    findings = pd.read_csv(folder.parent / "out" / "findings.csv")
    assert findings["detail"].str.endswith("allowed are 9.8 KiB (RAKUTEN_MAX_MEMORY)").all()
    assert (
        findings["kind"].tolist() == ["too_much_memory"] * 3
    )  # and nothing of "equal files that hold no picture"
    assert findings["suggestion"].str.contains("raise RAKUTEN_MAX_MEMORY").sum() == 3
    assert main([*common, "--max-memory", "100000000"]) == 0
    assert main([*common, "--max-memory", "100000000", "--max-file-bytes", "100"]) == 1
    monkeypatch.setenv("RAKUTEN_MAX_MEMORY", "much")
    assert main(common) == 2
    assert "RAKUTEN_MAX_MEMORY='much' is not allowed" in capsys.readouterr().err
