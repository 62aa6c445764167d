"""What an integrity report holds: complete, and not yet written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from rakuten_assets.integrity.reporting.known_facts import KnownFact
from rakuten_assets.pages.contact_sheets import Sheet


@dataclass(frozen=True)
class IntegrityReport:
    """A report.

    Attributes:
        title: what was looked at.
        images: one row an image: what identifies it, the scan's columns, its groups and their sizes.
        findings: one line a row and kind; see `findings.FINDING_COLUMNS`.
        duplicates: one line a level, group and member, of groups that join something at that level.
        summary: the figures, ready for JSON.
        sheets: contact sheets of what is worth a look.
        mode: what was looked at, in a sentence; "" where that is plain.
        facts: comparison with the real data set; empty where that is not what is loaded.
    """

    title: str
    images: pd.DataFrame
    findings: pd.DataFrame
    duplicates: pd.DataFrame
    summary: dict[str, Any]
    sheets: tuple[Sheet, ...]
    facts: tuple[KnownFact, ...]
    mode: str = ""
