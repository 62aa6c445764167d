"""Contact sheets of a page: pictures with what is to be seen in them, and where their rows are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        file: the image's name in the table.
        caption: what is to be seen in it.
        place: where its row is, and its ids: `train 123, image 1263597046, product 3804725264`.
        picture: a `data:` address; "" where the image cannot be shown.
    """

    file: str
    caption: str
    place: str
    picture: str


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: sets of tiles that belong together (a set of one for single images).

    Attributes:
        name: what it shows, as part of an address on the page.
        title: for a person.
        total: how many sets there are; the sheet shows the first ones.
        sets: tiles, set by set.
    """

    name: str
    title: str
    total: int
    sets: tuple[tuple[Tile, ...], ...]
