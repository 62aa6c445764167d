from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from rakuten_assets.integrity.duplicates import shelf
from rakuten_assets_tests.defs.conftest import Project


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What is decoded for a comparison on pixels from here on."""
    done: list[bytes] = []
    decode = shelf.small_picture

    def counted(content: bytes, format_name: str, side: int):
        done.append(content)
        return decode(content, format_name, side)

    monkeypatch.setattr(shelf, "small_picture", counted)
    yield done


def test_groups_made_again_are_the_same_and_compare_no_pair_again(
    done: Project, decoded: list[bytes]
) -> None:
    groups = done.storage / "assets" / "duplicate_groups" / "duplicate_groups.parquet"
    first = pd.read_parquet(groups)
    assert (first["near_size"] > first["pixel_size"]).any()
    groups.unlink()
    assert done.run("duplicate_groups").success
    pd.testing.assert_frame_equal(pd.read_parquet(groups), first)
    assert decoded == []


def test_without_the_cache_the_groups_are_the_same(done: Project, decoded: list[bytes]) -> None:
    groups = done.storage / "assets" / "duplicate_groups" / "duplicate_groups.parquet"
    first = pd.read_parquet(groups)
    for file in (done.storage / "cache" / "near_pairs").iterdir():
        file.unlink()
    assert done.run("duplicate_groups").success
    pd.testing.assert_frame_equal(pd.read_parquet(groups), first)
    assert decoded


def test_a_check_that_fails_shows_the_rows_and_where_all_of_them_are(catalog: Path, project: Project) -> None:
    strict = Project(catalog, project.storage, project.instance, conflict_warn=0.0, blank_warn=0.0)
    result = strict.run_all()
    assert result.success
    evaluations = {
        event.check_name: event for event in result.get_asset_check_evaluations() if not event.passed
    }
    for check, kind in (("label_conflicts", "label_conflict"), ("blanks", "blank")):
        metadata = evaluations[check].metadata
        findings = project.storage / "outputs" / "integrity_report" / "findings.csv"
        assert metadata["all rows"].value == f"{findings} (kind {kind})"
        assert f"| {kind} |" in str(metadata["first rows"].value)
        assert isinstance(metadata["limit"], dg.TextMetadataValue)
