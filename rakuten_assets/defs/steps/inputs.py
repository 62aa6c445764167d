"""What a step's result is made of, as text: contents of its inputs, settings, code. Equal text, equal result."""

import hashlib
from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.extraction.storing.features import FeatureArray
from rakuten_assets.runtime.code_identity import code_identity
from rakuten_assets.settings import MAY_DIFFER, Settings
from rakuten_assets.storage import Storage
from rakuten_assets.storage.arrays import array_version
from rakuten_assets.storage.files import sha256_of_json

CODE = code_identity()
"""Of the code that this process runs: taken when it begins, before a file is edited under it."""


def made_of(inputs: Mapping[str, Any], storage: Storage) -> dict[str, str]:
    """Name -> content of everything that a step's result depends on, its place included: results name files.

    Args:
        inputs: of the step's function, by name: values, settings, a `dg.Config`, resources over the storage.

    Raises:
        TypeError: for a value of a kind whose content has no digest here.
    """
    contents = {name: content_of(value) for name, value in inputs.items()}
    return {"code": CODE, "storage": str(storage.root), **contents}


def content_of(value: Any) -> str:
    """Digest of a value: equal for equal content, wherever it came from.

    Raises:
        TypeError: for a kind of value that is not known.
    """
    if isinstance(value, FeatureArray):
        return value.content
    if isinstance(value, np.ndarray):
        return array_version(value)
    if isinstance(value, pd.DataFrame):
        return _table_content(value)
    if isinstance(value, Head):
        from rakuten_assets.evaluation.heads.storing import head_version

        # Its description tells more than its predictions depend on.
        return sha256_of_json([head_version(value), dict(value.details)])
    if isinstance(value, Settings):
        # All of them: which of them a step looks at is its own affair.
        chosen = {name: str(one) for name, one in dict(value).items() if name not in MAY_DIFFER}
        return sha256_of_json(chosen)
    if isinstance(value, dg.Config):
        return sha256_of_json(value.model_dump(mode="json"))
    if isinstance(value, Storage):
        return ""  # Its place is told apart from the inputs.
    if isinstance(value, Mapping):
        return sha256_of_json([[str(key), content_of(one)] for key, one in value.items()])
    if isinstance(value, (list, tuple)):
        return sha256_of_json([content_of(one) for one in value])
    if value is None or isinstance(value, (str, int, float, bool)):
        return repr(value)
    raise TypeError(f"a {type(value).__name__} has no digest here")


class _Hashed:
    """A file that keeps the digest of what is written, and nothing else."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.closed = False

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return len(content)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True


def _table_content(frame: pd.DataFrame) -> str:
    table, sink = pa.Table.from_pandas(frame).combine_chunks(), _Hashed()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema) as stream:
        stream.write_table(table)
    return sink.digest.hexdigest()
