"""Checkpoints of an unfinished run: tensors in a safetensors file, and a record that names it and is written last.

Whatever happens, the record names a whole file: an older one goes only after the record of the next one stands. What
does not prove itself is not resumed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import safetensors
import safetensors.torch
import torch
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.fingerprint import differences
from rakuten_assets.storage.files import sha256_of_bytes, write_bytes
from rakuten_assets.storage.reading import read_bytes
from rakuten_assets.storage.records import read_record, write_record

FORMAT = 1
_RECORD = "checkpoint.json"
_SUFFIX = ".safetensors"
_DIFFERENCES_TOLD = 3

Tensors = dict[str, torch.Tensor]


class Checkpoints:
    """The checkpoint of one run, in a folder of its own.

    Args:
        folder: local or on a bucket; made when it is first needed.
        identity: everything that the run's result depends on, JSON-able.
        log: told why a checkpoint is not resumed.
    """

    def __init__(self, folder: UPath, identity: Mapping[str, Any], log: Callable[[str], None]) -> None:
        # Once through JSON: that is what a record gives back (tuples become lists).
        self._folder, self._identity, self._log = folder, json.loads(json.dumps(dict(identity))), log

    def save(self, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Replace the checkpoint.

        Raises:
            WriteError: if it cannot be written; the one before is still there.
        """
        content = safetensors.torch.save(
            {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
        )
        digest = sha256_of_bytes(content)
        file = self._folder / f"{digest[:32]}{_SUFFIX}"
        write_bytes(file, content)
        record = {
            "format": FORMAT,
            "identity": self._identity,
            "file": file.name,
            "sha256": digest,
            "state": dict(state),
        }
        write_record(self._folder / _RECORD, record)
        self._remove(keep=file.name)

    def load(self) -> tuple[Tensors, dict[str, Any]] | None:
        """Tensors and state of the checkpoint; None where there is none of this run that is whole."""
        path = self._folder / _RECORD
        try:
            record = read_record(path)
            if record.get("format") != FORMAT or record.get("identity") != self._identity:
                self._log(f"the checkpoint {path} is of another run{self._difference(record)}: starting anew")
                return None
            content = read_bytes(self._folder / str(record["file"]))
            if sha256_of_bytes(content) != record["sha256"]:
                raise StoreError(f"{record['file']} does not have the recorded sha256")
            return safetensors.torch.load(content), dict(record["state"])
        except FileNotFoundError as error:
            if path.exists():
                self._log(f"the checkpoint {path} lacks its tensors ({error.filename}): starting anew")
            return None
        except (StoreError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
            self._log(f"the checkpoint {path} is damaged ({error}): starting anew")
            return None

    def clear(self) -> None:
        """Remove the checkpoint: the run is finished."""
        (self._folder / _RECORD).unlink(missing_ok=True)
        self._remove(keep="")

    def _remove(self, keep: str) -> None:
        for path in list(self._folder.iterdir()) if self._folder.exists() else []:
            if path.suffix == _SUFFIX and path.name != keep:
                path.unlink(missing_ok=True)

    def _difference(self, record: Mapping[str, Any]) -> str:
        other = record.get("identity")
        if not isinstance(other, Mapping):
            return ""
        found = differences(other, self._identity)
        more = f" and {len(found) - _DIFFERENCES_TOLD} more" if len(found) > _DIFFERENCES_TOLD else ""
        return f" ({'; '.join(found[:_DIFFERENCES_TOLD])}{more})"
