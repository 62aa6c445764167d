"""Failed runs and checks reach a webhook once; a real receiver, real runs, Dagster's own event log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from rakuten_assets.defs.alerts import Seen, build_alerts, tell_news
from rakuten_assets.errors import DeliveryError, SettingsError
from rakuten_assets.runtime.webhook import post_message
from rakuten_assets.settings import Settings
from rakuten_assets_tests.defs.conftest import Project
from rakuten_assets_tests.receiver import Receiver, running_receiver

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

INTERFACE = "http://127.0.0.1:3000"
SHARDS = dg.StaticPartitionsDefinition(["00", "01"])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """With SQLite on disk, as Dagster is out of the box: it keeps a file a run."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def run(
    instance: dg.DagsterInstance, outcome: str = "", shard: str | None = None, error: str = ""
) -> dg.ExecuteInProcessResult:
    """A run of an asset whose check gives this outcome, or which raises this error."""

    @dg.asset(
        partitions_def=SHARDS if shard else None,
        check_specs=[dg.AssetCheckSpec("readable", asset="scan", partitions_def=SHARDS if shard else None)],
    )
    def scan() -> Any:
        if error:
            raise ValueError(error)
        severity = dg.AssetCheckSeverity.WARN if outcome == "warned" else dg.AssetCheckSeverity.ERROR
        yield dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(
                    check_name="readable",
                    passed=outcome == "",
                    severity=severity,
                    description="3 of 9 images do not decode",
                )
            ]
        )

    return dg.materialize([scan], instance=instance, partition_key=shard, raise_on_error=False)


def looks(instance: dg.DagsterInstance, receiver: Receiver, seen: Seen) -> list[str]:
    """What one more look posts, by way of the cursor's text."""
    before = len(receiver.messages)
    again = Seen.of(seen.cursor())
    assert again == seen
    tell_news(instance, seen, INTERFACE, lambda text: post_message(receiver.address, text))
    return receiver.messages[before:]


def begun(instance: dg.DagsterInstance) -> Seen:
    seen = Seen()
    assert tell_news(instance, seen, INTERFACE, pytest.fail) == 0
    return seen


def test_what_is_old_at_the_first_look_is_not_told(instance: dg.DagsterInstance, receiver: Receiver) -> None:
    run(instance, "failed")
    run(instance, error="no disk")
    assert looks(instance, receiver, begun(instance)) == []


def test_a_failed_run_is_told_once_with_its_reason_and_a_link(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    seen = begun(instance)
    failed = run(instance, error="the disk is full", shard="01")
    (message,) = looks(instance, receiver, seen)
    assert message == (
        f"Run failed, shards 01: scan: ValueError: the disk is full {INTERFACE}/runs/{failed.run_id}"
    )
    assert looks(instance, receiver, seen) == []


def test_a_run_whose_process_died_is_told_with_what_the_monitor_says(
    instance: dg.DagsterInstance, receiver: Receiver
) -> None:
    seen = begun(instance)
    died = instance.create_run_for_job(dg.define_asset_job("all").resolve(asset_graph=_graph()))
    instance.report_run_failed(died, "Exceeded maximum runtime of 43200 seconds.")
    (message,) = looks(instance, receiver, seen)
    assert message.startswith("Run failed: Exceeded maximum runtime of 43200 seconds.")


def test_a_check_is_told_when_its_outcome_changes(instance: dg.DagsterInstance, receiver: Receiver) -> None:
    seen = begun(instance)
    about, link = "scan, check readable", f"{INTERFACE}/assets/scan?view=checks"
    why = "3 of 9 images do not decode"
    expected = [
        ("", []),
        ("warned", [f"Check warned: {about}: {why} {link}"]),
        ("warned", []),
        ("failed", [f"Check failed: {about}: {why} {link}"]),
        ("failed", []),
        ("", [f"Well again: {about} {link}"]),
        ("", []),
    ]
    for outcome, messages in expected:
        run(instance, outcome)
        assert looks(instance, receiver, seen) == messages, outcome
    run(instance, "failed")
    run(instance, "")
    assert looks(instance, receiver, seen) == [
        f"Check failed: {about}: {why} {link}\nWell again: {about} {link}"
    ]


def test_shards_are_told_apart(instance: dg.DagsterInstance, receiver: Receiver) -> None:
    seen = begun(instance)
    run(instance, "failed", "00")
    run(instance, "", "01")
    (message,) = looks(instance, receiver, seen)
    assert message.startswith("Check failed: scan, shard 00, check readable")
    run(instance, "", "01")
    assert looks(instance, receiver, seen) == []
    run(instance, "", "00")
    (message,) = looks(instance, receiver, seen)
    assert message.startswith("Well again: scan, shard 00")


@pytest.mark.parametrize("status", [500, 403, 302])
def test_what_the_webhook_does_not_take_is_posted_again(
    instance: dg.DagsterInstance, receiver: Receiver, status: int
) -> None:
    seen = begun(instance)
    run(instance, "failed")
    receiver.status = status
    with pytest.raises(
        DeliveryError, match=rf"the webhook at 127\.0\.0\.1 did not take a message: it answered {status}"
    ):
        looks(instance, receiver, seen)
    receiver.status = 200
    assert len(looks(instance, receiver, seen)) == 1
    assert looks(instance, receiver, seen) == []


def test_much_news_is_one_short_message(instance: dg.DagsterInstance, receiver: Receiver) -> None:
    seen = begun(instance)
    for number in range(23):
        run(instance, error=f"{number} " + "long " * 200)
    (message,) = looks(instance, receiver, seen)
    lines = message.split("\n")
    assert (len(lines), lines[-1]) == (21, f"and 3 more: {INTERFACE}/runs")
    assert max(map(len, lines)) < 420


def test_the_sensor_is_there_only_with_a_webhook(receiver: Receiver, instance: dg.DagsterInstance) -> None:
    assert build_alerts(Settings()) == []
    sensors = build_alerts(Settings(webhook=receiver.address, interface="https://dagster.example/"))
    assert {one.name: one.default_status for one in sensors} == {
        "alerts": dg.DefaultSensorStatus.RUNNING,
        "stale_shards": dg.DefaultSensorStatus.RUNNING,
    }
    sensor = sensors[0]
    cursor = None
    for expected in (0, 1, 1):
        with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
            sensor(context)
            cursor = context.cursor
        assert len(receiver.messages) == expected
        if not expected:
            run(instance, "failed")
    assert receiver.messages[0].endswith("https://dagster.example/assets/scan?view=checks")


def test_a_stale_shard_is_told_once_until_it_changes(done: Project, receiver: Receiver) -> None:
    """Over the storage of a whole graph; the sensor as the daemon calls it."""
    (_, sensor) = build_alerts(done.settings.model_copy(update={"webhook": SecretStr(receiver.address)}))
    cursor: str | None = None

    def look() -> list[str]:
        nonlocal cursor
        before = len(receiver.messages)
        with dg.build_sensor_context(instance=done.instance, cursor=cursor) as context:
            sensor(context)
            cursor = context.cursor
        return receiver.messages[before:]

    shard = done.storage / "assets" / "efficientnet_b0" / "test_features" / "01.json"
    assert look() == []
    content = shard.read_bytes()
    shard.unlink()
    receiver.status = 500
    with pytest.raises(DeliveryError):
        look()
    receiver.status = 200
    (message,) = look()
    assert message.split("\n") == [
        "Out of date, shard 01: test features missing",
        f"The schedule refresh_stale_shards makes it again: {INTERFACE}/automation",
    ]
    assert look() == []
    shard.write_bytes(content)
    assert look() == []
    shard.unlink()
    (again,) = look()
    assert again == message

    shard.write_bytes(content)
    look()
    shard.unlink()
    under_way = done.instance.create_run_for_job(done.defs.resolve_job_def("features"))
    done.instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, "features"), under_way.run_id
    )
    assert look() == []  # it may be making just that shard


def test_a_storage_in_which_nothing_was_made_is_not_out_of_date(project: Project, receiver: Receiver) -> None:
    (_, sensor) = build_alerts(project.settings.model_copy(update={"webhook": SecretStr(receiver.address)}))
    with dg.build_sensor_context(instance=project.instance) as context:
        sensor(context)
    assert receiver.messages == []


@pytest.mark.parametrize("cursor", [None, "", "{}", "[]", '{"run": "x", "check": 1, "told": {}}', "é"])
def test_a_cursor_that_cannot_be_read_is_a_first_look(cursor: str | None) -> None:
    assert Seen.of(cursor) == Seen()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/secret", "https://no.such.host.invalid/secret"])
def test_an_address_that_does_not_answer_is_told_without_its_secret(address: str) -> None:
    with pytest.raises(DeliveryError) as told:
        post_message(Settings.load(webhook=address).webhook.get_secret_value(), "x", seconds=2)  # type: ignore[union-attr]
    assert "secret" not in str(told.value)
    assert "RAKUTEN_WEBHOOK" in str(told.value)


@pytest.mark.parametrize(
    "address",
    [
        "hooks.slack.com/secret",
        "file:///secret",
        "https://",
        "ftp://x/secret",
        "http://[::1/secret",
        "https://user:secret@x/",
        "https://x:secret/",
        "http:// x/secret",
    ],
)
def test_what_is_no_web_address_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(SettingsError, match="RAKUTEN_WEBHOOK") as told:
        Settings.load(webhook=address)
    assert "secret" not in str(told.value)


def test_the_address_is_shown_nowhere() -> None:
    settings = Settings(webhook="https://hooks.example/secret")
    assert "secret" not in repr(settings)
    assert "secret" not in settings.model_dump_json()


def _graph() -> Any:
    @dg.asset
    def one() -> None: ...

    return dg.Definitions(assets=[one]).resolve_asset_graph()
