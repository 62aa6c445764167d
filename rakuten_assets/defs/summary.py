"""What a run did, in five lines: for whoever waited for it."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.defs.features.names import matrix_key
from rakuten_assets.defs.outputs.stored import unpublished_matrices
from rakuten_assets.defs.verdicts import INPUT_VERSION
from rakuten_assets.errors import RakutenAssetsError
from rakuten_assets.extraction.specification import extractor_specs
from rakuten_assets.outputs.names import OUTPUTS, make_command
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.files import is_local
from rakuten_assets.units import human_count, human_duration

INTERFACE = "http://127.0.0.1:3000/asset-groups"
"""Where `dagster dev` shows the graph: its start page lists what is due today, which after a first run is nothing."""


class RunSummary:
    """Counts a run's events as they come; `lines` sums them up."""

    def __init__(self) -> None:
        self.failed = False
        self._assets: set[str] = set()
        self._shown: dict[str, dict[str | None, dict[str, Any]]] = {}  # by asset, then shard: the newest
        self._warnings: Counter[str] = Counter()
        self._read: dict[str, set[str]] = {}

    @property
    def read(self) -> dict[str, str]:
        """Asset of each file outside -> its version, for those of which all steps have read the same."""
        return {name: next(iter(seen)) for name, seen in self._read.items() if len(seen) == 1}

    def add(self, event: Any) -> None:
        """Take note of a `DagsterEvent`."""
        kind = event.event_type_value
        if kind == "STEP_FAILURE":
            self.failed = True
        elif kind == "ASSET_MATERIALIZATION":
            materialization = event.step_materialization_data.materialization
            name = materialization.asset_key.to_user_string()
            self._assets.add(name)
            shown = {key: value.value for key, value in materialization.metadata.items()}
            self._shown.setdefault(name, {})[materialization.partition] = shown
            for tag, version in (materialization.tags or {}).items():
                if tag.startswith(INPUT_VERSION):
                    self._read.setdefault(tag.removeprefix(INPUT_VERSION), set()).add(version)
        elif kind == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._warnings[check.check_name] += 1

    def lines(self, settings: Settings, seconds: float) -> list[str]:
        """The five lines; fewer where the run made less than everything."""
        assets = f"{len(self._assets)} asset{'s' if len(self._assets) != 1 else ''}"
        scanned, readable = self._sum("image_scan", "images"), self._sum("image_scan", "readable")
        done = f"done: {assets} in {human_duration(seconds)}"
        if scanned:
            done += f"; {human_count(scanned)} images scanned, {human_count(scanned - readable)} unusable"
        lines = [done, *self._rows(), self._warned()]
        outputs = Storage(settings.storage, settings.shards).outputs
        if outputs.exists():
            lines.append(f"outputs: {_absolute(outputs)}" + self._report(outputs))
        if names := self._unpublished(settings):
            lines.append(
                f"not published yet: {', '.join(names)}; `rakuten_assets.load` gives them after, with the same "
                f"settings, {make_command(OUTPUTS)}"
            )
        return [*lines, f"look at it: dagster dev, then {INTERFACE}"]

    def _rows(self) -> list[str]:
        parts = []
        for split in SPLITS:
            # Each extractor has a matrix of the same rows: one of them says how many.
            matrix = next((name for name in self._shown if name.endswith(f"/{split}_feature_matrix")), "")
            if rows := self._sum(matrix, "rows"):
                bad = rows - self._sum(matrix, "valid rows")
                parts.append(f"{human_count(rows)} {split} ({human_count(bad)} quarantined: vector zero)")
            elif rows := self._sum("image_manifest", f"{split} rows"):
                parts.append(f"{human_count(rows)} {split}")
        return [f"rows: {', '.join(parts)}"] if parts else []

    def _warned(self) -> str:
        names = [f"{name} ({count} shards)" if count > 1 else name for name, count in self._warnings.items()]
        return f"warnings: {', '.join(sorted(names)) or 'none'}"

    def _unpublished(self, settings: Settings) -> list[str]:
        """Files of matrices that this run has made and the published set does not have."""
        if OUTPUTS in self._assets:
            return []
        made = [
            spec.backbone
            for spec in extractor_specs(settings)
            if any("/".join(matrix_key(spec.backbone, split)) in self._assets for split in SPLITS)
        ]
        try:
            return unpublished_matrices(Storage(settings.storage, settings.shards), made) if made else []
        except (RakutenAssetsError, OSError):  # What is told at the end fails no run.
            return []

    def _report(self, outputs: Any) -> str:
        if "integrity_report" not in self._assets:
            return ""
        return f"; report: {_absolute(outputs / 'integrity_report' / 'report.html')}"

    def _sum(self, asset: str, key: str) -> int:
        return sum(int(shown.get(key, 0)) for shown in self._shown.get(asset, {}).values())


def _absolute(path: Any) -> str:
    return os.path.abspath(Path(path)) if is_local(path) else str(path)  # noqa: PTH100 - links stay as they are
