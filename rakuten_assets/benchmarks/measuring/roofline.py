"""How fast the machine could be at best: its matrix-multiply peak, and what an image costs in arithmetic."""

from __future__ import annotations

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

_SIZE = 2048
_SECONDS = 1.5


def matmul_peak(precision: str) -> float:
    """Highest rate of a square matrix product seen on all threads, in GFLOP/s.

    Args:
        precision: "f32" or "bf16".
    """
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
    generator = torch.Generator().manual_seed(0)
    left = torch.rand(_SIZE, _SIZE, generator=generator).to(dtype)
    right = torch.rand(_SIZE, _SIZE, generator=generator).to(dtype)
    out = torch.empty(_SIZE, _SIZE, dtype=dtype)
    torch.mm(left, right, out=out)
    best = float("inf")
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        started = time.perf_counter()
        torch.mm(left, right, out=out)
        best = min(best, time.perf_counter() - started)
    return 2 * _SIZE**3 / best / 1e9


def gflop_per_image(model: torch.nn.Module, size: int = 224) -> float:
    """Arithmetic of one image's forward pass in GFLOP, a multiply and an add counted as two."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        model(torch.zeros(1, 3, size, size))
    return float(counter.get_total_flops()) / 1e9
