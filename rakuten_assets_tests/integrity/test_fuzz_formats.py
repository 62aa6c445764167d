"""Mutated files of every accepted format, under a limit of memory and on four threads: each becomes a row.

The usual run takes 1,200 files. This one takes as many as it says (`FUZZ_SEED=7`: others) and prints figures:

    FUZZ_FILES=20000 python -m pytest rakuten_assets_tests/integrity/test_fuzz_formats.py -s
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from rakuten_assets.images.reasons import Reason
from rakuten_assets_tests.images.pictures import encoded, flat_jpeg, smooth, with_size

COUNT, SEED = int(os.environ.get("FUZZ_FILES", "1200")), int(os.environ.get("FUZZ_SEED", "20261127"))
MEMORY = 1_000_000_000
THREADS = 4

_SCAN = """
import json, resource, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.integrity.reading.measures import KERNELS
from rakuten_assets.integrity.reading.scan import scan_images
memory, threads, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
KERNELS.compiled()
def field(name):
    line = next(line for line in open("/proc/self/status") if line.startswith(name))
    return int(line.split()[1]) * 1024
# What is reserved and not resident (code, stacks) does not count: what may be added keeps the process under the limit.
limit = field("VmSize") + memory - field("VmRSS")
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
frame = scan_images(sorted(folder.iterdir()), DecodeLimits(50_000_000, 50_000_000), threads)
by_format = frame.groupby(["format", "status"]).size()
print(json.dumps({
    "rows": len(frame), "peak": field("VmHWM"), "reasons": frame["reason"].value_counts().to_dict(),
    "formats": {" ".join(key).strip(): int(count) for key, count in by_format.items()},
    "failures": frame.loc[frame["reason"].isin(["decoder_failure"]), "detail"].unique().tolist(),
}))
"""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _sources() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description " * 20
    about = {"exif": exif.tobytes(), "icc_profile": bytes(range(256)) * 4}
    text = PngImagePlugin.PngInfo()
    text.add_text("notes", "words " * 300, zip=True)
    text.add_itxt("more", "mots")
    frames = [smooth(40, 30, seed) for seed in range(3)]
    several = {"save_all": True, "append_images": frames[1:]}
    picture = smooth(60, 45)
    return [
        encoded(picture, **about, comment=b"a comment"),
        encoded(picture, progressive=False, subsampling="4:4:4"),
        encoded(picture.convert("CMYK"), subsampling="4:4:4"),
        encoded(picture.convert("L"), restart_marker_blocks=2, progressive=False),
        flat_jpeg(50, 50, [(4, 2), (1, 1), (1, 1)]),
        *(encoded(picture.convert(mode), "PNG", pnginfo=text, **about) for mode in ("RGB", "RGBA", "P", "LA", "1")),
        encoded(frames[0], "PNG", **several),
        encoded(Image.new("I;16", (20, 20), 77), "PNG"),
        encoded(picture.convert("P"), "GIF", comment=b"a comment", transparency=3),
        encoded(frames[0], "GIF", disposal=2, duration=20, loop=0, **several),
        encoded(picture, "WEBP", **about),
        encoded(picture.convert("RGBA"), "WEBP", lossless=True),
        encoded(frames[0], "WEBP", **several),
        *(encoded(picture.convert(mode), "BMP") for mode in ("RGB", "P", "1", "RGBA")),
        *(encoded(picture, "TIFF", compression=name, **about)
          for name in (None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
        encoded(picture.convert("CMYK"), "TIFF"),
        encoded(picture.convert("1"), "TIFF", compression="group4"),
        encoded(picture, "TIFF", big_tiff=True),
        encoded(frames[0], "TIFF", **several),
    ]  # fmt: skip


SOURCES = _sources()
_NUMBERS = [0, 1, 2, 255, 256, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1]


def _flip(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8, 40])):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _flip_in_header(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 2, 4])):
        damaged[chance.randrange(min(len(damaged), 400))] = chance.randrange(256)
    return bytes(damaged)


def _lie(content: bytes, chance: random.Random) -> bytes:
    """A number of two or four bytes in the header becomes another one."""
    form = chance.choice(["<H", ">H", "<I", ">I"])
    size = struct.calcsize(form)
    if len(content) <= size:
        return content
    at = chance.randrange(min(len(content) - size, 300))
    number = struct.pack(form, chance.choice(_NUMBERS) % (1 << 8 * size))
    return content[:at] + number + content[at + size :]


def _lie_about_size(content: bytes, chance: random.Random) -> bytes:
    sides = [0, 1, 61, 1000, 6000, 9000, 30_000, 65_535, 2**31 - 1]
    width, height = chance.choice(sides), chance.choice(sides)
    if content.startswith(b"\x89PNG") and len(content) > 33:
        return (
            content[:8] + _chunk(b"IHDR", struct.pack(">II", width, height) + content[24:29]) + content[33:]
        )
    if content.startswith(b"GIF"):
        small = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
        frame = content.find(b",", 13)
        content = content[:6] + small + content[10:]
        return (
            content[: frame + 5] + small + content[frame + 9 :]
            if frame > 0 and chance.random() < 0.5
            else content
        )
    if content.startswith(b"BM"):
        return content[:18] + struct.pack("<II", width, height) + content[26:]
    if content[8:12] == b"WEBP" and content[12:16] == b"VP8X":
        return (
            content[:24]
            + struct.pack("<I", width % 2**24)[:3]
            + struct.pack("<I", height % 2**24)[:3]
            + content[30:]
        )
    if content.startswith(b"II*\0") and len(content) > 60:
        damaged = bytearray(content)
        (at,) = struct.unpack_from("<I", content, 4)
        for entry in range(at + 2, min(at + 300, len(content) - 12), 12):
            tag = int.from_bytes(content[entry : entry + 2], "little")
            if tag in (256, 257, 278, 322, 323) and chance.random() < 0.7:
                damaged[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, chance.choice(sides))
        return bytes(damaged)
    try:
        return with_size(content, width & 0xFFFF, height & 0xFFFF)
    except AssertionError:
        return content


def _metadata(content: bytes, chance: random.Random) -> bytes:
    """Damaged, repeated or enormous metadata, with right checksums where the format has them."""
    body = chance.choice([b"", chance.randbytes(30), bytes(40_000), zlib.compress(bytes(3_000_000))])
    if content.startswith(b"\x89PNG"):
        kind = chance.choice(
            [
                b"iCCP",
                b"zTXt",
                b"tEXt",
                b"iTXt",
                b"eXIf",
                b"tRNS",
                b"PLTE",
                b"gAMA",
                b"acTL",
                b"fcTL",
                b"pHYs",
            ]
        )
        return (
            content[:33]
            + _chunk(kind, chance.choice([b"", b"a\0\0", b"a\0"]) + body) * chance.choice([1, 3])
            + content[33:]
        )
    if content.startswith(b"\xff\xd8"):
        marker = chance.choice([0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE])
        start = chance.choice(
            [b"", b"JFIF\0\3\1", b"Exif\0\0II*\0\x08\0\0\0", b"ICC_PROFILE\0\1\1", b"Adobe\0\x64\0\0\0\0\7"]
        )
        part = (start + body)[:65_000]
        return content[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(part) + 2) + part + content[2:]
    if content[8:12] == b"WEBP":
        kind = chance.choice([b"EXIF", b"XMP ", b"ICCP", b"ANIM", b"ALPH"])
        longer = content + kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
        return longer[:4] + struct.pack("<I", len(longer) - 8) + longer[8:]
    if content.startswith(b"GIF"):
        return content[:-1] + b"!\xfe" + b"\xff" * 256 * chance.choice([1, 200]) + b"\0" + content[-1:]
    return content + body


def _truncate(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _splice(content: bytes, chance: random.Random) -> bytes:
    other = chance.choice(SOURCES)
    return content[: chance.randrange(len(content))] + other[chance.randrange(len(other)) :]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[:end] + content[start:end] * chance.randrange(1, 5) + content[end:]


def _append(content: bytes, chance: random.Random) -> bytes:
    return content + chance.choice([chance.randbytes(50), chance.choice(SOURCES), bytes(500)])


_MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    _flip, _flip_in_header, _flip_in_header, _lie, _lie, _lie_about_size, _lie_about_size, _metadata, _metadata,
    _truncate, _splice, _repeat, _append,
]  # fmt: skip


def write_mutants(folder: Path, count: int, seed: int) -> None:
    """Write mutated files; the same seed gives the same files."""
    chance = random.Random(seed)
    for number in range(count):
        content = chance.choice(SOURCES)
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            content = chance.choice(_MUTATIONS)(content, chance) or b"\xff"
        (folder / f"{number:06d}.jpg").write_bytes(content)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit and the peak of memory are Linux's")
def test_no_file_of_any_format_ends_the_scan_or_takes_the_memory(tmp_path: Path) -> None:
    write_mutants(tmp_path, COUNT, SEED)
    command = [sys.executable, "-c", _SCAN, str(MEMORY), str(THREADS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    print(json.dumps(found, indent=1))
    assert found["rows"] == COUNT
    assert found["peak"] < MEMORY
    assert set(found["reasons"]) <= set(Reason)
    assert found["failures"] == []
    for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"):
        assert found["formats"].get(f"{name} ok", 0) > 0, found["formats"]
        assert found["formats"].get(f"{name} unreadable", 0) > 0, found["formats"]
