"""What a backbone is: its network, its published weights, its normalisation."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rakuten_assets.errors import AugmentationError, WeightsError

Channels = tuple[float, float, float]
Interpolation = Literal["bilinear", "bicubic"]

SEEDED = "seeded"
PRETRAINED = "pretrained"
"""A backbone's first release, whatever its name."""

CHECKPOINT_ADDRESS = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class Normalisation:
    """(x / scale - mean) / std, by channel of RGB; x is a pixel's value from 0 to 255.

    Attributes:
        mean, std: red, green, blue.
        scale: 255.0 where mean and std are on the scale 0 to 1, 1.0 where they are on 0 to 255.
        name: what the metadata call it.

    Raises:
        AugmentationError: for anything but three finite numbers each, or a deviation or a scale that is not positive.
    """

    mean: Channels
    std: Channels
    scale: float = 255.0
    name: str = "custom"

    @property
    def arithmetic(self) -> tuple[Channels, Channels, float]:
        """All but the name: two that share it give the same values."""
        return self.mean, self.std, self.scale

    def __post_init__(self) -> None:
        values = [*self.mean, *self.std, self.scale]
        three = len(self.mean) == 3 and len(self.std) == 3
        if not three or not all(map(math.isfinite, values)) or min(*self.std, self.scale) <= 0:
            raise AugmentationError(
                f"mean={self.mean}, std={self.std}, scale={self.scale}: three finite numbers each are wanted for mean "
                "and std, and positive deviations and scale"
            )


@dataclass(frozen=True)
class PerImageNormalisation:
    """(x - mean) / std, by channel of RGB, with each image's own mean and standard deviation; x from 0 to 255.

    Attributes:
        least_std: taken where an image's deviation is smaller: a picture of one colour becomes 0.
        name: what the metadata call it.
    """

    least_std: float = 1.0
    name: str = "zscore"


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), name="imagenet")
MINMAX = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), name="minmax")
"""From 0 to 1."""


@dataclass(frozen=True)
class Release:
    """Published weights of one backbone, where they are, and the transform that they were evaluated with.

    Attributes:
        name: what `RAKUTEN_WEIGHTS` calls them.
        file: name of the state-dict file.
        resize, crop, interpolation: the shorter side is resized to `resize`, the centre (crop, crop) is cut out.
        sha256: of the file, or its first digits.
        distribution: the installed distribution that holds the file at the path `file`.
        extra: this project's extra that installs that distribution; "" where it always comes along.
        repository: the Hugging Face repository that holds the file.

    With neither distribution nor repository, torchvision's server has the file.
    """

    name: str
    file: str
    resize: int
    crop: int
    interpolation: Interpolation
    sha256: str = ""
    distribution: str = ""
    extra: str = ""
    repository: str = ""

    @property
    def file_name(self) -> str:
        """The file's own name, without folders."""
        return self.file.rpartition("/")[2]

    @property
    def address(self) -> str:
        """What a person can fetch: the file's address, or the package that holds it."""
        if self.distribution:
            return f"the package {self.distribution}"
        if self.repository:
            return f"https://huggingface.co/{self.repository}/resolve/main/{self.file}"
        return CHECKPOINT_ADDRESS + self.file


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    Attributes:
        name: what `RAKUTEN_BACKBONE` calls it.
        builder: `package.module:function`; called with this value, it returns the network as a torch module with
            random weights.
        architecture: what the builder calls the network.
        feature_dim: length of a feature row. 0: only the library knows, and `describer` is asked.
        parameters: of the whole network with its classifier, as published; 0 where unknown.
        classifier: dotted name of the layer that is replaced by the identity. What remains gives the penultimate,
            pooled features, float32 (n, feature_dim). "": the network has no classifier.
        releases: published weights; the first is the default.
        normalisation: what the published weights were trained with.
        distributions: the installed distributions that the network's code comes from, and that must be there.
        extra: this project's extra that installs them; "" where they always come along.
        document_side: side of the input where the preprocessing is the document's.
        blocked_kernels: whether OpenVINO's blocked convolution kernels were measured to be faster.
        describer: `package.module:function`; called with this value in the child process, it returns a complete one.
    """

    name: str
    builder: str
    architecture: str
    feature_dim: int
    parameters: int
    classifier: str
    releases: tuple[Release, ...] = ()
    normalisation: Normalisation = IMAGENET
    distributions: tuple[str, ...] = ("torch",)
    extra: str = ""
    document_side: int = 224
    blocked_kernels: bool = False
    describer: str = ""

    @property
    def family(self) -> str:
        """The name as one part of an asset key and of a file's name: `timm:resnet18.a1_in1k` is
        `timm_resnet18_a1_in1k`."""
        return re.sub(r"[^A-Za-z0-9_]", "_", self.name)

    @property
    def default_release(self) -> str:
        """Name of the first release; `pretrained`, which there may be none of, where none is known here."""
        return self.releases[0].name if self.releases else PRETRAINED

    @property
    def brings_weights(self) -> bool:
        """Whether its default weights come from the package index, with this project or with an extra."""
        return bool(self.releases) and bool(self.releases[0].distribution)

    def release(self, name: str) -> Release:
        """The published weights called `name`; `pretrained` is the first of them.

        Raises:
            WeightsError: there are none of that name.
        """
        for release in self.releases:
            if name in (release.name, PRETRAINED):
                return release
        known = ", ".join(release.name for release in self.releases) or "there are none"
        raise WeightsError(
            f"RAKUTEN_WEIGHTS={name!r} is neither published weights of {self.name} ({known}), nor `seeded`, "
            "nor an existing .pth or .safetensors file"
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it; `from_dict` makes the same value again."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Backbone:
        """The value that `as_dict` described, also after a way through JSON."""
        norm = content["normalisation"]
        return cls(
            **{
                **content,
                "releases": tuple(Release(**release) for release in content["releases"]),
                "normalisation": Normalisation(
                    tuple(norm["mean"]), tuple(norm["std"]), norm["scale"], norm["name"]
                ),
                "distributions": tuple(content["distributions"]),
            }
        )

    @property
    def function(self) -> dict[str, Any]:
        """The fingerprint's part: what of this value a feature row depends on, besides the weights' bytes."""
        return {
            "name": self.name,
            "builder": self.builder,
            "architecture": self.architecture,
            "classifier": self.classifier,
        }
