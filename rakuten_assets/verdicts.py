"""The outcome of a check: what every validating function of the lower floor returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

Severity = Literal["error", "warning"]
Detail = str | int | float | bool | pd.DataFrame


@dataclass(frozen=True)
class Verdict:
    """Whether something holds, and the figures that say why.

    Attributes:
        check: name of the check.
        passed: whether it holds.
        summary: one sentence for a person.
        details: figures and small tables (rows that break it).
        severity: of a failure. "error" stops what builds on the data; "warning" does not.
    """

    check: str
    passed: bool
    summary: str
    details: Mapping[str, Detail] = field(default_factory=dict)
    severity: Severity = "error"

    @property
    def stops(self) -> bool:
        """Whether nothing may be built on the data."""
        return not self.passed and self.severity == "error"
