"""Which of OpenVINO's convolution kernels a network gets, by a short measurement when it is converted.

The two families give rows that differ in their last bits, so that the choice is part of the fingerprint and must not
follow the noise of a measurement: it is made once for a storage, recorded in the converted model, and departs from
the registry's choice only where the other family is clearly faster on this machine.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rakuten_assets.extraction.engines.choice import EngineChoice, Kernels
from rakuten_assets.extraction.engines.interface import Engine
from rakuten_assets.extraction.engines.numerics import blocked_kernels_exist, uses_blocked_kernels
from rakuten_assets.extraction.specification import ExtractorSpec
from rakuten_assets.runtime.machine import cpu_model

CLEARLY_FASTER = 1.2
"""By so much the family that the registry does not name must be faster, in three turns out of four. Where it names the
faster one the ratio is below 1; other work on the machine has moved a single turn by 0.1."""

_TURN = 0.15
_TURNS, _FEWEST_TURNS = 9, 3
_DECIDED = 3
"""Of all the turns, no more than two may be missed: after the third the rest would change nothing."""
_LONGEST = 3.0


def measured_kernels(
    spec: ExtractorSpec,
    choice: EngineChoice,
    open_with: Callable[[EngineChoice], Engine],
    log: Callable[[str], None],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Any]:
    """Measure both families in turns, for three seconds at most, and choose one.

    Args:
        open_with: the engine for a choice that names its kernels.
        log: told the outcome in a line.

    Returns:
        What is recorded in the converted model; {} where this machine or the settings leave no choice.
    """
    if not blocked_kernels_exist(choice):
        return {}
    registered: Kernels = "blocked" if uses_blocked_kernels(spec.backbone, choice) else "default"
    other: Kernels = "default" if registered == "blocked" else "blocked"
    side = spec.preprocessing.side
    with (
        open_with(dataclasses.replace(choice, kernels=registered)) as usual,
        open_with(dataclasses.replace(choice, kernels=other)) as rival,
        ThreadPoolExecutor(choice.threads) as pool,
    ):
        images = np.random.default_rng(0).integers(0, 256, (usual.batch, side, side, 3), np.uint8)

        def seconds(engine: Engine, calls: int) -> float:
            started = clock()
            list(pool.map(lambda _: engine.infer(images), range(calls * choice.threads)))
            return clock() - started

        seconds(rival, 1)
        seconds(usual, 1)
        calls = max(1, round(_TURN / seconds(usual, 1)))
        started, turns = clock(), list[tuple[float, float]]()
        not_faster = 0
        while len(turns) < _TURNS and (len(turns) < _FEWEST_TURNS or clock() - started < _LONGEST):
            turns.append((seconds(usual, calls), seconds(rival, calls)))
            not_faster += turns[-1][0] <= CLEARLY_FASTER * turns[-1][1]
            if not_faster == _DECIDED:
                break
    images_a_turn = calls * choice.threads * len(images)
    gain = statistics.quantiles((usual / rival for usual, rival in turns), n=4)[0]
    chosen = other if gain > CLEARLY_FASTER else registered
    speeds = {
        registered: images_a_turn / min(usual for usual, _ in turns),
        other: images_a_turn / min(rival for _, rival in turns),
    }
    log(
        f"{spec.name}: {speeds['blocked']:,.0f} images/s with blocked kernels, {speeds['default']:,.0f} with "
        f"OpenVINO's default ones; {chosen} ones are taken, and recorded in the converted model"
    )
    return {
        "chosen": chosen,
        "registered": registered,
        "gain_of_the_other": round(gain, 3),
        "images_per_second": {family: round(speed, 1) for family, speed in sorted(speeds.items())},
        "precision": choice.precision,
        "threads": choice.threads,
        "device_name": cpu_model(),
    }


def with_recorded_kernels(choice: EngineChoice, recorded: Any) -> EngineChoice:
    """The choice with the kernels that a converted model records; as it is where it names its own, or none are
    recorded for it.

    Args:
        recorded: what `measured_kernels` gave, out of a file.
    """
    if choice.kernels or not (isinstance(recorded, dict) and blocked_kernels_exist(choice)):
        return choice
    if recorded.get("precision") != choice.precision or recorded.get("chosen") not in ("blocked", "default"):
        return choice
    return dataclasses.replace(choice, kernels=recorded["chosen"])
