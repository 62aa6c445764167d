"""The extractors that the settings describe, as one thing that can be handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rakuten_assets.settings import Settings

if TYPE_CHECKING:
    from rakuten_assets.extraction.pipeline import Extractor


class Extractors:
    """Opens any extractor of the settings by its backbone's name. A test hands in another one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, backbone: str, log: Callable[[str], None] | None = None) -> Extractor:
        """Open an extractor, as `Extractor.open` does."""
        # It brings numba and an engine: not at start-up.
        from rakuten_assets.extraction.pipeline import Extractor

        return Extractor.open(self._settings, backbone, log)
