"""Seeded weights: random, calibrated, made once a storage and used by every machine that works on it.

The calibration runs convolutions, whose last bits depend on the CPU. Made anew on another machine, the weights would
differ: so they are stored.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from rakuten_assets.backbones import Backbone
from rakuten_assets.backbones.specification import SEEDED
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.networks.packed import pack, read_about, read_packed, write_first
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.storage.files import sha256_of_json

SEED = 42
FILE = "weights.safetensors"
# Change it when other weights are to be made under the same name.
_RECIPE = 1
_NOTE = "seeded (random, calibrated) weights: for trying things out, not for results"


def seeded_weights(folder: UPath, backbone: Backbone) -> WeightsSource | None:
    """The seeded weights that a storage has; None if it has none. No library is loaded, and the file not read whole.

    Args:
        folder: where a storage keeps weights.
    """
    try:
        digest = read_about(seeded_file(folder, backbone))["sha256"][FILE]
    except (FileNotFoundError, KeyError, StoreError):
        return None
    return WeightsSource("seeded", SEEDED, None, f"seeded:sha256:{digest}", _NOTE)


def make_seeded_weights(folder: UPath, backbone: Backbone, log: Callable[[str], None]) -> WeightsSource:
    """The seeded weights that a storage has, made now (some seconds, once) if it has none.

    Raises:
        EngineError: they could not be made.
        WeightsError: the backbone's network cannot be built.
    """
    if (known := seeded_weights(folder, backbone)) is not None:
        return known
    target = seeded_file(folder, backbone)
    log(f"making seeded weights of {backbone.name} (once; kept in {target})")
    if target.exists():
        log(f"{target} was damaged")
        target.unlink()
    with tempfile.TemporaryDirectory(prefix="rakuten_assets_") as temporary:
        request = {"backbone": backbone.as_dict(), "seed": SEED, "file": str(Path(temporary) / FILE)}
        about = run_in_torch_process("seed", request)
        write_first(target, pack({FILE: (Path(temporary) / FILE).read_bytes()}, about))
    made = seeded_weights(folder, backbone)
    if made is None:
        raise StoreError(f"{target} cannot be read back; look at the storage and run again")
    return made


@contextmanager
def weights_on_disk(source: WeightsSource, folder: UPath, backbone: Backbone) -> Iterator[WeightsSource]:
    """The same weights with a local state-dict file, as long as the block lasts.

    Raises:
        StoreError: a storage's seeded weights are damaged or gone.
    """
    if source.kind != "seeded":
        yield source
        return
    file = seeded_file(folder, backbone)
    try:
        content = read_packed(file).parts[FILE]
    except (FileNotFoundError, KeyError, StoreError) as error:
        raise StoreError(f"{file} is damaged ({error!r}); remove it and run again") from error
    with tempfile.TemporaryDirectory(prefix="rakuten_assets_") as temporary:
        path = Path(temporary) / FILE
        path.write_bytes(content)
        yield WeightsSource(source.kind, source.name, path, source.identity, source.note)


def seeded_file(folder: UPath, backbone: Backbone) -> UPath:
    """Where a storage keeps a network's seeded weights."""
    made_of = {
        **backbone.function,
        "normalisation": backbone.as_dict()["normalisation"],
        "seed": SEED,
        "recipe": _RECIPE,
    }
    digest = sha256_of_json(made_of)
    return folder / f"seeded-{backbone.family}-{digest[:16]}.zip"
