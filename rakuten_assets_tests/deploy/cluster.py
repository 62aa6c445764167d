"""The deployment of `rakuten_assets.deploy` without containers: its own start scripts, one process a role."""

from __future__ import annotations

import functools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from rakuten_assets.deploy.writing import write_deployment

Value = TypeVar("Value")

PATIENCE = 240.0  # seconds until something that must happen has happened


@dataclass
class Cluster:
    """Attributes:
    folder: logs, and what `write_deployment` wrote.
    environment: of every role.
    """

    folder: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, script: str = "", **environment: str) -> None:
        """Start a role by its script; `name` is that of its log."""
        command = [str(self.folder / "start" / f"{script or name}.sh")]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env={**self.environment, **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_worker(self, name: str, **environment: str) -> None:
        self.start(name, "worker", DAGSTER_WORKER_NAME=f"{name}@test", **environment)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")

    def kill(self, name: str) -> None:
        """A role and all its processes, with -9."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait()

    def kill_run(self, name: str) -> None:
        """The process of a worker that has a run, with -9."""
        for process in psutil.Process(self.processes[name].pid).children(recursive=True):
            process.kill()

    def replace_worker(self, name: str) -> None:
        """Kill a worker with -9, and start another one of the same name."""
        self.kill(name)
        self.start_worker(name)

    def ask(self, query: str, **variables: Any) -> Any:
        """What Dagster's interface answers to a GraphQL query."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['webserver']}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = json.load(answer)
        assert "errors" not in content, content
        return content["data"]

    def answers(self, name: str) -> bool:
        """Whether somebody listens on a role's port."""
        with socket.socket() as one:
            one.settimeout(1)
            return one.connect_ex(("127.0.0.1", self.ports[name])) == 0

    def runs(self) -> list[dict[str, Any]]:
        """Every run, the oldest first: runId, status, tags as a mapping."""
        found = self.ask("{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }")
        runs = found["runsOrError"]["results"][::-1]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]

    def backfill(self, assets: list[list[str]], shards: list[str] | None = None, **tags: str) -> str:
        """Launch a backfill of these assets, of some partitions or all; its id."""
        chosen = {"allPartitions": True} if shards is None else {"partitionNames": shards}
        found = self.ask(
            """mutation ($params: LaunchBackfillParams!) {
                launchPartitionBackfill(backfillParams: $params) {
                    __typename
                    ... on LaunchBackfillSuccess { backfillId }
                    ... on PythonError { message }
                } }""",
            params={
                "assetSelection": [{"path": path} for path in assets],
                "tags": [{"key": key, "value": value} for key, value in tags.items()],
                **chosen,
            },
        )["launchPartitionBackfill"]
        assert found["__typename"] == "LaunchBackfillSuccess", found
        return str(found["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        found = self.ask(
            "query ($id: String!) { found: partitionBackfillOrError(backfillId: $id) "
            "{ ... on PartitionBackfill { status } } }",
            id=backfill,
        )
        return str(found["found"]["status"])


def waited(what: str, look: Callable[[], Value], seconds: float = PATIENCE) -> Value:
    """What `look` gives once it gives something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"within {seconds:.0f} s: {what}")


@contextmanager
def running_cluster(environment: Mapping[str, str], workers: int, shards_per_run: int) -> Iterator[Cluster]:
    """Postgres, Redis, code server, webserver, daemon and workers ("worker1", ...), all on loopback.

    Args:
        environment: settings, and where the bucket is.
    """
    with ExitStack() as stack:
        # Not below pytest's own folder: the user that Postgres runs as may not enter that.
        folder = Path(tempfile.mkdtemp(prefix="rakuten_cluster_"))
        folder.chmod(0o755)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        write_deployment(folder, workers, shards_per_run)
        ports = {name: _free_port() for name in ("postgres", "redis", "code", "webserver", "metrics")}
        cluster = Cluster(
            folder,
            {
                **environment,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "DAGSTER_HOME": str(folder / "dagster_home"),
                "DAGSTER_SCRATCH": str(folder / "scratch"),
                "DAGSTER_POSTGRES_URL": f"postgresql+psycopg2://dagster@127.0.0.1:{ports['postgres']}/postgres",
                "DAGSTER_BROKER_URL": f"redis://127.0.0.1:{ports['redis']}/0",
                "DAGSTER_CODE_HOST": "127.0.0.1",
                "DAGSTER_CODE_PORT": str(ports["code"]),
                "DAGSTER_WEBSERVER_PORT": str(ports["webserver"]),
                "DAGSTER_METRICS_PORT": str(ports["metrics"]),
            },
            ports=ports,
        )
        stack.callback(_stop, cluster)
        _start_postgres(cluster)
        _start_redis(cluster)
        for name in ("postgres", "redis"):
            waited(f"{name} answers", functools.partial(cluster.answers, name))
        cluster.start("code-server")
        waited("the code server answers", lambda: cluster.answers("code"))
        cluster.start("webserver")
        for number in range(1, workers + 1):
            cluster.start_worker(f"worker{number}")
        waited("the webserver answers", lambda: cluster.answers("webserver"))
        cluster.start("daemon")
        try:
            yield cluster
        except BaseException:
            for name in cluster.processes:
                print(f"--- {name}\n{cluster.log(name)[-3000:]}")
            raise


def _start_postgres(cluster: Cluster) -> None:
    home = cluster.folder / "postgres"
    home.mkdir()
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # Postgres refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data = home / "data"
    initdb, postgres = _program("initdb"), _program("postgres")
    made = [initdb, "--pgdata", str(data), "--username", "dagster", "--auth", "trust", "--no-sync"]
    subprocess.run(made, check=True, cwd=home, stdout=subprocess.DEVNULL, **user)
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(home),
        "fsync": "off",
        "max_connections": "200",
    }
    command = [postgres, "-D", str(data), "-p", str(cluster.ports["postgres"])]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (cluster.folder / "postgres.log").open("wb") as log:
        cluster.processes["postgres"] = subprocess.Popen(
            command, cwd=home, stdout=log, stderr=log, start_new_session=True, **user
        )


def _start_redis(cluster: Cluster) -> None:
    command = [_program("redis-server"), "--port", str(cluster.ports["redis"]), "--bind", "127.0.0.1"]
    command += ["--save", "", "--appendonly", "no", "--dir", str(cluster.folder)]
    with (cluster.folder / "redis.log").open("wb") as log:
        cluster.processes["redis"] = subprocess.Popen(
            command, cwd=cluster.folder, stdout=log, stderr=log, start_new_session=True
        )


def _program(name: str) -> str:
    found = find_program(name)
    assert found is not None
    return found


def find_program(name: str) -> str | None:
    """Where a server's program lies; Debian keeps those of Postgres out of the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or next(map(str, installed), None)


def _stop(cluster: Cluster) -> None:
    # Services last: what stops writes its last events.
    for name in reversed(list(cluster.processes)):
        process = cluster.processes[name]
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
