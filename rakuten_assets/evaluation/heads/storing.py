"""A head on disk: `head.safetensors` with its numbers, then `head.json` with what they mean and their sha256.

The JSON is written last: a head is there when its JSON is. Until then the numbers of the head before stay beside
the new ones, so that a writer that is killed loses none. Nothing is a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from upath import UPath

from rakuten_assets.errors import StoreError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.standardisation import Standardisation
from rakuten_assets.storage.files import sha256_of_bytes, write_bytes
from rakuten_assets.storage.reading import read_bytes
from rakuten_assets.storage.written import forget_write

TENSORS_FILE = "head.safetensors"
DESCRIPTION_FILE = "head.json"
FORMAT = 1
_KINDS = ("logistic", "mlp")


def save_head(head: Head, folder: str | Path | UPath) -> None:
    """Write a head to a folder, over the one that is there."""
    place = UPath(folder)
    tensors, description = head_files(head)
    with replaced_tensors(place / TENSORS_FILE, place / DESCRIPTION_FILE, tensors):
        write_bytes(place / DESCRIPTION_FILE, description)


@contextmanager
def replaced_tensors(tensors: UPath, path: UPath, content: bytes) -> Iterator[None]:
    """Write the numbers; within the block write their description. Those that the old description names go after it."""
    previous = _previous_file(tensors)
    try:
        old = read_bytes(tensors)
        if json.loads(read_bytes(path))["tensors_sha256"] == sha256_of_bytes(old):
            write_bytes(previous, old)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # There is no whole head to keep, or a killed writer has kept it already.
    write_bytes(tensors, content)
    yield
    previous.unlink(missing_ok=True)
    forget_write(previous)


def head_files(head: Head) -> tuple[bytes, bytes]:
    """Content of the two files: the numbers, and what they mean."""
    from safetensors.numpy import save

    tensors = {
        "mean": head.standardisation.mean,
        "scale": head.standardisation.scale,
        "prior": head.prior,
    }
    for number, (weight, bias) in enumerate(head.layers):
        tensors[f"weight_{number}"], tensors[f"bias_{number}"] = weight, bias
    content = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
    description = {
        "format": FORMAT,
        "kind": head.kind,
        "layers": len(head.layers),
        "label_encoder": {str(code): label for label, code in enumerate(head.codes.tolist())},
        "temperature": head.temperature,
        "fingerprint": head.fingerprint,
        "tensors_sha256": sha256_of_bytes(content),
        "versions": {name: version(name) for name in ("rakuten_assets", "numpy", "scipy", "torch")},
        "details": head.details,
    }
    text = json.dumps(description, indent=2, allow_nan=False) + "\n"
    return content, text.encode()


def head_version(head: Head) -> str:
    """Hexadecimal digest of all that predictions depend on: the numbers, the codes, the temperature, the extractor."""
    tensors, _ = head_files(head)
    about = [sha256_of_bytes(tensors), head.codes.tolist(), head.temperature, head.fingerprint]
    return sha256_of_bytes(json.dumps(about).encode())


def load_head(folder: str | Path | UPath) -> Head:
    """Read a head.

    Raises:
        FileNotFoundError: if there is none.
        StoreError: if a file is damaged, or the two do not belong together.
    """
    place = UPath(folder)
    return read_head(place / TENSORS_FILE, place / DESCRIPTION_FILE)


def read_head(tensors: UPath, path: UPath) -> Head:
    """Read a head from its two files, as `load_head`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_bytes(tensors)
    try:
        description = json.loads(read_bytes(path))
        if description["tensors_sha256"] != sha256_of_bytes(content):
            content = _previous_tensors(tensors)
        if description["tensors_sha256"] != sha256_of_bytes(content):
            raise StoreError(f"{tensors} does not have the sha256 that {path.name} records; train again")
        if description["format"] != FORMAT or description["kind"] not in _KINDS:
            raise StoreError(
                f"{path} holds a {description['kind']!r} head of format {description['format']}; read are "
                f"{' and '.join(_KINDS)} of format {FORMAT}. Train again"
            )
        return _head(description, load(content), path)
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise StoreError(
            f"{path} does not describe a head ({type(error).__name__}: {error}); train again"
        ) from None


def _previous_file(tensors: UPath) -> UPath:
    return tensors.with_name(f"{tensors.stem}.previous{tensors.suffix}")


def _previous_tensors(tensors: UPath) -> bytes:
    """Numbers that a killed writer left for the description that is there; empty if there are none."""
    try:
        return read_bytes(_previous_file(tensors))
    except FileNotFoundError:
        return b""


def _head(description: dict[str, Any], tensors: dict[str, Any], path: UPath) -> Head:
    encoder = {int(code): int(label) for code, label in description["label_encoder"].items()}
    codes = np.array(sorted(encoder, key=lambda code: encoder[code]), dtype=np.int64)
    layers = tuple((tensors[f"weight_{n}"], tensors[f"bias_{n}"]) for n in range(int(description["layers"])))
    mean, scale, prior = tensors["mean"], tensors["scale"], tensors["prior"]
    widths = [len(mean), *(weight.shape[1] for weight, _ in layers)]
    fit = all(
        weight.shape == (wide, narrow) and bias.shape == (narrow,)
        for (weight, bias), wide, narrow in zip(layers, widths[:-1], widths[1:], strict=True)
    )
    whole = all(np.isfinite(tensor).all() for tensor in tensors.values())
    temperature = float(description["temperature"])
    encodes = sorted(encoder.values()) == list(range(len(codes)))
    if not (
        fit
        and whole
        and encodes
        and layers
        and scale.shape == mean.shape
        and prior.shape == codes.shape == (widths[-1],)
        and 0 < temperature < float("inf")
    ):
        raise StoreError(f"{path} and {TENSORS_FILE} do not fit together; train again")
    return Head(
        kind=description["kind"],
        standardisation=Standardisation(mean, scale),
        layers=layers,
        codes=codes,
        prior=prior,
        temperature=temperature,
        fingerprint=str(description["fingerprint"]),
        details=dict(description["details"]),
    )
