"""`python -m rakuten_assets.metrics` as Prometheus meets it: a process, a port, a scrape."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from prometheus_client import CollectorRegistry

from rakuten_assets.metrics.__main__ import main
from rakuten_assets.metrics.dashboard import dashboard_text
from rakuten_assets.metrics.names import METRICS, PARTS
from rakuten_assets.metrics.server import open_server
from rakuten_assets_tests.metrics.conftest import SPEED, run
from rakuten_assets_tests.metrics.scrape import scraped
from rakuten_assets_tests.readiness.conftest import EXTRACTOR, TEST, TRAIN, ReadyStorage

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def readme_command(begins: str) -> str:
    """A command that README names within its text."""
    (paragraph,) = re.findall(r"^- \*\*Metrics:\*\* .*?(?=^\S)", README, flags=re.MULTILINE | re.DOTALL)
    commands = re.findall(r"`([^`]+)`", paragraph)
    return next(command for command in commands if command.startswith(begins))


class Exporter:
    """A process that serves metrics."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.line = process.stdout.readline()
        if not self.line:
            pytest.fail(
                f"it ended with {process.wait(30)}: {process.stderr.read() if process.stderr else ''}"
            )
        found = re.fullmatch(r"metrics: (http://\S+/metrics)\n", self.line)
        assert found, self.line
        self.address = found[1]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit status, and what it said on standard error."""
        self._process.send_signal(number)
        rest, said = self._process.communicate(timeout=60)
        assert rest == "", "one line, at the start"
        return self._process.returncode, said


@contextmanager
def exporter(command: str, home: Path, **variables: str) -> Iterator[Exporter]:
    environment = {**os.environ, "DAGSTER_HOME": str(home), **variables}
    arguments = shlex.split(command)
    assert arguments[0] == "python"
    process = subprocess.Popen(
        [sys.executable, *arguments[1:]],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Exporter(process)
    finally:
        process.kill()
        process.communicate()


def test_the_readmes_command_serves_a_storage_and_its_history(
    storage: ReadyStorage, home: Path, instance: dg.DagsterInstance
) -> None:
    run(instance, "table")
    run(instance, "table", error="no disk")
    scan = storage.storage.asset_file(["image_scan"], "01", ".parquet")
    whole = scan.read_bytes()
    command = f"{readme_command('python -m rakuten_assets.metrics')} --port 0 --refresh 0 --refresh-shards 0"
    with exporter(command, home, RAKUTEN_STORAGE=str(storage.root), RAKUTEN_SHARDS="2") as running:
        assert running.address.startswith("http://127.0.0.1:"), (
            "nobody else reaches it, unless it is asked for"
        )
        first = scraped(running.address)
        scan.write_bytes(whole[:-9])
        damaged = [scraped(running.address), scraped(running.address)][-1]
        scan.write_bytes(whole)
        mended = scraped(running.address)
        status, said = running.stop()
    assert first.of("rakuten_scrape_error") == {(part,): 0 for part in PARTS}, said
    assert first.values.keys() == {metric.name for metric in METRICS}
    for metric in METRICS:
        assert (first.kinds[metric.name], first.helps[metric.name]) == ("gauge", metric.help)
    assert first.of("rakuten_scanned_images") == {("train",): TRAIN, ("test",): TEST}
    # Labels in the order of their names: reason, split.
    assert first.one("rakuten_quarantined_images", "truncated", "train") == 2
    assert (
        first.one("rakuten_extractor_images_per_second", EXTRACTOR, SPEED.machine) == SPEED.images_per_second
    )
    assert 3590 < first.one("rakuten_extractor_features_age_seconds", EXTRACTOR) < 3900
    assert first.one("rakuten_published_set_age_seconds") > 0
    assert (first.one("rakuten_shards"), first.one("rakuten_stale_shards")) == (2, 2), (
        "it has no feature shards"
    )
    assert first.one("rakuten_published_set_stale") == 1
    assert (first.one("rakuten_runs", "success"), first.one("rakuten_runs", "failure")) == (1, 1)
    assert first.of("rakuten_failing_asset_checks") == {("error",): 0, ("warn",): 0}

    assert damaged.of("rakuten_scrape_error") == {(part,): float(part == "images") for part in PARTS}
    assert not {"rakuten_scanned_images", "rakuten_quarantined_images"} & damaged.values.keys()
    assert damaged.one("rakuten_published_set_age_seconds") > 0
    assert mended.of("rakuten_scanned_images") == first.of("rakuten_scanned_images")
    assert status == 0
    told = [line for line in said.splitlines() if line.startswith("images: ")]
    assert len(told) == 2, said
    assert "image_scan/01.parquet" in told[0] and told[1] == "images: can be read again"
    again = [line for line in said.splitlines() if line.startswith("image_scan, partition 01: ")]
    assert len(again) == 1, "what Dagster's side says of the damage, at each of two readings"
    assert "Traceback" not in said


def test_without_a_storage_it_serves_what_there_is(home: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    command = f"python -m rakuten_assets.metrics --port 0 --storage {nowhere}"
    with exporter(command, home) as running:
        scrape = scraped(running.address)
        status, said = running.stop(signal.SIGINT)
    wrong = {part for (part,), value in scrape.of("rakuten_scrape_error").items() if value}
    assert wrong == {"shards", "images", "extractors", "published"}
    assert sum(scrape.of("rakuten_runs").values()) == 0
    assert scrape.one("rakuten_evaluated_asset_checks") == 0
    assert status == 0
    assert all(any(line.startswith(f"{part}: ") for line in said.splitlines()) for part in wrong)
    assert not nowhere.exists(), "it only looks"


def test_what_it_takes_to_install_is_what_readme_says() -> None:
    extra = re.search(r"-e '\.\[(\w+)\]'", readme_command("pip install"))
    assert extra is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [line.split(">")[0] for line in project["optional-dependencies"][extra[1]]] == [
        "prometheus-client"
    ]


@pytest.fixture
def with_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home))


@pytest.mark.usefixtures("with_home")
def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    said = capsys.readouterr()
    assert f"error: port {port} of 127.0.0.1 is taken" in said.err
    assert "--port" in said.err and said.out == ""


@pytest.mark.usefixtures("with_home")
@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 70])
def test_an_address_of_another_machine_is_told(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", host, "--port", "0"]) == 2
    assert f"error: --host {host} is no address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "DAGSTER_HOME is not set"),
        ("", "DAGSTER_HOME is not set"),
        ("/no/such", "must|not a directory"),
    ],
)
def test_without_a_history_it_does_not_start(
    value: str | None, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("DAGSTER_HOME", value)
    assert main(["--port", "0"]) == 2
    said = capsys.readouterr().err
    assert re.search(sentence, said) and "DAGSTER_HOME" in said and said.count("\n") == 1


def test_without_the_package_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)  # as an import finds it that is not installed
    assert main(["--port", "0"]) == 2
    assert (
        f"error: the package prometheus-client is missing; install it with: {readme_command('pip install')}\n"
        == (capsys.readouterr().err)
    )


@pytest.mark.parametrize(
    "wrong", [["--port", "65536"], ["--port", "x"], ["--refresh", "-1"], ["--refresh-shards", "nan"]]
)
def test_a_wrong_argument_is_named(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert f"argument {wrong[0]}: {wrong[1]!r} is no" in capsys.readouterr().err


def test_the_dashboard_is_printed_without_a_history(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dashboard"]) == 0
    assert capsys.readouterr().out == dashboard_text()


@pytest.fixture
def address() -> Iterator[str]:
    """Of a server without metrics, in a thread."""
    server = open_server(CollectorRegistry(), "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.url
    server.shutdown()
    server.server_close()


def test_only_the_metrics_path_reads_anything(address: str) -> None:
    with urllib.request.urlopen(address.removesuffix("metrics"), timeout=30) as answer:
        assert b"/metrics" in answer.read()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/else", timeout=30)
    with refused.value as answer:
        assert answer.code == 404
