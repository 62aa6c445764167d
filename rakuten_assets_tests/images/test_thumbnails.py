"""Small pictures: what making them takes. What they show is tested where they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

_GIANTS = """
import io
from concurrent.futures import ThreadPoolExecutor
import pytest
from PIL import Image
from rakuten_assets.images.decoding import read_header
from rakuten_assets.images.thumbnails import thumbnail_uri
def giant(side):
    file = io.BytesIO()
    Image.new("RGBA", (side, side)).save(file, "PNG", compress_level=1)
    return file.getvalue()
def field(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1]) * 1024
thumbnail_uri(giant(9), "PNG", 9)
content = giant(4500)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = field("VmRSS")
with ThreadPoolExecutor(4) as pool:
    made = list(pool.map(lambda number: thumbnail_uri(content, "PNG", 96), range(8)))
assert len(set(made)) == 1
print(field("VmHWM") - before, read_header(content).memory)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is Linux's")
def test_thumbnails_of_giants_take_no_more_memory_together_than_two_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", _GIANTS], capture_output=True, text=True, check=True)
    peak, one = map(int, done.stdout.split())
    assert peak < 2 * one
