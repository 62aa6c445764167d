"""Mutation fuzzing: whatever is done to an image file, it is a clean decode or a reason, and its own affair."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rakuten_assets.images.header import DecodeLimits
from rakuten_assets.images.reasons import REMARKS, Reason
from rakuten_assets.integrity.reading.measures import KERNELS, measure_pixels
from rakuten_assets.integrity.reading.scan import scan_images
from rakuten_assets_tests.images.pictures import encoded, flat_jpeg, noise, pillow_rgb, smooth, with_size

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about damaged tags of a TIFF

COUNT = 5000
LIMITS = DecodeLimits(max_file_bytes=1_000_000, max_pixels=50_000_000)
SEED = 20_240_229


def _jpegs() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        encoded(smooth(96, 80)),
        encoded(smooth(80, 96, 1), quality=95),
        encoded(Image.fromarray(noise(48, 48)), quality=60),
        encoded(smooth(64, 64, 2), progressive=False, subsampling="4:4:4"),
        encoded(smooth(72, 50, 3), progressive=False, restart_marker_blocks=3),
        encoded(smooth(64, 64, 4).convert("L")),
        encoded(smooth(64, 48, 5).convert("CMYK"), subsampling="4:4:4"),
        encoded(smooth(64, 64, 6), exif=exif.tobytes(), icc_profile=bytes(500), comment=b"a comment"),
        flat_jpeg(50, 50, [(4, 2), (1, 1), (1, 1)]),
    ]


def _others() -> list[bytes]:
    frames = [smooth(40, 30, seed) for seed in range(3)]
    return [
        *(encoded(smooth(48, 48), kind) for kind in ("PNG", "GIF", "WEBP", "BMP", "TIFF")),
        encoded(smooth(48, 48).convert("P"), "PNG"),
        encoded(smooth(48, 48), "TIFF", compression="tiff_lzw"),
        encoded(smooth(48, 48), "WEBP", lossless=True),
        *(
            encoded(frames[0], kind, save_all=True, append_images=frames[1:])
            for kind in ("GIF", "WEBP", "PNG")
        ),
        b"The quick brown fox jumps over the lazy dog. " * 40,
        b"<!DOCTYPE html><html><body>404</body></html>",
        bytes(2000),
    ]


def _flip_bits(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _truncate(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def _overwrite(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    patch = chance.choice(
        [bytes(16), b"\xff" * 16, chance.randbytes(16), b"\xff\xd9", b"\xff\xda", b"\xff\xd8"]
    )
    return content[:start] + patch + content[start + len(patch) :]


def _splice(content: bytes, chance: random.Random) -> bytes:
    other = chance.choice(ALL)
    return content[: chance.randrange(len(content))] + other[chance.randrange(len(other)) :]


def _cut_out(content: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[:start] + content[end:]


def _repeat(content: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[:end] + content[start:end] * chance.randrange(1, 5) + content[end:]


def _insert(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    return content[:start] + chance.randbytes(chance.choice([1, 4, 300])) + content[start:]


def _append(content: bytes, chance: random.Random) -> bytes:
    return content + chance.choice([chance.randbytes(50), chance.choice(ALL), b"\xff\xd9"])


def _lie_about_size(content: bytes, chance: random.Random) -> bytes:
    sides = [0, 1, 47, 97, 1000, 7000, 65_535]
    jpeg = chance.choice(JPEGS)
    return with_size(jpeg, *chance.choice([(65_535, 65_535), (chance.choice(sides), chance.choice(sides))]))


def _lie_about_a_segment(content: bytes, chance: random.Random) -> bytes:
    jpeg = chance.choice(JPEGS)
    marker = chance.choice(
        [b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xdb", b"\xff\xda", b"\xff\xe0", b"\xff\xe1"]
    )
    start = jpeg.find(marker)
    if start < 0:
        return jpeg
    place = start + chance.randrange(2, 16)
    return jpeg[:place] + chance.randbytes(chance.choice([1, 2])) + jpeg[place + chance.choice([0, 1, 2]) :]


def _leave(content: bytes, chance: random.Random) -> bytes:
    return content


JPEGS = _jpegs()
ALL = JPEGS + _others()
MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    _flip_bits,
    _truncate,
    _overwrite,
    _splice,
    _cut_out,
    _repeat,
    _insert,
    _append,
    _lie_about_size,
    _lie_about_a_segment,
    _leave,
]


def _mutants(count: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    mutants = []
    for number in range(count):
        content = chance.choice(JPEGS if number % 4 else ALL)
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            content = chance.choice(MUTATIONS)(content, chance) or b"\xff"
        mutants.append(content)
    return mutants


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("mutants")
    files = []
    for number, content in enumerate(_mutants(COUNT, SEED)):
        file = folder / f"{number:04d}.jpg"
        file.write_bytes(content)
        files.append(file)
    return files


@pytest.fixture(scope="module")
def scanned(mutants: list[Path]) -> pd.DataFrame:
    KERNELS.compiled()
    before = _peak_memory()
    frame = scan_images(mutants, LIMITS, workers=2)
    assert _peak_memory() - before < 300 << 20, "something takes the memory that a header claims"
    return frame


def _peak_memory() -> int:
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def test_every_mutant_is_whole_or_has_a_reason(scanned: pd.DataFrame) -> None:
    assert len(scanned) == COUNT
    ok = scanned["status"] == "ok"
    assert set(scanned.loc[~ok, "status"]) == {"unreadable"}
    assert set(scanned.loc[~ok, "reason"]) <= set(Reason) - REMARKS
    assert set(scanned.loc[ok, "reason"]) <= REMARKS
    assert (scanned.loc[~ok, "detail"] != "").all()
    assert (scanned.loc[ok, "pixel_sha256"] != "").all()
    # The mutations reach the whole taxonomy that bytes alone can reach.
    counts = Counter(scanned["reason"])
    wanted = {
        "",
        "truncated",
        "corrupt_scan",
        "decoder_warning",
        "not_an_image",
        "too_many_pixels",
        "wrong_format",
    }
    wanted |= {"trailing_bytes", "animated", "unsupported_mode"}
    assert wanted <= set(counts), counts
    assert 0.1 < ok.mean() < 0.5


def test_what_is_whole_has_pillows_pixels(mutants: list[Path], scanned: pd.DataFrame) -> None:
    whole = np.flatnonzero(scanned["status"] == "ok")
    disagreements = []
    for number in whole:
        try:
            rgb = np.ascontiguousarray(pillow_rgb(mutants[number].read_bytes()))
            expected = measure_pixels(rgb).pixel_sha256
        except (OSError, SyntaxError, ValueError) as error:
            expected = repr(error)
        if expected != scanned.loc[number, "pixel_sha256"]:
            disagreements.append((number, expected))
    assert not disagreements


def test_no_file_changes_the_result_of_another(mutants: list[Path], scanned: pd.DataFrame) -> None:
    order = np.random.default_rng(1).permutation(COUNT)
    shuffled = scan_images([mutants[number] for number in order], LIMITS, workers=1)
    expected = scanned.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(shuffled, expected, check_exact=True)


def test_healthy_files_among_mutants_are_healthy(mutants: list[Path], tmp_path: Path) -> None:
    healthy = [tmp_path / f"healthy_{number}.jpg" for number in range(len(JPEGS))]
    for file, content in zip(healthy, JPEGS, strict=True):
        file.write_bytes(content)
    alone = scan_images(healthy, LIMITS, workers=1)
    assert set(alone["status"]) == {"ok"}
    mixed = [file for pair in zip(mutants[: 50 * len(healthy)], healthy * 50, strict=True) for file in pair]
    among = scan_images(mixed, LIMITS, workers=2).iloc[1::2].reset_index(drop=True)
    repeated = pd.concat([alone] * 50, ignore_index=True)
    pd.testing.assert_frame_equal(among, repeated, check_exact=True)
