"""A page at a glance: the tiles at its top."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeyFigure:
    """One tile: a number, what it is, a note, a tone ("good", "bad", or "" for neither), and the section about it."""

    label: str
    value: str
    note: str
    tone: str
    section: str


def percent(share: float) -> str:
    """A share as people read it; never 0 % or 100 % where that is not exactly so."""
    if share in (0, 1):
        return f"{share:.0%}"
    if share < 0.001 or share > 0.999:
        return f"{share:.3%}" if 0.00001 < share < 0.99999 else ("<0.001%" if share < 0.5 else ">99.999%")
    return f"{share:.1%}"
