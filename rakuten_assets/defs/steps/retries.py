"""A step is tried again, some time later, where a store or the network did not answer; never for what the data are."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from rakuten_assets.storage.transient import is_transient

WAITS = (5, 30, 120)
"""Seconds before the second, third and fourth try: a client has tried by itself for some seconds before each."""


def retrying(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The function of an asset, which is tried again where a store did not answer it."""

    @functools.wraps(function)
    def step(context: dg.AssetExecutionContext, *inputs: Any, **named_inputs: Any) -> Iterator[Any]:
        with tried_again(context.retry_number, context.log):
            yield from function(context, *inputs, **named_inputs)

    return step


@contextmanager
def tried_again(tries: int | None, log: Any) -> Iterator[None]:
    """Ask Dagster to run the step again where the block fails for want of an answer.

    Args:
        tries: how often the step was tried before; None outside of a step, where nothing can be tried again.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, dg.RetryRequested) or tries is None or tries >= len(WAITS):
            raise
        if not is_transient(error):
            raise
        log.warning(
            f"{type(error).__name__}: {error}. That may pass: the step is tried again in {WAITS[tries]} s "
            f"({tries + 1} of {len(WAITS)}); what it has stored is kept"
        )
        raise dg.RetryRequested(max_retries=len(WAITS), seconds_to_wait=WAITS[tries]) from error
