"""Commands as processes, on terminals that are closed, full, gone or unable to show a letter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rakuten_assets
from rakuten_assets_tests.images.pictures import encoded
from rakuten_assets_tests.integrity.gallery import product, save

_COMMAND = """
import sys
from rakuten_assets.runtime.console import run_command

def main():
    for _ in range(int(sys.argv[2])):
        print("図面 é", flush=sys.argv[2] == "3")
    print("said", file=sys.stderr)
    if sys.argv[1] == "defect":
        raise RuntimeError("who would have thought")
    if sys.argv[1] == "memory":
        raise MemoryError
    return int(sys.argv[1])

sys.exit(run_command(main))
"""


def shell(redirection: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = " ".join(f"'{argument}'" for argument in (sys.executable, *arguments))
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="latin-1",
        timeout=120,
    )


@pytest.mark.parametrize(("status", "lines"), [("0", "3"), ("2", "20000")])
@pytest.mark.parametrize(
    "redirection", ["| head -0", "| head -1", ">&-", "2>&-", ">&- 2>&-", "<&-", "> /dev/full"]
)
def test_the_status_is_the_commands_own_whatever_becomes_of_its_output(
    redirection: str, status: str, lines: str
) -> None:
    done = shell(redirection, "-c", _COMMAND, status, lines)
    assert done.returncode == int(status), done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    lost = redirection == "> /dev/full"
    assert (
        "standard output cannot be written: No space left on device; lines of it are lost" in done.stderr
    ) == lost


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "ascii:strict"])
def test_a_letter_that_the_terminal_cannot_show_is_escaped(encoding: str) -> None:
    done = shell("", "-c", _COMMAND, "0", "1", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("\\u56f3\\u9762")


@pytest.mark.parametrize(
    ("fault", "said"), [("defect", "who would have thought"), ("memory", "not enough memory")]
)
def test_what_nobody_expected_is_not_a_finding(fault: str, said: str) -> None:
    done = shell("", "-c", _COMMAND, fault, "1")
    assert done.returncode == 70
    assert said in done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("error: ")


@pytest.mark.slow
@pytest.mark.parametrize("redirection", ["| head -0", "> /dev/full", ">&-", "2>&-", ""])
def test_the_integrity_command_writes_its_report_for_no_listener(tmp_path: Path, redirection: str) -> None:
    save(tmp_path / "図面", {"a.jpg": product(1), "b.jpg": encoded(product(2))[:700]})
    out = tmp_path / "é out"
    arguments = ("-m", "rakuten_assets.integrity", str(tmp_path / "図面"), "--out", str(out))
    done = shell(redirection, *arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (out / "report.html").is_file()
    found = shell(
        redirection, *arguments, "--fail-on", "unreadable", PYTHONIOENCODING="cp1252", PYTHONUTF8="0"
    )
    assert found.returncode == 1


def test_every_command_is_run_this_way() -> None:
    commands = list(Path(rakuten_assets.__file__).parent.rglob("__main__.py"))
    assert len(commands) >= 3
    for path in commands:
        assert path.read_text().rstrip().endswith("sys.exit(run_command(main))"), path
