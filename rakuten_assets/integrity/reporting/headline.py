"""The report at a glance: one sentence, and a dozen figures."""

from __future__ import annotations

from rakuten_assets.integrity.reporting.contents import IntegrityReport
from rakuten_assets.pages.key_figures import KeyFigure, percent
from rakuten_assets.units import counted, human_bytes


def headline(report: IntegrityReport) -> str:
    """The report in one or two sentences."""
    counts = report.summary["images"]
    total, unusable = counts["total"], counts["total"] - counts["by_status"]["ok"]
    if not total:
        return "There is no image to report on."
    first = (
        f"All {total:,} images decode whole."
        if not unusable
        else f"{unusable:,} of {total:,} images cannot be used ({percent(unusable / total)})."
    )
    parts = []
    redundant = report.summary["duplicates"]["exact"]["redundant"]
    if redundant:
        parts.append(
            counted(redundant, "file is a byte-identical copy", "files are byte-identical copies")
            + " of another"
        )
    conflicts = report.summary["label_conflicts"]["pixel"]["rows"]
    if conflicts:
        parts.append(
            counted(conflicts, "row shows", "rows show") + " a picture that other rows class differently"
        )
    twins = report.summary["train_test_twins"]["near"]["test_rows"]
    if twins:
        parts.append(counted(twins, "test image is", "test images are") + " also in train")
    text = "; ".join(parts)
    return f"{first} {text[:1].upper()}{text[1:]}." if parts else first


def key_figures(report: IntegrityReport) -> list[KeyFigure]:
    """The tiles, most important first."""
    summary = report.summary
    counts, duplicates = summary["images"], summary["duplicates"]
    total, status = counts["total"], counts["by_status"]
    splits = ", ".join(
        f"{part['total']:,} {name}" for name, part in counts["by_split"].items() if name != "all"
    )
    leak = summary["leakage"]["levels"]["near"]
    tiles = [
        KeyFigure("images", f"{total:,}", splits or human_bytes(counts["bytes"]), "", "status"),
        KeyFigure("decode whole", percent(status["ok"] / total if total else 0), f"{status['ok']:,} images",
                  "good" if status["ok"] == total else "bad", "status"),
        _fault("unreadable", status["unreadable"], "the file is there and does not decode whole", "unusable"),
        _fault("missing", status["missing"], "no file at the expected place", "unusable"),
        _fault("blank", counts["blank"] + counts["near_blank"], f"{counts['blank']:,} exactly one colour",
               "suspicious"),
        _fault("redundant files", duplicates["exact"]["redundant"],
               f"in {counted(duplicates['exact']['groups'], 'group')} of byte-identical files", "duplicates"),
        _fault("near-duplicate groups", duplicates["near"]["beyond_finer_level"],
               "of different files that show the same picture", "duplicates"),
    ]  # fmt: skip
    if summary["classes"]:
        conflicts = summary["label_conflicts"]["pixel"]
        tiles.append(_fault("rows in label conflict", conflicts["rows"],
                            f"equal pictures, different classes: {counted(conflicts['groups'], 'group')}",
                            "conflicts"))  # fmt: skip
    if len(counts["by_split"]) > 1:
        twins = summary["train_test_twins"]["near"]
        note = counted(twins["groups"], "group")
        tiles.append(_fault("test images also in train", twins["test_rows"], note, "twins"))
    if summary["leakage"]["rows"]:
        note, tone = (
            f"duplicate-aware: {percent(leak['duplicate_aware'])}",
            "bad" if leak["naive"] else "good",
        )
        tiles.append(
            KeyFigure("leakage of a naive 80/20 split", percent(leak["naive"]), note, tone, "leakage")
        )
    if summary["classes"]:
        classes = summary["classes"]
        ends = (
            f", {classes['largest']} against {classes['smallest']}" if classes["imbalance_ratio"] > 1 else ""
        )
        note = f"{classes['count']} classes{ends}"
        tiles.append(KeyFigure("imbalance", f"{classes['imbalance_ratio']:.1f} : 1", note, "", "classes"))
    if left_out := sum(omission["count"] for omission in summary["not_looked_at"]):
        tiles.append(
            KeyFigure("not looked at", f"{left_out:,}", "files and folders left out", "", "not-looked-at")
        )
    return tiles


def _fault(label: str, count: int, note: str, section: str) -> KeyFigure:
    return KeyFigure(label, f"{count:,}", note if count else "", "bad" if count else "good", section)
