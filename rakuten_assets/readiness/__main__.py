"""`python -m rakuten_assets.readiness`: the pre-production checklist, answered from what is stored.

| exit status | means |
|---|---|
| 0 | the checklist was answered |
| 1 | it was, and `--fail-on` found what it looks for |
| 2 | it was not: a wrong argument, no storage, features of no such extractor |
| 70 | it was not: a defect of this program |
| 130 | interrupted |
"""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rakuten_assets.errors import StoreError
from rakuten_assets.runtime.console import refusals_told, run_command
from rakuten_assets.settings import Settings

if TYPE_CHECKING:
    from rakuten_assets.readiness.answers import Box, Readiness

_FOUND = 1
_MARKS = {"yes": "[x] yes", "no": "[ ] no", "not yet": "[ ] not yet"}
_NARROWEST, _WIDEST = 30, 110


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _parser().parse_args(arguments)
    return refusals_told(lambda: _run(given), "the storage", "the checklist was not answered")


def _run(given: argparse.Namespace) -> int:
    settings = Settings.load(**_overrides(given))
    # Not before the arguments are right: pandas and the decoders take a second to import.
    from rakuten_assets.extraction.specification import extractor_specs
    from rakuten_assets.readiness.checklist import check_readiness
    from rakuten_assets.readiness.stored import Stored

    if not settings.storage.is_dir():
        raise StoreError(
            f"there is no storage in {settings.storage}; name it with --storage or RAKUTEN_STORAGE, or run the graph "
            "first"
        )
    stored = Stored.open(settings.storage)
    if given.extractor and given.extractor not in stored.extractors:
        there = ", ".join(stored.extractors) or "none"
        raise StoreError(
            f"no features of {given.extractor} are stored in {settings.storage}; there are: {there}"
        )
    specs = {spec.backbone.family: spec.name for spec in extractor_specs(settings)}
    evaluated = [family for family, name in specs.items() if name in settings.evaluated]
    chosen = [given.extractor] if given.extractor else stored.to_judge(evaluated)
    others = {family: name for family, name in specs.items() if family not in evaluated}
    found = check_readiness(stored, chosen, not_evaluated=others)
    print(f"{settings.storage}: {found.headline}")
    for line in checklist_lines(found, shutil.get_terminal_size((100, 24)).columns):
        print(line)
    wrong = found.count("no") if given.fail_on else 0
    waiting = found.count("not yet") if given.fail_on == "not-yet" else 0
    return _FOUND if wrong + waiting else 0


def checklist_lines(found: Readiness, width: int) -> Iterator[str]:
    """The checklist for a terminal of `width` columns: no line is longer, but for a word or a command that is."""
    width = min(max(width, _NARROWEST), _WIDEST)
    section = ""
    for box in found.boxes:
        if box.section != section:
            section = box.section
            yield ""
            yield section.capitalize()
        yield from _box_lines(box, width)
    yield ""
    yield "Decisions"
    for decision in found.decisions:
        yield from textwrap.wrap(
            f"{decision.question} {decision.fact}", width, initial_indent="  ", subsequent_indent="    "
        )
        for text in (f"the document: {decision.advice}", f"here: {decision.here}"):
            yield from textwrap.wrap(text, width, initial_indent="      ", subsequent_indent="      ")


def _box_lines(box: Box, width: int) -> Iterator[str]:
    of = f" ({box.extractor})" if box.extractor else ""
    yield from textwrap.wrap(
        f"{_MARKS[box.answer]}: {box.title}{of}", width, initial_indent="  ", subsequent_indent="      "
    )
    for text in (box.finding, f"see {box.evidence}"):
        yield from textwrap.wrap(
            text, width, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False
        )
    if box.command:
        yield f"      {box.command}"  # in one piece, to be copied


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.readiness",
        description="Answer the pre-production checklist from what is stored: yes, no, or not yet with the command "
        "that makes what is missing.",
    )
    parser.add_argument("--storage", metavar="DIR", help="storage to judge; default: RAKUTEN_STORAGE")
    parser.add_argument(
        "--extractor",
        metavar="NAME",
        default="",
        help="whose features; default: those that are evaluated or have been; all that are stored if none are",
    )
    parser.add_argument(
        "--fail-on",
        choices=["no", "not-yet"],
        default="",
        help="exit with status 1 where a box says no; with `not-yet` also where one says not yet",
    )
    return parser


def _overrides(given: argparse.Namespace) -> dict[str, Any]:
    return {} if given.storage is None else {"storage": given.storage}


if __name__ == "__main__":
    sys.exit(run_command(main))
