"""What this process may use of the machine: cores (affinity and container limits), memory, CPU features."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_CPU_INFO = Path("/proc/cpuinfo")
_M_ARENA_MAX = -8  # mallopt's number for it, in glibc's malloc.h
# Only what decides which kernels an inference engine takes; the full list of flags says little to a reader.
_FEATURES_THAT_MATTER = (
    "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
    "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "amx_fp16", "asimd", "sve", "bf16", "i8mm",
)  # fmt: skip


def usable_cores(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """Cores that this process may keep busy: the least of its affinity and its cgroups' CPU quotas.

    A quota of one and a half cores counts as two: one thread could not spend it.

    Args:
        cgroups: where the cgroup file system is mounted (v1 and v2 are both read).
        own_cgroup: the kernel's table of this process' cgroups.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota_v2(folder) for folder in _folders(cgroups, own_cgroup, "")]
    quotas += [_quota_v1(folder) for folder in _folders(cgroups, own_cgroup, "cpu")]
    return max(1, min([cores, *(math.ceil(quota) for quota in quotas if quota is not None)]))


def usable_memory(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """Bytes of memory that this process may hold: the machine's, or its cgroups' limit where that is less."""
    limits: list[int] = [psutil.virtual_memory().total]
    for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        for folder in _folders(cgroups, own_cgroup, controller):
            words = _words(folder / name)
            if words and words[0].isdigit():
                limits.append(int(words[0]))
    return min(limits)


def cpu_features(cpu_info: Path = _CPU_INFO) -> list[str]:
    """Instruction sets that decide an inference engine's kernels, as the kernel names them; [] where unknown."""
    flags: set[str] = set()
    for key, value in _cpu_table(cpu_info):
        if key in ("flags", "features"):
            flags.update(value.split())
    return [feature for feature in _FEATURES_THAT_MATTER if feature in flags]


def cpu_model(cpu_info: Path = _CPU_INFO) -> str:
    """The processor's name for a person."""
    for key, value in _cpu_table(cpu_info):
        if key == "model name" and value:
            return value
    return platform.processor() or platform.machine() or "unknown"


def machine_summary() -> dict[str, Any]:
    """What a reader of a measurement must know of the machine; JSON-able."""
    return {
        "cpu": cpu_model(),
        "cpu_features": cpu_features(),
        "cores": os.cpu_count() or 1,
        "usable_cores": usable_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "usable_memory_bytes": usable_memory(),
        "os": platform.platform(),
        "python": platform.python_version(),
    }


def _folders(cgroups: Path, own_cgroup: Path, controller: str) -> list[Path]:
    """Folders whose limits bind this process, from its own up to the root; `controller` "" means cgroup v2."""
    try:
        lines = own_cgroup.read_text().splitlines()
    except OSError:
        return []
    folders: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        mount = cgroups / controllers if controllers else cgroups
        if not mount.is_dir():
            mount = cgroups / controller
        # Inside a container the table may show the host's path, which is not mounted here: the root is then ours.
        own = Path(path.lstrip("/"))
        folders += [mount / part for part in (own, *own.parents)]
    return folders


def _quota_v2(folder: Path) -> float | None:
    words = _words(folder / "cpu.max")
    if len(words) != 2 or not words[0].isdigit():  # "max" is no limit
        return None
    return int(words[0]) / int(words[1])


def _quota_v1(folder: Path) -> float | None:
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    if not quota or not period or not quota[0].isdigit():  # -1 is no limit
        return None
    return int(quota[0]) / int(period[0])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _cpu_table(cpu_info: Path) -> list[tuple[str, str]]:
    try:
        lines = cpu_info.read_text().splitlines()
    except OSError:
        return []
    pairs = [line.split(":", 1) for line in lines if ":" in line]
    return [(key.strip().lower(), value.strip()) for key, value in pairs]


def release_free_memory() -> None:
    """Give memory that was freed back to the system: the C library and Arrow keep it for later otherwise.

    Between two steps of one process, so that the peak is that of the largest step and not the sum of several.
    Does nothing where the C library has no way to (all but glibc).
    """
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def limit_memory_arenas() -> None:
    """Let the C library keep as many arenas of memory as there are cores; by itself it takes eight times as many.

    Threads that decode leave a few megabytes in each arena that they use: on 2 cores an extraction's peak was 5 %
    lower, at the same speed. For the whole process, and for good; without effect where it has many arenas already,
    where its environment sets their number, and where the C library is not glibc.
    """
    if "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, usable_cores())
