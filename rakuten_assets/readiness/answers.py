"""Answers: what a box of the checklist, or a decision, comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Answer = Literal["yes", "no", "not yet"]


@dataclass(frozen=True)
class Finding:
    """What a judge found.

    Attributes:
        holds: whether the box can be ticked.
        text: why, in a sentence with figures.
    """

    holds: bool
    text: str


@dataclass(frozen=True)
class Box:
    """One box of the checklist, answered.

    Attributes:
        section, title: the document's.
        extractor: whose features it is about; "" for the whole catalogue.
        answer: "yes"; "no"; "not yet" where what it rests on is not stored.
        finding: why, in a sentence.
        evidence: the assets, checks and files that say so.
        command: what makes the missing assets; "" where none is missing.
    """

    section: str
    title: str
    extractor: str
    answer: Answer
    finding: str
    evidence: str
    command: str = ""


@dataclass(frozen=True)
class Decision:
    """A decision tree, followed for these data and this machine.

    Attributes:
        question: the tree's.
        fact: what was found.
        advice: the document's, at that branch.
        here: what this project has or does.
    """

    question: str
    fact: str
    advice: str
    here: str


@dataclass(frozen=True)
class Readiness:
    """The whole checklist and the decisions."""

    boxes: Sequence[Box]
    decisions: Sequence[Decision]

    def count(self, answer: Answer) -> int:
        return sum(box.answer == answer for box in self.boxes)

    @property
    def headline(self) -> str:
        """How it stands, in a sentence.

        >>> Readiness([Box("data", "no duplicates", "", "yes", "none", "duplicate_groups")], []).headline
        '1 of 1 boxes: yes'
        """
        parts = [f"{self.count('yes')} of {len(self.boxes)} boxes: yes"]
        parts += [f"{self.count(answer)}: {answer}" for answer in ("no", "not yet") if self.count(answer)]
        return "; ".join(parts)

    def as_dict(self) -> Mapping[str, Any]:
        """JSON-able."""
        return {
            "headline": self.headline,
            "boxes": [asdict(box) for box in self.boxes],
            "decisions": [asdict(decision) for decision in self.decisions],
        }
