"""The machine's part of a feature's last bits: its arithmetic, and the decoders' versions.

- `native`: the fastest exact kernels of this CPU. Two kinds of CPU give rows that agree to about 1e-6 of the largest
  feature, and are told apart by their fingerprints
- `portable`: one set of kernels that every x86-64 CPU with AVX2 has. oneDNN, which does OpenVINO's arithmetic, is held
  to AVX2, and no convolution asks for kernels of a wider instruction set
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from rakuten_assets.backbones import Backbone
from rakuten_assets.errors import EngineError
from rakuten_assets.extraction.engines.choice import EngineChoice
from rakuten_assets.runtime.machine import cpu_features

CAP = "ONEDNN_MAX_CPU_ISA"
"""The variable that oneDNN reads once, when it first chooses a kernel."""

_PORTABLE = "AVX2"
# From narrow to wide. A cap of oneDNN's that is not among them stands for itself.
_CLASSES = ("avx2", "avx512", "avx512+amx")
_CAPPED = {"AVX2": "avx2", "AVX2_VNNI": "avx2", "AVX512_CORE": "avx512", "AVX512_CORE_VNNI": "avx512",
           "AVX512_CORE_BF16": "avx512", "AVX512_CORE_FP16": "avx512"}  # fmt: skip
_VNNI = {"avx2": "avx_vnni", "avx512": "avx512_vnni"}
_WITHOUT_VNNI = ("AVX2", "AVX512_CORE")


@dataclass(frozen=True)
class NumericProfile:
    """The part of a fingerprint that a machine decides.

    Attributes:
        kernels: `blocked` or `default` convolutions of OpenVINO; `torch` where torch computes.
        instruction_set: the widest one in use, `avx2`, `avx512`, `avx512+amx` or another; in int8 `avx2+vnni` and
            `avx512+vnni` too; `cuda` on a GPU.
        decoders: the versions of what decodes: simplejpeg with its own libjpeg-turbo, Pillow with its libraries.
    """

    kernels: str
    instruction_set: str
    decoders: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def numeric_profile(backbone: Backbone, choice: EngineChoice) -> NumericProfile:
    """The profile of rows that this process would compute, found without loading an engine."""
    decoders = {"simplejpeg": version("simplejpeg"), "pillow": version("pillow")}
    if choice.device == "cuda":
        return NumericProfile("torch", "cuda", decoders)
    used = instruction_set(choice)
    if choice.engine == "torch":
        return NumericProfile("torch", used, decoders)
    return NumericProfile("blocked" if uses_blocked_kernels(backbone, choice) else "default", used, decoders)


def blocked_kernels_exist(choice: EngineChoice) -> bool:
    """Whether OpenVINO can be asked for its convolutions on blocked channels.

    They exist for AVX-512, and not in int8. Without it they are faster for some networks and slower for others; where
    there is AMX, only the others use its tiles.
    """
    native = choice.engine == "openvino" and choice.numerics == "native" and choice.precision != "int8"
    return native and instruction_set(choice) == "avx512"


def uses_blocked_kernels(backbone: Backbone, choice: EngineChoice) -> bool:
    """Whether it is asked for them: as was measured, else as the registry says."""
    wanted = choice.kernels == "blocked" if choice.kernels else backbone.blocked_kernels
    return wanted and blocked_kernels_exist(choice)


def instruction_set(choice: EngineChoice) -> str:
    """The widest instruction set that the choice's kernels may use here."""
    used = _floating_point_set(choice)
    cap = os.environ.get(CAP, "").upper()
    # Only products of bytes are added up otherwise with VNNI. AMX brings its own.
    vnni = _VNNI.get(used) in cpu_features() and cap not in _WITHOUT_VNNI
    return f"{used}+vnni" if choice.precision == "int8" and vnni else used


def _floating_point_set(choice: EngineChoice) -> str:
    own = _own_instruction_set(cpu_features())
    if choice.numerics == "portable":
        return "avx2"
    cap = os.environ.get(CAP, "").upper()
    if not cap or cap in ("ALL", "DEFAULT"):
        return own
    capped = _CAPPED.get(cap, cap.lower())
    if capped not in _CLASSES or own not in _CLASSES:
        return capped
    return min(own, capped, key=_CLASSES.index)


def hold_to_portable_kernels() -> None:
    """Make OpenVINO, which must not be loaded yet, use no instructions beyond AVX2.

    Raises:
        EngineError: OpenVINO is loaded in this process and may use others, or the CPU lacks AVX2.
    """
    if os.environ.get(CAP, "").upper() != _PORTABLE:
        if "openvino" in sys.modules:
            raise EngineError(
                "RAKUTEN_NUMERICS=portable: openvino is already in use by this process with its native kernels, which "
                f"cannot be changed; start a new process, or set {CAP}={_PORTABLE} before it starts"
            )
        os.environ[CAP] = _PORTABLE
    if "avx2" not in cpu_features():
        raise EngineError("RAKUTEN_NUMERICS=portable: this CPU has no AVX2; set RAKUTEN_NUMERICS=native")


def _own_instruction_set(features: Collection[str]) -> str:
    if "avx512f" in features:
        return "avx512+amx" if "amx_tile" in features else "avx512"
    if "avx2" in features:
        return "avx2"
    return "+".join(feature for feature in features if feature in ("asimd", "sve")) or "other"
