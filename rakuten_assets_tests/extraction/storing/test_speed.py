"""The speed that is recorded beside the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from rakuten_assets.extraction.storing.speed import Speed, recorded_speed
from rakuten_assets.extraction.storing.store import ABOUT_FILE
from rakuten_assets.storage.records import write_record

DIGEST = "d" * 64
SPEED = Speed(960, 8.0, 2, "a processor")


def _record(root: Path, about: dict[str, Any]) -> Path:
    file = root / "cache" / "rows" / DIGEST / ABOUT_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    write_record(file, about)
    return file


def test_what_was_recorded_is_read(tmp_path: Path) -> None:
    _record(tmp_path, {"engine": {}, "speed": SPEED.as_dict()})
    assert recorded_speed(UPath(tmp_path), DIGEST) == SPEED
    assert SPEED.images_per_second == 120
    assert str(SPEED) == "960 images in 8.0 s on a processor, 2 threads"


@pytest.mark.parametrize(
    "speed",
    [None, 7, [], {}, {**SPEED.as_dict(), "seconds": 0}, {**SPEED.as_dict(), "images": "many"}],
)
def test_what_is_none_is_unknown(tmp_path: Path, speed: object) -> None:
    assert recorded_speed(UPath(tmp_path), DIGEST) is None
    _record(tmp_path, {"engine": {}, "speed": speed})
    assert recorded_speed(UPath(tmp_path), DIGEST) is None


def test_a_changed_record_is_not_believed(tmp_path: Path) -> None:
    file = _record(tmp_path, {"speed": SPEED.as_dict()})
    file.write_text(file.read_text().replace("8.0", "1.0"))
    assert recorded_speed(UPath(tmp_path), DIGEST) is None
