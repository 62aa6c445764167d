"""How a page is made of its template: styles inside, no script, no network, readable on a phone.

A page extends `page.html`, which forbids the browser to load anything; its look is `page.css`. Every text from
outside (file names, decoder messages) passes through Jinja's autoescape.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from rakuten_assets.pages.key_figures import percent
from rakuten_assets.units import counted, human_bytes, human_count

_OWN = ("page.html", "macros.html")


def render_page(package: str, template: str, **values: Any) -> str:
    """The page; the same values give the same text.

    Args:
        package: the package that the template lies in.
        template: its file name.
        values: what it shows, among them `title`.
    """

    def load(name: str) -> str:
        return _text(__package__ if name in _OWN else package, name)

    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(thousands=human_count, counted=counted, percent=percent, size=human_bytes)
    return environment.get_template(template).render(style=Markup(_text(__package__, "page.css")), **values)


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")
