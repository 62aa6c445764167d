"""Inference engines behind one small interface: open once, feed uint8 batches, get float32 rows.

`choose_engine` says which engine will run, without loading it; `open_engine` loads it. An engine that cannot run
here is refused with the reason; there is no falling back to another.
"""

from rakuten_assets.extraction.engines.choice import EngineChoice, choose_engine
from rakuten_assets.extraction.engines.interface import Engine
from rakuten_assets.extraction.engines.opening import open_engine, settle_kernels

__all__ = ["Engine", "EngineChoice", "choose_engine", "open_engine", "settle_kernels"]
