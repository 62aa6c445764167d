from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config

from rakuten_assets.backbones import find_backbone
from rakuten_assets.defs.cluster.launcher import LOOKS
from rakuten_assets.deploy.__main__ import main
from rakuten_assets.deploy.writing import deployment_files, write_deployment
from rakuten_assets.errors import DeploymentError
from rakuten_assets.settings import variable_names

FILES = deployment_files(workers=3, shards_per_run=5)
COMPOSE: dict[str, Any] = yaml.safe_load(FILES["compose.yaml"])
ROLES = {"code", "webserver", "daemon", "worker", "gpu-worker", "metrics"}
TEMPLATE = {
    line.partition("=")[0]: line.partition("=")[2]
    for line in FILES["environment.template"].splitlines()
    if line and not line.startswith("#")
}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_runs_its_start_script_without_rights(role: str) -> None:
    service = COMPOSE["services"][role]
    (command,) = service["command"]
    assert command.removeprefix("/opt/") in FILES
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] != "0"
    assert "ports" not in service  # the interface has no login: only the proxy leads to it


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_role_keeps_images_in_a_volume_that_it_may_write(role: str) -> None:
    service = COMPOSE["services"][role]
    (volume,) = service["volumes"]
    name, _, folder = volume.partition(":")
    assert name in COMPOSE["volumes"]
    assert service["environment"]["XDG_CACHE_HOME"] == folder
    assert f"install --directory --owner {service['user']} {folder}" in FILES["Dockerfile"]


def test_every_start_script_is_a_role() -> None:
    scripts = {name.removeprefix("start/") for name in FILES if name.startswith("start/")}
    assert scripts == {COMPOSE["services"][role]["command"][0].rpartition("/")[2] for role in ROLES}


def test_what_is_reachable_is_so_from_this_host_alone() -> None:
    published = {
        name: port for name, service in COMPOSE["services"].items() for port in service.get("ports", [])
    }
    assert set(published) == {"proxy", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in published.values())
    assert "auth_basic " in FILES["proxy/nginx.conf"]


def test_every_variable_that_compose_reads_is_in_the_template() -> None:
    named = set(re.findall(r"\$\{([A-Z_]+)", FILES["compose.yaml"]))
    explained = set(re.findall(r"[A-Z][A-Z_]{3,}", FILES["environment.template"]))
    assert named <= explained
    assert TEMPLATE.keys() <= named


def test_no_secret_has_a_value_and_none_may_be_left_out() -> None:
    secrets = [name for name in TEMPLATE if name.endswith(("PASSWORD", "LOGIN"))]
    assert len(secrets) == 5
    for name in secrets:
        assert TEMPLATE[name] == ""
        assert not re.findall(rf"\$\{{{name}(?!:\?)", FILES["compose.yaml"])
    text = "\n".join(FILES.values())
    assert not re.search(r"(?i)password: *['\"]?[a-z0-9]", text)


def test_settings_of_the_template_are_settings_of_the_project() -> None:
    ours = {name for name in TEMPLATE if name.startswith("RAKUTEN_")}
    assert ours
    assert ours <= set(variable_names())


def test_dagster_takes_its_file_and_a_dead_worker_is_noticed_in_two_minutes(tmp_path: Path) -> None:
    write_deployment(tmp_path, workers=3)
    content, _ = dagster_instance_config(
        str(tmp_path / "dagster_home")
    )  # refuses what its schema does not know
    assert content["concurrency"]["runs"]["max_concurrent_runs"] == 3
    # By the step, a killed run's slot would stay taken, and a command at a terminal would wait for it.
    assert content["concurrency"]["pools"] == {"granularity": "run", "default_limit": 3}
    assert content["run_monitoring"]["max_resume_run_attempts"] == 0
    assert content["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert LOOKS * content["run_monitoring"]["poll_interval_seconds"] < 120


def test_workers_and_shards_are_where_they_count() -> None:
    assert COMPOSE["services"]["worker"]["deploy"]["replicas"] == 3
    assert TEMPLATE["RAKUTEN_SHARDS_PER_RUN"] == "5"


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith((".yaml", ".yml"))))
def test_yaml_is_yaml(name: str) -> None:
    assert isinstance(yaml.safe_load(FILES[name]), dict)


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith(".sh")))
def test_a_start_script_says_what_is_missing(name: str, tmp_path: Path) -> None:
    write_deployment(tmp_path)
    done = subprocess.run(
        [str(tmp_path / name)], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "DAGSTER_HOME: the folder that holds dagster.yaml" in done.stderr


def test_written_twice_is_written_once(tmp_path: Path) -> None:
    assert all(write_deployment(tmp_path / "new").values())
    assert not any(write_deployment(tmp_path / "new").values())


def test_what_somebody_changed_is_not_replaced(tmp_path: Path) -> None:
    write_deployment(tmp_path)
    changed, gone = tmp_path / "compose.yaml", tmp_path / "prometheus.yml"
    changed.write_text("mine")
    gone.unlink()
    with pytest.raises(DeploymentError, match=r"compose\.yaml is there"):
        write_deployment(tmp_path)
    assert changed.read_text() == "mine"
    assert not gone.exists()


def test_the_command_tells_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "deployment"), "--workers", "4"]) == 0
    said = capsys.readouterr().out
    assert f"{len(FILES)} files written" in said
    assert "docker compose up" in said
    assert "max_concurrent_runs: 4" in (tmp_path / "deployment/dagster_home/dagster.yaml").read_text()


def test_a_place_that_cannot_be_written_is_told_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for place in ("/proc/x", str(tmp_path / "file"), str(tmp_path / "file" / "deep")):
        assert main([place]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {place} cannot be written: ")
        assert line.endswith("name another folder")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "rakuten_assets.deploy", str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["start/webserver.sh", "start/daemon.sh", "start/worker.sh"])
def test_a_start_script_names_the_address_that_is_missing(name: str, tmp_path: Path) -> None:
    write_deployment(tmp_path)
    environment = {"PATH": "/usr/bin:/bin", "DAGSTER_HOME": str(tmp_path / "dagster_home")}
    done = subprocess.run([str(tmp_path / name)], env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "DAGSTER_POSTGRES_URL: postgresql+psycopg2://" in done.stderr


@pytest.mark.parametrize(("value", "expected"), [("", False), ("0", False), ("1", True), ("true", True)])
def test_read_only_is_what_the_variable_says(value: str, expected: bool, tmp_path: Path) -> None:
    write_deployment(tmp_path)
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "dagster-webserver"
    stand_in.write_text('#!/bin/sh\necho "$@"\n')
    stand_in.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "DAGSTER_HOME": str(tmp_path / "dagster_home"),
        "DAGSTER_POSTGRES_URL": "postgresql+psycopg2://x",
        "DAGSTER_READ_ONLY": value,
    }
    done = subprocess.run(
        [str(tmp_path / "start/webserver.sh")], env=environment, capture_output=True, text=True
    )
    assert ("--read-only" in done.stdout) is expected
    assert "--workspace" in done.stdout


def test_the_checkout_is_the_packages_own_from_wherever_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = deployment_files(workers=3, shards_per_run=5)["environment.template"]
    assert text == FILES["environment.template"]
    project = Path(TEMPLATE["PROJECT_DIR"])
    assert (project / "pyproject.toml").is_file()
    assert (project / "rakuten_assets" / "deploy").is_dir()


def test_the_weights_of_the_templates_backbone_need_no_network() -> None:
    assert find_backbone(TEMPLATE["RAKUTEN_BACKBONE"]).brings_weights


@pytest.mark.parametrize("arguments", [[""], ["x", "--workers", "x"], ["x", "--workers", "0"]])
def test_an_argument_that_cannot_be_meant_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert re.search("name a folder|is not a whole number from 1 to 4,096", capsys.readouterr().err)
    assert not list(tmp_path.iterdir())
