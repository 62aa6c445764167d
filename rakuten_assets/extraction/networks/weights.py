"""Which weights a run uses, and whether their file is what it should be; no library is loaded here.

- a torchvision name: its file in torch's own folder of downloads, checked against the published sha256
- a path: a `.pth` or `.safetensors` state dict
- `seeded`: no file; random, calibrated weights that `models` makes

What the settings name is what runs, or an error says what to do: there is no falling back to other weights.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rakuten_assets.errors import WeightsError
from rakuten_assets.extraction.networks.backbones import BACKBONES, BackboneSpec, WeightsRelease
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.files import sha256_of_file
from rakuten_assets.settings import SEEDED, Settings
from rakuten_assets.units import human_bytes

WeightsKind = Literal["published", "file", "seeded"]

SUFFIXES = (".pth", ".pt", ".safetensors")
SEED = 42
# Change it whenever `models` would make other seeded weights: rows of the old ones are then never mixed in.
SEEDED_RECIPE = 1
# The largest backbone on offer has 330 MB of weights; a training checkpoint with optimizer state has thrice that.
_MAX_FILE_BYTES = 4 << 30


@dataclass(frozen=True)
class WeightsSource:
    """Weights that are known to exist.

    Attributes:
        kind: `published` (by torchvision), `file` or `seeded`.
        name: what the setting says.
        path: the state-dict file, None for seeded weights.
        identity: what a fingerprint holds: `sha256:<digest of the file>`, or the recipe of seeded weights.
        note: what a reader of the results must know; "" for real weights.
    """

    kind: WeightsKind
    name: str
    path: Path | None
    identity: str
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the path: it says where a file lies, not what it is."""
        described = {
            "kind": self.kind,
            "name": self.path.name if self.path else self.name,
            "identity": self.identity,
        }
        return {**described, "note": self.note} if self.note else described


def resolve_weights(settings: Settings) -> WeightsSource:
    """Find and verify the weights that the settings name; fetch published ones where that is allowed.

    Raises:
        WeightsError: missing, unreadable, not the published file, or of no known kind.
    """
    name = settings.effective_weights
    spec = BACKBONES[settings.backbone]
    if name == SEEDED:
        return _seeded(spec)
    if name.endswith(SUFFIXES) or os.sep in name:
        path = _expanded(name, "RAKUTEN_WEIGHTS")
        digest = _sha256_of_weights(path, f"RAKUTEN_WEIGHTS={name}")
        _check_published_name(path, digest, spec)
        return WeightsSource("file", name, path, f"sha256:{digest}")
    return _published(spec.release(name), spec, settings.allow_download)


def checkpoint_folder() -> Path:
    """Where torch keeps downloaded weights (`torch.hub.get_dir()`, without importing torch)."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")  # noqa: PTH118 - "~" is expanded below
    return _expanded(home, "TORCH_HOME") / "hub" / "checkpoints"


def _expanded(name: str, variable: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # A container's user often has neither HOME nor an entry in the list of users.
        raise WeightsError(
            f"weights are looked for in {name}, but this user has no home folder: set RAKUTEN_WEIGHTS to the path of a "
            f"weights file{', or TORCH_HOME to a folder' if variable == 'TORCH_HOME' else ''}"
        ) from None


def _seeded(spec: BackboneSpec) -> WeightsSource:
    torch, torchvision = version("torch"), version("torchvision")
    return WeightsSource(
        "seeded",
        SEEDED,
        None,
        f"seeded:{spec.name}:recipe {SEEDED_RECIPE}:seed {SEED}:torch {torch}:torchvision {torchvision}",
        "seeded (random, calibrated) weights: for trying things out, not for results",
    )


def _published(release: WeightsRelease, spec: BackboneSpec, allow_download: bool) -> WeightsSource:
    path = checkpoint_folder() / release.file_name
    if not path.exists():
        if not allow_download:
            raise WeightsError(
                f"weights {release.name} of {spec.name} are not on this machine: fetch {release.address} and put "
                f"it at {path}, or set RAKUTEN_WEIGHTS to the path of a copy, or set RAKUTEN_ALLOW_DOWNLOAD=1"
            )
        run_in_torch_process("download", {"backbone": spec.name, "release": release.name})
    digest = _sha256_of_weights(path, f"weights {release.name} of {spec.name}")
    _check_published_name(path, digest, spec)
    return WeightsSource("published", release.name, path, f"sha256:{digest}")


def _sha256_of_weights(path: Path, what: str) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise WeightsError(f"{what}: {path} is not a file; name a .pth or .safetensors state-dict file")
        if status.st_size == 0:
            raise WeightsError(f"{what}: {path} is empty; fetch it again")
        if status.st_size > _MAX_FILE_BYTES:
            raise WeightsError(
                f"{what}: {path} has {human_bytes(status.st_size)}; a state dict of a backbone on offer has at "
                f"most {human_bytes(_MAX_FILE_BYTES)}"
            )
        return sha256_of_file(path)
    except OSError as error:
        raise WeightsError(f"{what}: cannot read {path}: {error.strerror or error}") from error


def _check_published_name(path: Path, digest: str, spec: BackboneSpec) -> None:
    """A file that bears a published name must have the published content."""
    for release in spec.releases:
        expected = release.sha256 or release.sha256_prefix
        if path.name == release.file_name and not digest.startswith(expected):
            raise WeightsError(
                f"{path} is damaged or not what its name says: its sha256 is {digest}, the published one starts "
                f"with {expected}; remove it and fetch {release.address} again"
            )
