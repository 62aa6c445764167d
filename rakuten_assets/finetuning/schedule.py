"""The learning rate of a step, and when to stop: functions of what is known, so that there is no state to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate: from near 0 to 1 over the warm-up, then half a cosine down to 0.

    Source: Loshchilov and Hutter, "SGDR", 2017, without restarts.

    Args:
        step: from 0.
        steps: of the whole run.
        warmup: share of them.

    >>> [round(rate_factor(step, 10, 0.2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))


def best_epoch(scores: Sequence[float]) -> int:
    """The epoch with the highest score, the first of equals.

    >>> best_epoch([0.2, 0.5, 0.4, 0.5])
    1
    """
    return max(range(len(scores)), key=lambda epoch: (scores[epoch], -epoch))


def should_stop(scores: Sequence[float], patience: int) -> bool:
    """Whether the last `patience` epochs brought nothing better; with 0, never.

    >>> should_stop([0.2, 0.5, 0.4, 0.5], 2), should_stop([0.2, 0.5, 0.4], 2), should_stop([0.2, 0.1], 0)
    (True, False, False)
    """
    return 0 < patience <= len(scores) - 1 - best_epoch(scores)
