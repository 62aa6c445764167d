import os
import subprocess
import sys
from pathlib import Path

CODE = (
    "import sys; from rakuten_assets.extraction.networks.telemetry import import_openvino as load; openvino = load(); "
    "print(sorted(name for name in sys.modules if name.startswith('openvino_telemetry')), hasattr(openvino, 'Core'))"
)


def _imported(home: Path) -> str:
    environment = {**os.environ, "HOME": str(home), "USERPROFILE": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def test_openvinos_reporter_is_not_even_imported(tmp_path: Path) -> None:
    assert _imported(tmp_path) == "[] True"
    assert list(tmp_path.iterdir()) == []


def test_a_user_may_turn_it_on(tmp_path: Path) -> None:
    (tmp_path / "intel").mkdir()
    (tmp_path / "intel" / "openvino_telemetry").write_text("0")
    assert _imported(tmp_path) == "[] True"
