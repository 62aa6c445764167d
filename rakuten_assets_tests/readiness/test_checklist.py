"""Each box says yes of a storage that is as it should be, no of one in which one thing is wrong, and not yet."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rakuten_assets.extraction.preprocessing import preprocess
from rakuten_assets.readiness.answers import Finding
from rakuten_assets.readiness.checklist import QUESTIONS, check_readiness
from rakuten_assets.readiness.decisions import decide
from rakuten_assets.readiness.pipeline import transforms_tested
from rakuten_assets.readiness.reproducibility import versions_recorded
from rakuten_assets_tests.outputs.storages import catalogue
from rakuten_assets_tests.readiness.conftest import (
    CODES,
    DIM,
    EXTRACTOR,
    TEST,
    TRAIN,
    ReadyStorage,
    fingerprint,
    groups_of,
    metadata,
    publish,
    quality,
    report,
    sidecar,
    strategies,
)

OF = f"{EXTRACTOR}/"


def test_a_storage_as_it_should_be_says_yes_fourteen_times(ready: ReadyStorage) -> None:
    found = check_readiness(ready.stored())
    assert [(box.title, box.answer, box.finding) for box in found.boxes if box.answer != "yes"] == []
    assert len(found.boxes) == len(QUESTIONS) == 14
    assert found.headline == "14 of 14 boxes: yes"
    assert all(box.evidence and not box.command for box in found.boxes)


# ---- one thing wrong, box by box: what is changed, and what the finding says ----


def unreadable(ready: ReadyStorage) -> None:
    scan = catalogue(TRAIN, TEST)
    scan = scan[scan["shard"] == "01"].reset_index(drop=True).assign(status="ok", reason="")
    scan.loc[2, ["status", "reason"]] = ["unreadable", "truncated"]
    ready.put("image_scan", scan, "01")


def scanned_before(ready: ReadyStorage) -> None:
    ready.put("image_manifest", catalogue(TRAIN, TEST + 1))


def twins(ready: ReadyStorage) -> None:
    groups = groups_of(catalogue(TRAIN, TEST))
    groups.loc[[3, 7], ["near_group", "near_size"]] = ["0" * 16, 2]
    ready.put("duplicate_groups", groups)


def other_labels(ready: ReadyStorage) -> None:
    labels = np.arange(TRAIN) % len(CODES)
    labels[4] = 0
    ready.put("train_labels", labels)


def empty_class(ready: ReadyStorage) -> None:
    manifest = catalogue(TRAIN, TEST)
    manifest.loc[: TRAIN - 1, "code"] = [CODES[row % 2] for row in range(TRAIN)]
    ready.put("image_manifest", manifest)
    ready.put("train_labels", np.arange(TRAIN) % 2)


def other_operation(ready: ReadyStorage) -> None:
    changed = fingerprint()
    changed["preprocessing"]["operations"] = [{"operation": "Stretch", "side": 224}]
    both(ready, changed)


def other_normalisation(ready: ReadyStorage) -> None:
    changed = fingerprint()
    changed["preprocessing"]["normalisation"]["mean"] = [0.4, 0.4, 0.4]
    both(ready, changed)


def both(
    ready: ReadyStorage, changed: dict[str, Any], values: Callable[[str, np.ndarray], None] | None = None
) -> None:
    for split, count in (("train", TRAIN), ("test", TEST)):
        vectors = np.full((count, DIM), 0.5, np.float32)
        if values is not None:
            values(split, vectors)
        ready.features(split, vectors, sidecar(catalogue(TRAIN, TEST), split, np.ones(count, bool)), changed)


def seeded(ready: ReadyStorage) -> None:
    both(ready, {**fingerprint(), "weights": "seeded:sha256:" + "b" * 64})


def zeros_of_a_valid_row(ready: ReadyStorage) -> None:
    def spoil(split: str, vectors: np.ndarray) -> None:
        vectors[5] = 0

    both(ready, fingerprint(), spoil)


def other_rows(ready: ReadyStorage) -> None:
    manifest = catalogue(TRAIN, TEST)
    manifest["image_id"] += 1
    ready.put("image_manifest", manifest)


def two_extractors(ready: ReadyStorage) -> None:
    rows = sidecar(catalogue(TRAIN, TEST), "test", np.ones(TEST, bool))
    ready.features(
        "test", np.full((TEST, DIM), 0.5, np.float32), rows, {**fingerprint(), "precision": "bf16"}
    )


def no_better_than_the_majority(ready: ReadyStorage) -> None:
    changed = report()
    changed["evaluations"]["grouped"]["scores"]["weighted_f1"]["low"] = 0.1
    ready.put(f"{OF}validation_report", changed)


def drifted(ready: ReadyStorage) -> None:
    changed = quality()
    changed["drift"] |= {"verdict": "large", "auc": 0.93}
    ready.put(f"{OF}feature_quality", changed)


def drifted_in_one_column(ready: ReadyStorage) -> None:
    changed = quality()
    changed["drift"] |= {"verdict": "large", "auc": 0.531}
    changed["drift"]["columns"]["class 2583"] = {"distance": 0.213, "adjusted_p_value": 0.01}
    ready.put(f"{OF}feature_quality", changed)


def idle(ready: ReadyStorage) -> None:
    changed = quality()
    changed["train"]["dead"] = [0, 1]
    ready.put(f"{OF}feature_quality", changed)


def statistics_of_other_rows(ready: ReadyStorage) -> None:
    changed = quality()
    changed["test"]["valid_rows"] = TEST - 1
    ready.put(f"{OF}feature_quality", changed)


def infinite(ready: ReadyStorage) -> None:
    def spoil(split: str, vectors: np.ndarray) -> None:
        if split == "test":
            vectors[3, 2] = np.inf

    both(ready, fingerprint(), spoil)


def map_of_other_rows(ready: ReadyStorage) -> None:
    points = catalogue(TRAIN, TEST)[["split", "row", "image_id"]].assign(x=1.0, y=2.0)
    points.loc[3, "image_id"] = 77
    ready.put(f"{OF}feature_map", points)


def map_without_places(ready: ReadyStorage) -> None:
    points = catalogue(TRAIN, TEST)[["split", "row", "image_id"]].assign(x=np.nan, y=2.0)
    ready.put(f"{OF}feature_map", points)


def other_weights(ready: ReadyStorage) -> None:
    ready.put("class_weights", np.array([1.0, 1.0, 1.1]))


def leaking(ready: ReadyStorage) -> None:
    split = np.zeros(TRAIN, bool)
    split[3] = True
    ready.put("grouped_split", split)
    twins(ready)


def one_strategy(ready: ReadyStorage) -> None:
    ready.put(f"{OF}imbalance_comparison", {"strategies": strategies()[:1]})


def metadata_without_settings(ready: ReadyStorage) -> None:
    changed = metadata()
    del changed["settings"]
    ready.put(f"{OF}metadata", changed)


def published_of_other_features(ready: ReadyStorage) -> None:
    publish(ready, {**metadata(), "fingerprint": "0" * 64})


def published_and_changed(ready: ReadyStorage) -> None:
    publish(ready, recorded=b"another")


def other_split(ready: ReadyStorage) -> None:
    split = np.zeros(TRAIN, bool)
    split[: TRAIN // 5] = True
    ready.put("random_split", split)


def other_seed(ready: ReadyStorage) -> None:
    ready.put(f"{OF}validation_report", {**report(), "details": {"seed": 7}})


def other_versions(ready: ReadyStorage) -> None:
    changed = metadata()
    changed["packages"]["numpy"] = "1.0.0"
    ready.put(f"{OF}metadata", changed)


def no_versions(ready: ReadyStorage) -> None:
    ready.put(f"{OF}metadata", {**metadata(), "packages": {}})


@pytest.mark.parametrize(
    ("box", "change", "told"),
    [
        ("picture is readable", unreadable, "1 of 39 images do not decode (1 truncated)"),
        ("picture is readable", scanned_before, "scan again"),
        ("no duplicates", twins, "2 of 39 rows"),
        ("classes documented", other_labels, "train row 4 has class 40"),
        ("classes documented", empty_class, "class 2583 has no train row"),
        ("transforms tested", other_operation, "Stretch"),
        ("normalisation right", other_normalisation, "efficientnet_lite0 wants mean"),
        ("features validated", seeded, "seeded"),
        ("features validated", zeros_of_a_valid_row, "zero are not those"),
        ("features validated", other_rows, "not those of the manifest"),
        ("features validated", two_extractors, "precision: f32 or bf16"),
        ("features validated", no_better_than_the_majority, "0.100 to"),
        (
            "statistics coherent",
            drifted,
            "large, because a linear classifier tells test from train with an AUC of",
        ),
        (
            "statistics coherent",
            drifted_in_one_column,
            "large, because the Kolmogorov-Smirnov distance of the head's probability of class 2583 is 0.213 (large "
            "from 0.15); a linear classifier tells test from train with an AUC of 0.531 (chance: 0.5, large from 0.70)",
        ),
        ("statistics coherent", idle, "too many"),
        ("statistics coherent", statistics_of_other_rows, "not of the 9 test rows"),
        ("no NaN", infinite, "1 test rows hold NaN or infinity, the first is row 3"),
        ("map made", map_of_other_rows, "shows train rows that have no features"),
        ("map made", map_without_places, "no place"),
        ("class weights", other_weights, "not the balanced weights"),
        ("sampling strategy", leaking, "leak"),
        ("sampling strategy", one_strategy, "fewer than two"),
        ("configuration saved", metadata_without_settings, "lack settings"),
        ("configuration saved", published_of_other_features, "another extractor"),
        ("configuration saved", published_and_changed, "does not belong"),
        ("seeds fixed", other_split, "random_split is not what seed 42 gives"),
        ("seeds fixed", other_seed, "seed 7"),
        ("versions", other_versions, "numpy 1.0.0 (here"),
        ("versions", no_versions, "no version of"),
    ],
)
def test_a_box_says_no_where_one_thing_is_wrong(
    ready: ReadyStorage, box: str, change: Callable[[ReadyStorage], None], told: str
) -> None:
    assert ready.box(box).answer == "yes"
    change(ready)
    found = ready.box(box)
    assert found.answer == "no", found
    assert told in found.finding
    assert not found.command


@pytest.mark.parametrize(
    ("box", "asset"),
    [
        ("picture is readable", "image_scan"),
        ("no duplicates", "duplicate_groups"),
        ("classes documented", "label_encoder"),
        ("features validated", f"{OF}validation_report"),
        ("statistics coherent", f"{OF}feature_quality"),
        ("map made", f"{OF}feature_map"),
        ("class weights", "class_weights"),
        ("sampling strategy", f"{OF}imbalance_comparison"),
        ("configuration saved", f"{OF}metadata"),
        ("seeds fixed", "random_split"),
        ("versions", f"{OF}metadata"),
    ],
)
def test_a_box_says_not_yet_and_how_where_its_asset_is_missing(
    ready: ReadyStorage, box: str, asset: str
) -> None:
    shutil.rmtree(ready.root / "assets" / asset)
    found = ready.box(box)
    assert found.answer == "not yet"
    assert asset in found.finding
    assert found.command.startswith("dagster asset materialize -m rakuten_assets.definitions --select ")
    if asset.startswith(OF):
        assert asset in found.command
    else:
        assert found.command.endswith("--partition-range 00...01")


def test_the_command_makes_what_the_missing_asset_is_made_of_too(ready: ReadyStorage) -> None:
    for asset in (f"{OF}feature_map", "grouped_split"):
        shutil.rmtree(ready.root / "assets" / asset)
    command = ready.box("map made").command
    wanted = command.rpartition("--select ")[2].split(",")
    assert set(wanted) == {
        f"{OF}feature_map",
        f"{OF}held_out_predictions",
        "random_split",
        "grouped_split",
    } - {"random_split"}


def test_without_features_every_box_of_them_waits(ready: ReadyStorage) -> None:
    shutil.rmtree(ready.root / "assets" / EXTRACTOR)
    found = check_readiness(ready.stored())
    assert found.count("not yet") == 10
    assert found.count("yes") == 4


def test_damage_is_a_no_that_names_the_file(ready: ReadyStorage) -> None:
    path = ready.root / "assets" / "class_weights" / "class_weights.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    found = ready.box("class weights")
    assert (found.answer, "class_weights.npy" in found.finding) == ("no", True)
    ready.put(f"{OF}feature_quality", ["another", "kind"])
    assert ready.box("statistics coherent").answer == "no"


def test_a_transform_that_gives_other_bytes_is_noticed(ready: ReadyStorage) -> None:
    def brighter(image: np.ndarray, chosen: Any) -> np.ndarray:
        found = preprocess(image, chosen).copy()
        found[0, 0, 0] ^= 1
        return found

    judge = lambda stored, name: transforms_tested(stored, name, brighter)  # noqa: E731
    found = ready.box("transforms tested", judges={"transforms": judge})
    assert (found.answer, "other bytes than Pillow" in found.finding) == ("no", True)


def test_a_package_that_went_is_named(ready: ReadyStorage) -> None:
    def installed(name: str) -> str:
        return "9.9" if name == "torch" else version(name)

    judge = lambda stored, name: versions_recorded(stored, name, installed)  # noqa: E731
    assert "torch" in ready.box("versions", judges={"versions": judge}).finding


def test_of_several_extractors_each_is_judged(ready: ReadyStorage) -> None:
    def only_one(stored: Any, name: str) -> Finding:
        return Finding(name == "b", name)

    found = check_readiness(ready.stored(), ["a", "b"], judges={"nan": only_one})
    assert [(box.extractor, box.answer) for box in found.boxes if "NaN" in box.title] == [
        ("a", "no"),
        ("b", "yes"),
    ]


@pytest.mark.parametrize(
    ("images", "devices", "advice"),
    [
        (39, 0, ("frozen features", "feature extraction")),
        (50_000, 1, ("fine-tuning (EfficientNet", "fine-tuning with")),
        (100_001, 2, ("transformer", "fine-tuning with")),
    ],
)
def test_the_trees_are_followed_by_size_and_machine(
    ready: ReadyStorage, images: int, devices: int, advice: tuple[str, str]
) -> None:
    ready.put("image_manifest", pd.DataFrame({"file": ["a.jpg"] * images}))
    model, strategy = decide(ready.stored(), [EXTRACTOR], lambda: devices)
    assert advice[0] in model.advice
    assert EXTRACTOR in model.here
    assert advice[1] in strategy.advice
