"""Metrics of a whole graph: of the run that made everything, and of what is out of date afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import generate_latest

from rakuten_assets.errors import SettingsError, StoreError
from rakuten_assets.metrics.collector import PartsCollector, registry_of
from rakuten_assets.metrics.exporter import parts_of
from rakuten_assets.metrics.history import checks_of, shards
from rakuten_assets_tests.defs.conftest import SHARDS, TEST_ROWS, TRAIN_ROWS, Project, stand_ins
from rakuten_assets_tests.metrics.scrape import Scrape, parsed


def scrape_of(project: Project) -> Scrape:
    said: list[str] = []
    parts = parts_of(project.settings, project.instance, 0, 0, said.append)
    text = generate_latest(registry_of(PartsCollector(parts, patience=60))).decode()
    assert said == []
    return parsed(text)


def stale(project: Project) -> tuple[float, float]:
    """Shards that are stale, and whether the published set is."""
    values = shards(project.settings, project.instance)
    ((_, count),) = values["rakuten_stale_shards"]
    ((_, outdated),) = values["rakuten_published_set_stale"]
    assert values["rakuten_shards"] == [((), SHARDS)]
    return count, outdated


def test_a_run_over_everything_leaves_nothing_stale_and_every_check_evaluated(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins(monkeypatch)
    scrape = scrape_of(finished)
    assert set(scrape.of("rakuten_scrape_error").values()) == {0}
    assert (scrape.one("rakuten_stale_shards"), scrape.one("rakuten_published_set_stale")) == (0, 0)
    assert scrape.one("rakuten_evaluated_asset_checks") == len(checks_of(finished.defs))
    # So few rows: classes without one, and a head that is no better than a guess.
    warned = scrape.of("rakuten_failing_asset_check_info")
    assert {(severity, shard) for _, _, severity, shard in warned} == {("warn", "")}
    assert scrape.of("rakuten_failing_asset_checks") == {("error",): 0, ("warn",): len(warned)}
    assert scrape.of("rakuten_scanned_images") == {("train",): TRAIN_ROWS, ("test",): TEST_ROWS}
    assert sum(scrape.of("rakuten_quarantined_images").values()) > 0, "the catalogue has faults"
    assert 0 <= scrape.one("rakuten_published_set_age_seconds") < 3600
    assert scrape.of("rakuten_extractor_features_age_seconds").keys() == {
        (name,) for name in finished.settings.backbones
    }


def test_a_check_that_fails_for_some_shards_is_told_of_those(catalog: Path, done: Project) -> None:
    strict = Project(catalog, done.storage, done.instance, unreadable_warn=0.0, unreadable_fail=0.0)
    assert not strict.run("image_scan", span=("00", "01")).success
    scrape = scrape_of(strict)
    assert scrape.of("rakuten_failing_asset_check_info").keys() >= {
        # asset, check, severity, shard: labels in the order of their names
        ("image_scan", "unreadable_share", "error", shard)
        for shard in ("00", "01")
    }
    assert scrape.one("rakuten_failing_asset_checks", "error") >= 1
    assert not any(labels[3] == "02" for labels in scrape.of("rakuten_failing_asset_check_info"))


def test_what_is_out_of_date_is_counted(done: Project) -> None:
    features = done.storage / "assets" / "efficientnet_b0"
    assert stale(done) == (0, 0)
    for count, shard in enumerate(("01", "02"), start=1):
        (features / "test_features" / f"{shard}.json").unlink()
        assert stale(done) == (count, 1)


def test_a_set_is_stale_where_only_its_last_step_is_missing(done: Project) -> None:
    (done.storage / "outputs" / "manifest.json").unlink()
    assert stale(done) == (0, 1)


def test_another_number_of_shards_is_told_not_counted(done: Project) -> None:
    other = done.settings.model_copy(update={"shards": SHARDS + 1})
    with pytest.raises(SettingsError, match=f"holds assets in {SHARDS} shards"):
        shards(other, done.instance)


def test_a_storage_in_which_nothing_was_made_has_no_stale_shards(project: Project) -> None:
    with pytest.raises(StoreError, match="run the graph first"):
        shards(project.settings, project.instance)
