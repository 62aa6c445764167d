"""A step is tried again where a store did not answer; never for what the data are."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rakuten_assets.defs.steps import retries
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import at_address
from rakuten_assets_tests.bucket import BUCKET, BucketServer, Request, bucket_server
from rakuten_assets_tests.defs.conftest import Project, failure_of, stand_ins

RAW = ("x_train", "y_train", "x_test", "image_manifest")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketServer]:
    # The client would try again for seconds, by itself.
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(retries, "WAITS", (0, 0, 0))
    with bucket_server() as running:
        yield running


@pytest.fixture
def project(server: BucketServer, catalog: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    stand_ins(monkeypatch)
    data = at_address(f"s3://{BUCKET}/data")
    for file in catalog.rglob("*"):
        if file.is_file():
            write_bytes(data / file.relative_to(catalog).as_posix(), file.read_bytes())
    return Project(data, data.parent / "storage", dg.DagsterInstance.ephemeral())  # type: ignore[arg-type]


class Away:
    """Answers the first `times` requests of one kind with a status. `part`: of a path, or of the folder to list."""

    def __init__(self, method: str, part: str, times: int, status: int = 503) -> None:
        self.method, self.part, self.times, self.status = method, part, times, status

    def __call__(self, request: Request) -> int | None:
        asked = request.path + "".join(request.query.get("prefix", ()))
        if request.method != self.method or self.part not in asked or not self.times:
            return None
        self.times -= 1
        return self.status


def restarted(result: dg.ExecuteInProcessResult) -> list[str]:
    """The steps that were tried again, once a try."""
    return [str(event.step_key) for event in result.all_events if event.event_type_value == "STEP_RESTARTED"]


@pytest.mark.parametrize(
    ("method", "part", "step"),
    [
        ("GET", "X_train_update.csv", "x_train"),  # in the step's own work
        ("PUT", "/assets/y_train/", "y_train"),  # while its value is stored
        ("GET", "/assets/x_test/", "image_manifest"),  # while its inputs are loaded
    ],
)
def test_a_step_goes_on_once_the_store_answers(
    server: BucketServer, project: Project, method: str, part: str, step: str
) -> None:
    away = Away(method, part, times=2)
    server.answer = away
    result = project.run(*RAW)
    assert away.times == 0
    assert result.success
    assert set(restarted(result)) == {step}


def test_images_that_no_store_gave_are_no_finding(server: BucketServer, project: Project) -> None:
    assert project.run(*RAW).success
    away = Away("GET", "/data/images/image_train/", times=3)
    server.answer = away
    result = project.run("image_scan", span=("00", "02"))
    assert away.times == 0
    assert result.success
    assert set(restarted(result)) == {"image_scan"}
    readable = [
        event.materialization.metadata["readable"].value
        for event in result.get_asset_materialization_events()
    ]
    server.answer = lambda _: None
    undisturbed = project.run("image_scan", span=("00", "02"))
    assert readable == [
        event.materialization.metadata["readable"].value
        for event in undisturbed.get_asset_materialization_events()
    ]


def test_after_the_last_try_the_step_fails(server: BucketServer, project: Project) -> None:
    server.answer = Away("GET", "X_train_update.csv", times=10_000)
    result = project.run("x_train")
    assert not result.success
    assert restarted(result) == ["x_train"] * 3
    assert "X_train_update.csv" in failure_of(result, "x_train")


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_not_tried_again(server: BucketServer, project: Project, status: int) -> None:
    server.answer = Away("GET", "X_train_update.csv", times=10_000, status=status)
    result = project.run("x_train")
    assert not result.success
    assert restarted(result) == []


def test_bad_data_are_not_tried_again(server: BucketServer, project: Project) -> None:
    write_bytes(at_address(f"s3://{BUCKET}/data/X_train_update.csv"), b"not,what,is,expected\n1,2,3,4\n")
    result = project.run("x_train")
    assert not result.success
    assert restarted(result) == []


def test_a_run_waits_for_its_storage(server: BucketServer, project: Project) -> None:
    away = Away("GET", "/storage/assets/layout.json", times=2)
    server.answer = away
    assert project.run("x_train").success
    assert away.times == 0


@pytest.mark.parametrize("folder", ["data/", "data/images/image_test/"])
def test_a_file_that_no_store_showed_is_not_missing(
    server: BucketServer, project: Project, folder: str
) -> None:
    away = Away("GET", folder, times=2)
    server.answer = away
    result = project.run("y_train")
    assert away.times == 0
    assert result.success
    assert restarted(result) == ["y_train"] * 2


@pytest.mark.slow
def test_a_store_that_fails_now_and_then_changes_nothing(
    server: BucketServer, project: Project, finished: Project
) -> None:
    # A step is begun anew up to three times: of what one asks for, less than that may fail each time.
    images, others = itertools.count(1), itertools.count(1)

    def now_and_then(request: Request) -> int | None:
        fails = next(images) % 150 == 0 if request.path.endswith(".jpg") else next(others) % 105 == 0
        return 503 if fails else None

    server.answer = now_and_then
    result = project.run_all()
    assert result.success, [event.message for event in result.all_events if event.is_failure]
    assert len(restarted(result)) > 5
    assert project.outputs() == finished.outputs()
    server.answer = lambda _: None
    undisturbed = project.run_all()
    assert versions(undisturbed) == versions(result)


def versions(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], str]:
    return {
        (event.asset_key.to_user_string(), event.partition): (event.materialization.tags or {})[
            "dagster/data_version"
        ]
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
