import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rakuten_assets.runtime import machine


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def _cgroup(tmp_path: Path, table: str, files: dict[str, str]) -> tuple[Path, Path]:
    root = tmp_path / "cgroup"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    own = tmp_path / "own_cgroup"
    own.write_text(table)
    return root, own


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("table", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "9000000 100000\n"}, 8),
        ("0::/app/worker\n", {"app/worker/cpu.max": "max 100000\n", "app/cpu.max": "300000 100000\n"}, 3),
        ("0::/not/mounted/here\n", {"cpu.max": "400000 100000\n"}, 4),
        ("4:cpu,cpuacct:/a\n", {"cpu,cpuacct/a/cpu.cfs_quota_us": "25", "cpu,cpuacct/a/cpu.cfs_period_us": "10"}, 3),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("0::/\n", {"cpu.max": "garbage\n"}, 8),
        ("0::/\n", {}, 8),
    ],
)  # fmt: skip
def test_usable_cores_are_the_least_of_affinity_and_quotas(
    tmp_path: Path, table: str, files: dict[str, str], cores: int
) -> None:
    assert machine.usable_cores(*_cgroup(tmp_path, table, files)) == cores


@pytest.mark.usefixtures("eight_cores")
def test_usable_cores_without_cgroups(tmp_path: Path) -> None:
    assert machine.usable_cores(tmp_path / "none", tmp_path / "none") == 8


def test_usable_cores_follow_the_affinity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 6}, raising=False)
    assert machine.usable_cores(tmp_path, tmp_path / "none") == 3


def test_usable_memory_is_the_cgroups_where_that_is_less(tmp_path: Path) -> None:
    root, own = _cgroup(tmp_path, "0::/\n", {"memory.max": "1234567\n"})
    assert machine.usable_memory(root, own) == 1234567
    (root / "memory.max").write_text("max\n")
    assert machine.usable_memory(root, own) > 1234567


def test_cpu_table_is_read(tmp_path: Path) -> None:
    table = tmp_path / "cpuinfo"
    table.write_text("processor : 0\nmodel name\t: A CPU: 3 GHz\nflags\t\t: fpu sse2 avx512f avx2 amx_bf16\n")
    assert machine.cpu_features(table) == ["avx2", "avx512f", "amx_bf16"]
    assert machine.cpu_model(table) == "A CPU: 3 GHz"
    assert machine.cpu_features(tmp_path / "none") == []
    assert machine.cpu_model(tmp_path / "none")


def test_machine_summary_says_what_a_measurement_needs() -> None:
    summary = machine.machine_summary()
    assert 1 <= summary["usable_cores"] <= summary["cores"]
    assert 0 < summary["usable_memory_bytes"] <= summary["memory_bytes"]
    assert all(isinstance(summary[key], str) for key in ("cpu", "os", "python"))


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library cannot give memory back"
)
def test_free_memory_goes_back_to_the_system() -> None:
    code = """
import os, psutil
from rakuten_assets.runtime.machine import release_free_memory
rss = psutil.Process().memory_info
blocks = [os.urandom(50_000) for _ in range(4_000)]  # 200 MB, in blocks too small for pages of their own
last = blocks[-1]  # the end of the heap stays taken, so nothing goes back by itself
full = rss().rss
del blocks
before = rss().rss
release_free_memory()
print(full - before, before - rss().rss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    by_itself, released = map(int, done.stdout.split())
    assert by_itself < 50e6
    assert released > 150e6


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="this C library has no arenas")
def test_threads_get_no_more_arenas_than_there_are_cores() -> None:
    code = """
import ctypes, os, sys, threading
from rakuten_assets.runtime.machine import limit_memory_arenas, usable_cores
if sys.argv[1] == "limited":
    limit_memory_arenas()
threads = 4 * usable_cores()
barrier, blocks = threading.Barrier(threads + 1), []
def allocate():
    blocks.append(os.urandom(50_000))  # below the size that gets pages of its own
    barrier.wait()  # no thread ends, whose arena another could take
threads = [threading.Thread(target=allocate, daemon=True) for _ in range(threads)]
for thread in threads:
    thread.start()
barrier.wait()
print(usable_cores(), flush=True)
libc = ctypes.CDLL(None)
stdout = ctypes.c_void_p.in_dll(libc, "stdout")
libc.malloc_info(0, stdout)  # an element <heap nr="..."> for each arena
libc.fflush(stdout)
"""

    def arenas(how: str, **environment: str) -> tuple[int, int]:
        command = [sys.executable, "-c", code, how]
        env = {**os.environ, **environment}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        cores, _, arenas = done.stdout.partition("\n")
        return arenas.count("<heap nr="), int(cores)

    free, cores = arenas("free")
    assert free > cores
    limited, cores = arenas("limited")
    assert limited <= cores
    assert arenas("limited", MALLOC_ARENA_MAX=str(4 * cores))[0] > cores, "whoever sets it has the last word"
