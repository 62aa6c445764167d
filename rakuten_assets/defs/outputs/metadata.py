"""What the UI shows of a publication: the files, and what to do with them."""

from typing import Any

import dagster as dg
import pandas as pd

from rakuten_assets.defs.presentation import table
from rakuten_assets.outputs.publication import Publication
from rakuten_assets.storage import Storage
from rakuten_assets.units import human_bytes, human_count

_DIGITS = 12


def publication_metadata(done: Publication, storage: Storage) -> dict[str, Any]:
    """The set's files, what changed, and the lines that open it."""
    manifest = done.manifest
    files = pd.DataFrame(
        [
            (
                name,
                human_bytes(file.bytes),
                " x ".join(human_count(length) for length in file.shape or ()),
                file.sha256[:_DIGITS],
                "put in place" if name in done.placed else "as before",
            )
            for name, file in sorted(manifest.files.items())
        ],
        columns=["file", "size", "shape", "sha256", "now"],
    )
    kept = [one.name for one in manifest.extractors if not one.configured]
    metadata: dict[str, Any] = {
        "folder": dg.MetadataValue.path(str(storage.outputs)),
        "files": table(files, rows=len(files)),
        "size": human_bytes(sum(file.bytes for file in manifest.files.values())),
        "set": manifest.set_id,
        "extractors": ", ".join(one.name for one in manifest.extractors if one.configured),
        "what to do next": dg.MetadataValue.md(_next_lines(storage)),
    }
    if kept:
        metadata["kept, no longer configured"] = ", ".join(kept)
    if done.removed:
        metadata["removed"] = ", ".join(done.removed)
    return metadata


def _next_lines(storage: Storage) -> str:
    return (
        f"```python\nimport rakuten_assets\n\ndata = rakuten_assets.load({str(storage.root)!r})\n"
        "data.train.X, data.train.y, data.train.groups\n```\n"
        "`help(rakuten_assets)` shows a fit without leakage, pictures and PyTorch."
    )
