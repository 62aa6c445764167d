"""The machine's part of a fingerprint: told apart by kind of CPU, and the same everywhere where it is portable."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines import numerics
from rakuten_assets.extraction.engines.choice import EngineChoice, choose_engine
from rakuten_assets.extraction.engines.numerics import numeric_profile, uses_blocked_kernels
from rakuten_assets.runtime.machine import cpu_features
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import MakeImages

B0, CONVNEXT = find_backbone("efficientnet_b0"), find_backbone("convnext_tiny")
NATIVE = EngineChoice("openvino", "cpu", "f32", 2, 0)
PORTABLE = EngineChoice("openvino", "cpu", "f32", 2, 0, "portable")

AVX2 = ["avx", "avx2"]
AVX512 = [*AVX2, "avx512f", "avx512bw"]
AMX = [*AVX512, "amx_tile", "amx_bf16"]


def machine(monkeypatch: pytest.MonkeyPatch, features: list[str], cap: str = "") -> None:
    monkeypatch.setattr(numerics, "cpu_features", lambda: features)
    monkeypatch.setenv(numerics.CAP, cap)


@pytest.mark.parametrize(
    ("features", "cap", "kernels", "used"),
    [
        (AVX2, "", "default", "avx2"),
        (AVX512, "", "blocked", "avx512"),
        (AMX, "", "default", "avx512+amx"),
        (AMX, "AVX512_CORE", "blocked", "avx512"),
        (AVX512, "avx2", "default", "avx2"),
        (AVX512, "AVX512_CORE_AMX", "default", "avx512_core_amx"),
        (AVX2, "AVX512_CORE", "default", "avx2"),
        (["asimd"], "", "default", "asimd"),
        ([], "", "default", "other"),
    ],
)
def test_kinds_of_machines_are_told_apart(
    features: list[str], cap: str, kernels: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, features, cap)
    profile = numeric_profile(B0, NATIVE)
    assert (profile.kernels, profile.instruction_set) == (kernels, used)
    assert profile.decoders.keys() == {"simplejpeg", "pillow"}


@pytest.mark.parametrize(
    ("features", "cap", "used"),
    [
        (AVX2, "", "avx2"),
        ([*AVX2, "avx_vnni"], "", "avx2+vnni"),
        ([*AVX2, "avx_vnni"], "AVX2", "avx2"),
        (AVX512, "", "avx512"),
        ([*AVX512, "avx512_vnni"], "", "avx512+vnni"),
        ([*AVX512, "avx512_vnni"], "AVX512_CORE", "avx512"),
        ([*AVX512, "avx512_vnni"], "AVX512_CORE_VNNI", "avx512+vnni"),
        ([*AVX512, "avx512_vnni"], "AVX2", "avx2"),
        ([*AMX, "avx512_vnni"], "", "avx512+amx"),
        (["asimd"], "", "asimd"),
    ],
)
def test_products_of_bytes_tell_more_kinds_of_machines_apart(
    features: list[str], cap: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, features, cap)
    profile = numeric_profile(B0, dataclasses.replace(NATIVE, precision="int8"))
    assert (profile.kernels, profile.instruction_set) == ("default", used)
    assert "vnni" not in numeric_profile(B0, NATIVE).instruction_set


def test_portable_is_one_profile_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for features in (AVX2, AVX512, AMX):
        for cap in ("", "AVX2", "AVX512_CORE"):
            machine(monkeypatch, features, cap)
            found.append(numeric_profile(B0, PORTABLE))
    assert {json.dumps(profile.as_dict()) for profile in found} == {json.dumps(found[0].as_dict())}
    assert (found[0].kernels, found[0].instruction_set) == ("default", "avx2")


def test_kernels_are_wished_for_by_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, AVX512)
    assert uses_blocked_kernels(B0, NATIVE)
    assert not uses_blocked_kernels(CONVNEXT, NATIVE)
    assert not uses_blocked_kernels(B0, PORTABLE)


def test_portable_is_refused_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, AVX512)
    monkeypatch.setitem(sys.modules, "openvino", object())
    with pytest.raises(EngineError, match="already in use by this process with its native kernels"):
        numerics.hold_to_portable_kernels()
    machine(monkeypatch, ["avx"], "AVX2")
    with pytest.raises(EngineError, match="this CPU has no AVX2"):
        numerics.hold_to_portable_kernels()
    for knobs in ({"engine": "torch"}, {"precision": "bf16"}):
        with pytest.raises(
            EngineError, match="RAKUTEN_NUMERICS=portable holds for the openvino engine in f32"
        ):
            choose_engine(Settings(numerics="portable", device="cpu", **knobs))


_CHILD = """
import sys, numpy as np
from pathlib import Path
from upath import UPath
from rakuten_assets.extraction.pipeline import Extractor
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import sha256_of
files = sorted(Path(sys.argv[2]).glob("*.jpg"))
settings = Settings(storage=UPath(sys.argv[1]), numerics=sys.argv[3])
for name in sys.argv[5:]:
    with Extractor.open(settings, name, log=lambda message: None) as extractor:
        out = np.empty((len(files), extractor.feature_dim), np.float32)
        extractor.extract(files, sha256_of(files), out)
        print(extractor.fingerprint.digest)
    np.save(f"{sys.argv[4]}-{name}.npy", out)
"""


@pytest.mark.slow
@pytest.mark.skipif("avx512f" not in cpu_features(), reason="only a CPU with AVX-512 can play one without")
def test_portable_rows_are_the_same_on_emulated_cpus_and_native_ones_are_never_mixed(
    tmp_path: Path, make_images: MakeImages
) -> None:
    """One fingerprint, one set of bits: in `native` mode each kind of CPU has its own of both."""
    folder = make_images(24)[0].parent
    names = ("efficientnet_b0", "efficientnet_lite0", "resnet18")

    def rows(numerics_: str, cap: str) -> dict[str, tuple[str, Any]]:
        # One storage (converted models, seeded weights) for all, as machines that share a bucket have.
        where = f"{tmp_path}/{numerics_}-{cap}"
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("RAKUTEN", "ONEDNN"))
        }
        for segment in (tmp_path / "storage" / "cache").glob("rows/*/*.safetensors"):
            segment.unlink()
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(tmp_path / "storage"), str(folder), numerics_, where, *names],
            env=clean | ({numerics.CAP: cap} if cap else {}),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        digests = done.stdout.split()
        return {
            name: (digest, np.load(f"{where}-{name}.npy"))
            for name, digest in zip(names, digests, strict=True)
        }

    caps = ("AVX2", "AVX512_CORE", "")
    portable, native = ([rows(kind, cap) for cap in caps] for kind in ("portable", "native"))
    for name in names:
        assert len({run[name][0] for run in portable}) == 1
        assert len({run[name][1].tobytes() for run in portable}) == 1, name
        by_digest: dict[str, set[bytes]] = {}
        for digest, features in (run[name] for run in (*portable, *native)):
            by_digest.setdefault(digest, set()).add(features.tobytes())
        assert all(len(contents) == 1 for contents in by_digest.values()), name
        narrow, wide = native[0][name], native[1][name]
        assert narrow[0] != wide[0]
        assert np.abs(narrow[1] - wide[1]).max() < 1e-4 * np.abs(wide[1]).max()
