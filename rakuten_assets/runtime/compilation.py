"""When compiled kernels pay off: numba compiles them anew in each process, which takes a second or two.

(numba could keep compiled code on disk, but as pickles, which this project does not write.) So work that has both a
way through NumPy or Pillow and one through kernels, with the same result to the bit, takes the first until enough
images have come by, or are announced, for compiling to be worth it.
"""

from __future__ import annotations

import importlib
import threading
from types import ModuleType


class CompiledKernels:
    """A module of kernels, imported (and by that compiled) once the process has enough images for it.

    Thread-safe. A count that is lost between threads only moves the moment of compiling.

    Args:
        module: dotted name; importing it compiles its functions.
        worth_from: number of images (or whatever else is counted) from which on compiling has paid off.
    """

    def __init__(self, module: str, worth_from: int) -> None:
        self.module, self._worth_from = module, worth_from
        self._seen = self._announced = 0
        self._module: ModuleType | None = None
        self._compiling = threading.Lock()

    def expect(self, images: int) -> None:
        """Say that so many images are about to come: a long run then has its kernels from the start."""
        self._announced += max(images, 0)

    def prepare(self) -> None:
        """Compile now where what is announced is worth it.

        For the thread that starts the others: they would get little done meanwhile, and here Ctrl-C interrupts it.
        """
        if self._worth():
            self.compiled()

    def count(self) -> bool:
        """Count one image: whether kernels are to serve it. While one thread compiles, the others do without; once
        they are compiled, for whatever reason, they serve."""
        if self._module is not None:
            return True
        self._seen += 1
        self._announced -= self._announced > 0
        return self._worth() and not self._compiling.locked()

    def compiled(self) -> ModuleType:
        """The module, compiled now if it is not yet."""
        if self._module is None:
            with self._compiling:
                if self._module is None:
                    self._module = importlib.import_module(self.module)
        return self._module

    def _worth(self) -> bool:
        return self._seen + self._announced >= self._worth_from
