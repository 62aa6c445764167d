"""A step is tried again, some time later, where a store or the network did not answer; never for what the data are."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg

from rakuten_assets.storage.transient import is_transient

WAITS = (5, 30, 120)
"""Seconds before the second, third and fourth try: a client has tried by itself for some seconds before each."""

Answer = TypeVar("Answer")


def retrying(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The function of an asset, which is tried again where a store did not answer it."""

    @functools.wraps(function)
    def step(context: dg.AssetExecutionContext, *inputs: Any, **named_inputs: Any) -> Iterator[Any]:
        with tried_again(context.retry_number, context.log):
            yield from function(context, *inputs, **named_inputs)

    return step


def asked_again(function: Callable[[], Answer], log: Any) -> Answer:
    """What the function gives, waited for as a step is: for what a run needs before its first one."""
    for wait in WAITS:
        try:
            return function()
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning(f"{error}. That may pass: asked again in {wait} s")
            time.sleep(wait)
    return function()


@contextmanager
def tried_again(tries: int | None, log: Any) -> Iterator[None]:
    """Ask Dagster to run the step again where the block fails for want of an answer.

    Args:
        tries: how often the step was tried before; None outside of a step, where nothing can be tried again.
    """
    try:
        yield
    except Exception as error:
        asked = isinstance(error, dg.RetryRequested)  # by a block within this one
        if asked or tries is None or tries >= len(WAITS) or not is_transient(error):
            raise
        log.warning(
            f"{type(error).__name__}: {error}. That may pass: the step is tried again in {WAITS[tries]} s "
            f"({tries + 1} of {len(WAITS)}); what it has stored is kept"
        )
        raise dg.RetryRequested(max_retries=len(WAITS), seconds_to_wait=WAITS[tries]) from error
