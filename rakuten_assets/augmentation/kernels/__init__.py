"""The pixel loops of `rendering`, a module a kind, each compiled when it is imported. All of them release the GIL.

Integers wherever a result is a byte, so that every machine gives the same ones. Compiling all takes a few seconds, once
a process; a forked worker inherits what its parent compiled. Until that is worth it, `passes` gives the same bytes.
"""

from __future__ import annotations

from types import ModuleType

from rakuten_assets.augmentation import passes
from rakuten_assets.runtime.compilation import CompiledKernels

# So many calls at the document's size take as long through NumPy as compiling does.
_WORTH_FROM = {"philox": 2400, "warping": 400, "colour": 600, "filtering": 500, "planes": 1000}
_KERNELS = {name: CompiledKernels(f"{__name__}.{name}", worth) for name, worth in _WORTH_FROM.items()}

_PICTURES_WORTH_ALL = 500

# Whole arrays of a larger picture would take much memory.
_MOST_PIXELS_OF_PASSES = 1 << 20


def serving(kind: str, pixels: int) -> ModuleType:
    """The module that is to do one more piece of work: the compiled one where that pays off, else `passes`.

    Args:
        kind: name of a module here.
        pixels: how many the work is on.
    """
    kernels = _KERNELS[kind]
    return kernels.compiled() if pixels > _MOST_PIXELS_OF_PASSES or kernels.count() else passes


def prepare(images: int) -> None:
    """Compile every module now where so many pictures are worth it: forked workers inherit it."""
    if images >= _PICTURES_WORTH_ALL:
        for kernels in _KERNELS.values():
            kernels.compiled()
