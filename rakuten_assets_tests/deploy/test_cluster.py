"""A backfill on the deployment that `rakuten_assets.deploy` writes out: Postgres, Redis, a bucket, two workers, of
which one run's process and one whole worker are killed; whoever is to be told of that is told once."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from rakuten_assets.settings import variable_names
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import at_address, read_bytes
from rakuten_assets.synthetic import generate_catalog
from rakuten_assets_tests.bucket import BUCKET, bucket_server
from rakuten_assets_tests.deploy.cluster import Cluster, find_program, running_cluster, waited
from rakuten_assets_tests.receiver import running_receiver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(find_program(name) for name in ("redis-server", "initdb", "postgres")),
        reason="Redis or Postgres is not installed: apt-get install redis-server postgresql",
    ),
]

GROUPS = ("raw", "labels", "catalog", "features", "outputs")
TRAIN_ROWS, TEST_ROWS, SHARDS = 240, 48, 16
SETTINGS = {
    "RAKUTEN_BACKBONE": "efficientnet_lite0",
    "RAKUTEN_SHARDS": str(SHARDS),
    "RAKUTEN_NUMERICS": "portable",
    "RAKUTEN_THREADS": "1",
    "RAKUTEN_UNREADABLE_FAIL": "1",  # shards of a dozen images: one injected fault is a large share
}
NOTICED = 120.0  # seconds until a dead worker's run has failed


def _environment() -> dict[str, str]:
    ours = set(variable_names())
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog") / "synthetic"
    generate_catalog(folder, TRAIN_ROWS, TEST_ROWS)
    return folder


@pytest.fixture(scope="module")
def calm_outputs(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one run over all shards publishes on disk."""
    folder = tmp_path_factory.mktemp("calm")
    selection = " or ".join(f"group:{name}" for name in GROUPS)
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "rakuten_assets.definitions"]
    command += ["--select", selection, "--partition-range", f"00...{SHARDS - 1:02}"]
    places = {"RAKUTEN_STORAGE": str(folder / "storage"), "RAKUTEN_DATA_DIR": str(catalog)}
    subprocess.run(command, check=True, cwd=folder, env={**_environment(), **SETTINGS, **places})
    outputs = folder / "storage" / "outputs"
    return {path.name: path.read_bytes() for path in outputs.iterdir() if path.suffix in (".npy", ".parquet")}


def _shard_runs(cluster: Cluster, *statuses: str) -> list[dict[str, object]]:
    return [
        run
        for run in cluster.runs()
        if run["status"] in statuses and "dagster/asset_partition_range_start" in run["tags"]
    ]


def test_a_backfill_outlives_a_killed_run_and_a_killed_worker(
    catalog: Path, calm_outputs: dict[str, bytes]
) -> None:
    with bucket_server() as server, running_receiver() as receiver:
        data, storage = at_address(f"s3://{BUCKET}/data"), at_address(f"s3://{BUCKET}/storage")
        for file in catalog.rglob("*"):
            if file.is_file():
                write_bytes(data / file.relative_to(catalog).as_posix(), file.read_bytes())
        environment = {
            **_environment(),
            **SETTINGS,
            "RAKUTEN_SHARDS_PER_RUN": "2",
            "RAKUTEN_WEBHOOK": receiver.address,
            "RAKUTEN_DATA_DIR": str(data),
            "RAKUTEN_STORAGE": str(storage),
        }
        with running_cluster(environment, workers=2, shards_per_run=2) as cluster:
            nodes = cluster.ask("{ assetNodes { assetKey { path } groupName } }")["assetNodes"]
            wanted = [node["assetKey"]["path"] for node in nodes if node["groupName"] in GROUPS]
            # What is in the log before the first look is no news.
            waited(
                "the alerts have looked",
                lambda: "Checking for new runs for sensor: alerts" in cluster.log("daemon"),
            )
            started = time.monotonic()
            backfill = cluster.backfill(wanted)

            # The process of a run dies: Celery says so at once.
            first, _ = _failed_by(cluster, cluster.kill_run, "worker1", "worker2")
            # A whole worker dies, and is started anew, as containers are: nobody says so.
            busy, seconds = _failed_by(cluster, cluster.replace_worker, "worker1")
            print(f"a dead worker was noticed after {seconds:.0f} s")

            waited(
                "the backfill ended",
                lambda: (
                    cluster.backfill_status(backfill)
                    in ("COMPLETED_SUCCESS", "COMPLETED", "COMPLETED_FAILED")
                ),
                600,
            )
            print(f"the backfill took {time.monotonic() - started:.0f} s")
            runs = cluster.runs()
            print(*((run["runId"], run["status"], run["tags"]) for run in runs), sep="\n")
            assert cluster.backfill_status(backfill) == "COMPLETED_SUCCESS"
            statuses = Counter(run["status"] for run in runs)
            assert statuses == {"SUCCESS": len(runs) - 2, "FAILURE": 2}
            retries = [run for run in runs if "dagster/retry_number" in run["tags"]]
            assert {run["tags"]["dagster/parent_run_id"] for run in retries} == {
                first["runId"],
                busy["runId"],
            }
            assert all(cluster.log(name).count("succeeded in") for name in ("worker1", "worker2"))

            check = "image_scan, shard 15, check unreadable_share"
            for what in (busy["runId"], check):
                waited(f"{what} was told", lambda what=what: what in "".join(receiver.messages))
            told = "\n".join(receiver.messages)
            assert [told.count(f"/runs/{run['runId']}") for run in runs] == [
                int(run["status"] == "FAILURE") for run in runs
            ]
            assert check in told

            # A run with the tag of a queue goes to a worker that serves it.
            cluster.start_worker("gpu", DAGSTER_QUEUES="gpu")
            tagged = cluster.backfill([["image_scan"]], ["00"], **{"dagster-celery/queue": "gpu"})
            waited("a run by a queue's tag", lambda: cluster.backfill_status(tagged) == "COMPLETED_SUCCESS")
            assert cluster.log("gpu").count("succeeded in") == 1

            cluster.start("metrics")
            waited("the metrics are served", lambda: cluster.answers("metrics"))
            with urllib.request.urlopen(f"http://127.0.0.1:{cluster.ports['metrics']}/metrics") as answer:
                assert b"rakuten_" in answer.read()
        outputs = {
            path.name: read_bytes(path)
            for path in (storage / "outputs").iterdir()
            if path.suffix in (".npy", ".parquet")
        }
        assert outputs == calm_outputs
        assert server.requests


def _failed_by(
    cluster: Cluster, kill: Callable[[str], None], *workers: str
) -> tuple[dict[str, object], float]:
    """A run that failed because something of its worker was killed, and after how many seconds that was noticed."""
    while True:
        worker, run = waited("a run over shards", lambda: _under_way(cluster, *workers))
        kill(worker)
        killed_at = time.monotonic()
        ended = waited("the killed run ended", functools.partial(_end_of, cluster, run), NOTICED)
        if ended == "FAILURE":  # else it had ended well just before
            return run, time.monotonic() - killed_at


def _end_of(cluster: Cluster, run: dict[str, object]) -> str | None:
    (status,) = (one["status"] for one in cluster.runs() if one["runId"] == run["runId"])
    return str(status) if status in ("SUCCESS", "FAILURE") else None


def _under_way(cluster: Cluster, *workers: str) -> tuple[str, dict[str, object]] | None:
    """A worker, and the run over shards that it is at: something of the run was logged there."""
    for run in _shard_runs(cluster, "STARTED"):
        for worker in workers:
            if str(run["runId"]) in cluster.log(worker):
                return worker, run
    return None
