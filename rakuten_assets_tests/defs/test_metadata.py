"""What the UI shows: every asset has figures, units, tables and pictures, and says what its weights are worth."""

import base64
import io
import re
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.defs.presentation import details, gallery, table
from rakuten_assets_tests.defs.conftest import Project

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

PICTURE = re.compile(r"!\[[^\]]*\]\(data:image/(?:png|jpeg);base64,([A-Za-z0-9+/=]+)\)")


@pytest.fixture(scope="module")
def shown(
    catalog: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, dg.MetadataValue]]]:
    """Metadata of a run with real pictures, by asset: of the asset, or of each of its shards."""
    project = Project(catalog, tmp_path_factory.mktemp("shown"), dg.DagsterInstance.ephemeral(), shards=2)
    result = project.run_all()
    assert result.success
    newest: dict[str, dict[str | None, dict[str, dg.MetadataValue]]] = {}
    for event in result.get_asset_materialization_events():
        materialization = event.materialization
        by_partition = newest.setdefault(materialization.asset_key.path[-1], {})
        by_partition[materialization.partition] = dict(materialization.metadata)
    return {asset: list(by_partition.values()) for asset, by_partition in newest.items()}


@pytest.mark.parametrize(
    ("asset", "keys"),
    [
        ("x_train", {"dagster/row_count", "dagster/column_schema", "preview", "size", "source", "data"}),
        ("y_train", {"classes", "class distribution", "largest to smallest", "preview"}),
        ("image_manifest", {"train rows", "test rows", "rows a shard", "one image a class"}),
        (
            "image_scan",
            {
                "images",
                "readable",
                "decoded",
                "images/s",
                "seconds",
                "duration",
                "outcomes",
                "remarkable images",
                "image bytes",
            },
        ),
        ("duplicate_groups", {"levels", "largest groups"}),
        ("integrity_report", {"report", "summary", "errors", "warnings"}),
        ("train_valid", {"valid", "quarantined", "dtype", "shape"}),
        ("label_encoder", {"classes", "encoder"}),
        ("train_labels", {"dtype", "shape", "sha256", "size"}),
        ("class_weights", {"smallest", "largest", "weights"}),
        ("channel_sums", {"images", "pixels", "images/s", "seconds", "duration", "size"}),
        (
            "dataset_statistics",
            {"images", "mean, red", "standard deviation, blue", "beside ImageNet and the document's example"},
        ),
        ("augmentation_gallery", {"what it shows", "gallery", "file", "size of the file"}),
        (
            "train_features",
            {
                "computed",
                "reused",
                "quarantined",
                "images/s",
                "seconds",
                "bytes",
                "weights",
                "extractor",
                "dtype",
                "shape",
            },
        ),
        (
            "test_feature_matrix",
            {"rows", "valid rows", "columns", "weights", "dtype", "shape", "sha256"},
        ),
        (
            "metadata",
            {"train samples", "feature dim", "quarantined images", "document", "weights", "quarantined"},
        ),
    ],
)
def test_each_asset_shows_what_one_wants_to_know(
    asset: str, keys: set[str], shown: dict[str, list[dict[str, dg.MetadataValue]]]
) -> None:
    for metadata in shown[asset]:
        assert keys <= metadata.keys()


def test_shards_show_their_own_figures(shown: dict[str, list[dict[str, dg.MetadataValue]]]) -> None:
    for asset, total in (("image_scan", 101), ("train_features", 81), ("test_features", 20)):
        counts = [metadata["images"].value for metadata in shown[asset]]
        assert len(counts) == 2
        assert sum(int(str(count)) for count in counts) == total


def test_the_counts_of_a_shard_stand_above_what_made_it(
    shown: dict[str, list[dict[str, dg.MetadataValue]]],
) -> None:
    for metadata in shown["train_features"]:
        names = list(metadata)
        assert names.index("computed") < names.index("extractor") < names.index("machine and engine")


def test_every_asset_with_features_says_that_the_weights_are_seeded(
    shown: dict[str, list[dict[str, dg.MetadataValue]]],
) -> None:
    for asset in (
        "train_features",
        "test_features",
        "train_feature_matrix",
        "test_feature_matrix",
        "metadata",
    ):
        for metadata in shown[asset]:
            assert "SEEDED" in str(metadata["weights"].value)


def test_pictures_are_whole_and_not_too_heavy(shown: dict[str, list[dict[str, dg.MetadataValue]]]) -> None:
    pictures = 0
    for asset, events in shown.items():
        for metadata in events:
            texts = [
                str(value.value) for value in metadata.values() if isinstance(value, dg.MarkdownMetadataValue)
            ]
            found = [base64.b64decode(code) for text in texts for code in PICTURE.findall(text)]
            for content in found:
                Image.open(io.BytesIO(content)).load()
            pictures += len(found)
            assert sum(map(len, found)) < 400_000, asset
    assert pictures >= 10


def test_a_table_is_markdown_that_no_cell_can_break() -> None:
    frame = pd.DataFrame({"a|b": ["x|y", "<b>", None], "n": [1, 2, 3]})
    text = str(table(frame, rows=2).value)
    assert text.splitlines()[:4] == ["| a\\|b | n |", "| --- | --- |", "| x\\|y | 1 |", "| &lt;b> | 2 |"]
    assert "3 rows in all" in text
    long = str(table(pd.DataFrame({"a": ["line\nbreak " * 40]})).value)
    assert len(long.splitlines()) == 3
    assert max(map(len, long.splitlines())) < 80


def test_details_keep_figures_and_turn_frames_into_tables() -> None:
    shown = details({"n": 3, "rows": pd.DataFrame({"a": [1]})})
    assert shown["n"] == 3
    assert isinstance(shown["rows"], dg.MarkdownMetadataValue)


def test_a_bucket_holds_what_a_folder_would(catalog: Path, finished: Project) -> None:
    bucket = UPath("memory://whole-project")
    project = Project(catalog, bucket, dg.DagsterInstance.ephemeral())  # type: ignore[arg-type]
    assert project.run_all().success
    published = {path.name: path.read_bytes() for path in (bucket / "outputs").glob("*.npy")}
    assert published == finished.outputs()


def test_what_varies_is_a_number_that_dagster_plots(
    shown: dict[str, list[dict[str, dg.MetadataValue]]],
) -> None:
    numbers = {
        "x_train": ["share without a description", "bytes"],
        "image_manifest": ["train rows", "files under another name", "bytes"],
        "image_scan": ["images", "readable", "seconds", "images/s", "image bytes"],
        "integrity_report": ["errors", "warnings"],
        "train_features": ["computed", "quarantined", "seconds", "images/s", "bytes"],
        "train_feature_matrix": ["rows", "valid rows", "bytes"],
        "metadata": ["train samples", "quarantined images"],
    }
    for asset, keys in numbers.items():
        for metadata in shown[asset]:
            for key in keys:
                assert isinstance(metadata[key], dg.IntMetadataValue | dg.FloatMetadataValue), (asset, key)


def test_statistics_stand_beside_imagenets_and_the_documents(
    shown: dict[str, list[dict[str, dg.MetadataValue]]],
) -> None:
    (metadata,) = shown["dataset_statistics"]
    lines = str(metadata["beside ImageNet and the document's example"].value).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "these images, all pixels",
        "these images, mean over images",
        "ImageNet",
        "the document's example",
    ]
    assert "| 0.485 | 0.456 | 0.406 | 0.229 | 0.224 | 0.225 |" in lines[4]


def test_the_gallery_is_seen_in_the_interface(
    shown: dict[str, list[dict[str, dg.MetadataValue]]],
) -> None:
    (metadata,) = shown["augmentation_gallery"]
    (code,) = PICTURE.findall(str(metadata["gallery"].value))
    with Image.open(io.BytesIO(base64.b64decode(code))) as picture:
        assert (picture.format, picture.width) == ("JPEG", 840)
    alt = str(metadata["gallery"].value).partition("]")[0]
    assert "light: " in alt and "dark: " in alt, "it says which products are drawn"


def test_counts_stand_before_the_document(shown: dict[str, list[dict[str, dg.MetadataValue]]]) -> None:
    (metadata,) = shown["metadata"]
    keys = list(metadata)
    assert keys.index("train samples") < keys.index("quarantined") < keys.index("document")
    assert "| reason |" in str(metadata["quarantined"].value)


def test_pictures_of_conflicts_bear_their_classes(
    shown: dict[str, list[dict[str, dg.MetadataValue]]],
) -> None:
    (metadata,) = shown["integrity_report"]
    picture, rule, caption = str(metadata["equal pictures, different classes"].value).splitlines()
    classes = [cell.strip() for cell in caption.strip("|").split("|")]
    assert picture.count("data:image") == rule.count(":---:") == len(classes)
    assert all(re.fullmatch(r"\d+ \(\d+\)( / \d+ \(\d+\))+", text) for text in classes)


def test_a_number_and_its_note_are_apart(shown: dict[str, list[dict[str, dg.MetadataValue]]]) -> None:
    (metadata,) = shown["integrity_report"]
    (line,) = [line for line in str(metadata["summary"].value).splitlines() if line.startswith("| blank |")]
    assert re.fullmatch(r"\| blank \| \*\*\d+\*\* \| \d+ exactly one colour \|", line)


def test_limits_are_text_for_a_constant_is_nothing_to_plot() -> None:
    shown = details({"share": 0.5, "limit": 0.01, "warning above": 0.001, "error above": 1})
    assert shown == {"share": 0.5, "limit": "1.00%", "warning above": "0.10%", "error above": "100.00%"}


def test_captions_cannot_break_a_gallery() -> None:
    lines = str(gallery([("data:x", "a|b"), ("data:y", "<i>\nc")]).value).splitlines()
    assert lines[2] == "| a\\|b | &lt;i> c |"
    assert len(lines) == 3
