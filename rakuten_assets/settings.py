"""Every knob of the project: one typed, documented, frozen object, read from `RAKUTEN_*` variables.

`Settings.load()` reads the environment, then `.env` of the working folder, then `.env` of the project's root; what is
found first wins. It refuses a wrong value with the variable's name, the value and what is allowed. Which names count:
`variables`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.backbones.specification import PRETRAINED, SEEDED
from rakuten_assets.errors import SettingsError
from rakuten_assets.images.limits import DecodeLimits
from rakuten_assets.project import project_root
from rakuten_assets.storage.files import is_local
from rakuten_assets.storage.reading import at_address
from rakuten_assets.variables import PREFIX, given_variables

ALL = "all"
"""Every backbone, as a value of `evaluate`."""

_SECRETS = ("webhook",)
"""Settings whose value is shown nowhere."""

MAY_DIFFER = (
    "allow_download", "batch_size", "device", "executor", "image_cache_gb", "interface", "threads", "webhook",
)  # fmt: skip
"""Settings that belong to a machine, not to the work. What a GPU computes is told apart by its numeric profile."""

_WEIGHTS_BY_NAME = re.compile(r"[A-Za-z0-9_.:-]+=")

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Settings(BaseSettings):
    """What a run depends on. Field `x` is read from the variable `RAKUTEN_X`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_dir: UPath | None = Field(
        None,
        description="Folder of the challenge's files (three CSVs and `images/`). "
        "Unset: a synthetic catalogue is generated and used.",
    )
    storage: UPath = Field(
        UPath("storage"),
        validate_default=True,
        description="Folder (or bucket address) that everything is written to; `outputs/` in it is for you. A "
        "relative one lies in the root of the project that the working folder is in; from elsewhere, beside "
        "`DAGSTER_HOME` where that is set, else in the working folder.",
    )
    shards: int = Field(
        16, ge=1, le=4096, description="Number of shards (partitions) that images are split into."
    )
    shards_per_run: int = Field(
        0,
        ge=0,
        le=4096,
        description="Shards that one run of a backfill covers, so that several workers can share them; 0: one run "
        "covers all. Above 0, launch ranges of shards from the interface: the command line's `--partition-range` is "
        "one run.",
    )
    backbone: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks that turn an image into a feature vector: one, or several with commas between; each "
        "gets features of its own, the first one is *the* extractor. Allowed: the table of backbones, and "
        "`timm:<name>`. Default: `efficientnet_b0`; with the synthetic catalogue `efficientnet_b0,efficientnet_lite0`.",
    )
    weights: str = Field(
        "",
        description="Weights of the backbones: a published name (`IMAGENET1K_V1`; `pretrained` is the first of "
        "each), a `.pth` or `.safetensors` state-dict file, or `seeded` (random but calibrated: for trying things "
        "out). One value for all, or `name=value,name=value`. Default: `pretrained`; with the synthetic catalogue "
        "`seeded`, except where the weights come with a package.",
    )
    evaluate: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Backbones whose features get a head and its reports: names out of `RAKUTEN_BACKBONE` with commas "
        "between, or `all`. Default: those whose weights are not `seeded`; all where every backbone's are.",
    )
    allow_download: bool = Field(
        False, description="Whether torchvision may fetch missing pretrained weights from the network."
    )
    finetune: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Backbones to fine-tune, with commas between; each gets the asset `<name>/fine_tuned_weights`, and "
        "the job `fine_tuning` makes them. Unset: the graph has no such asset.",
    )
    finetune_options: str = Field(
        "",
        description="How, as `name=value,name=value`; the table of options says what there is.",
    )
    preprocessing: Literal["document", "preset"] = Field(
        "document",
        description="`document`: resize to 224x224, bilinear, no crop. `preset`: the transform that the "
        "weights were evaluated with.",
    )
    normalisation: Literal["weights", "imagenet", "minmax", "zscore", "dataset"] = Field(
        "weights",
        description="What is done to pixel values before the network. `weights`: what the weights were trained with; "
        "any other one usually costs accuracy. `imagenet`: ImageNet's mean and deviation. `minmax`: from 0 to 1. "
        "`zscore`: each image's own mean and deviation. `dataset`: those of the train images, out of "
        "`dataset_statistics`.",
    )
    crop: Literal["none", "border"] = Field(
        "none",
        description="`border`: an image's white border is cut off before the resize (white as in `image_scan`: every "
        "channel at least 245).",
    )
    crop_margin: Share = Field(
        0.05,
        description="What `RAKUTEN_CROP=border` leaves around the content on each side, as a share of its longer side.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the backbone runs.")
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto", description="Inference engine; `auto` is the fastest exact one for the device."
    )
    precision: Literal["f32", "bf16", "f16", "int8"] = Field(
        "f32",
        description="Arithmetic of the backbone; `bf16`, `f16` and `int8` are faster and not exact. `int8` needs "
        "`pip install 'rakuten_assets[int8]'` and a CPU, and is refused where the features suffer.",
    )
    numerics: Literal["native", "portable"] = Field(
        "native",
        description="`native`: this CPU's fastest exact kernels. `portable`: the same bits on every x86-64 CPU with "
        "AVX2, for storages that several kinds of machines work on; slower where there is AVX-512.",
    )
    batch_size: int = Field(
        0,
        ge=0,
        le=4096,
        description="Images per inference call; 0 lets the engine choose. Never changes a result.",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="Threads to work with; 0 means all cores that this process may use."
    )
    executor: Literal["in_process", "multiprocess"] = Field(
        "in_process",
        description="How a Dagster run executes its steps: in the run's own process (lowest overhead and "
        "memory) or each in a process of its own.",
    )
    image_cache_gb: float = Field(
        10.0,
        ge=0,
        le=100_000,
        description="Gigabytes of a bucket's images that are kept on this machine's disk, in "
        "`$XDG_CACHE_HOME/rakuten_assets/images` (else below `~/.cache`), so that each is fetched once; 0: none.",
    )
    synthetic_train_rows: int = Field(
        960, ge=27, le=200_000, description="Train rows of the synthetic catalogue."
    )
    synthetic_test_rows: int = Field(
        144, ge=1, le=200_000, description="Test rows of the synthetic catalogue."
    )
    synthetic_seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of the synthetic catalogue.")
    max_file_bytes: int = Field(
        DecodeLimits.max_file_bytes,
        ge=1,
        description="Bytes of an image file; a larger one is refused unread, with a reason code.",
    )
    max_pixels: int = Field(
        DecodeLimits.max_pixels,
        ge=1,
        description="Pixels of an image; one with more is refused from its header, before any decode.",
    )
    max_memory: int = Field(
        DecodeLimits.max_memory,
        ge=1,
        description="Bytes of memory that the images being decoded may take together, in one process. An image that "
        "takes more by itself is refused from its header; large ones wait for one another. The default is enough for "
        "50 megapixels of JPEG or PNG and for 30 of WebP, on a machine with 1 GB.",
    )
    unreadable_warn: Share = Field(0.001, description="Share of unreadable images that raises a warning.")
    unreadable_fail: Share = Field(0.05, description="Share of unreadable images that fails the run.")
    blank_warn: Share = Field(
        0.002,
        description="Share of blank and nearly blank images that raises a warning; the real catalogue has 0.0001 of "
        "exactly one colour, the synthetic one 0.0018 of both.",
    )
    duplicate_warn: Share = Field(
        0.01, description="Share of images that repeat another one byte for byte that raises a warning."
    )
    conflict_warn: Share = Field(
        0.0, description="Share of train rows whose picture also has another class that raises a warning."
    )
    twin_warn: Share = Field(
        0.0, description="Share of test rows whose picture is also in train that raises a warning."
    )
    odd_warn: Share = Field(
        0.05, description="Share of images of another size or mode than most that raises a warning."
    )
    drift_warn: float = Field(
        0.25,
        ge=0.0,
        description="Difference between train and test in brightness, contrast, file size..., in standard "
        "deviations, that raises a warning.",
    )
    suspect_warn: Share = Field(
        0.25,
        description="Share of train rows whose label their picture contradicts that raises a warning; a weak head "
        "suspects much.",
    )

    webhook: SecretStr | None = Field(
        None,
        description="Address that the sensor `alerts` posts failed runs, and checks that failed or warned, to, as JSON "
        "that Slack's incoming webhooks take. Unset: there is no such sensor.",
    )
    interface: str = Field(
        "http://127.0.0.1:3000", description="Address of Dagster's interface, for the links of `alerts`."
    )

    keep_runs_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days that Dagster's records of a run are kept once all that it made was made again; 0: for ever. "
        "The sensor `old_runs` deletes them.",
    )

    @field_validator("webhook", "interface")
    @classmethod
    def _web_address(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not _is_web_address(text):
            raise ValueError("not a web address; allowed: http://... or https://..., without a user's name")
        return value.rstrip("/") if isinstance(value, str) else value

    @field_validator("data_dir", "storage", mode="before")
    @classmethod
    def _as_path(cls, value: Any) -> Any:
        return at_address(value) if isinstance(value, str) else value

    @field_validator("storage")
    @classmethod
    def _below_the_project(cls, value: UPath) -> UPath:
        """A relative folder as an absolute one, the same from every folder of the project."""
        return UPath(project_root() / value) if is_local(value) and not value.is_absolute() else value

    @field_validator("backbone", "evaluate", "finetune", mode="before")
    @classmethod
    def _as_names(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @field_validator("backbone", "finetune")
    @classmethod
    def _known_and_different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        families: dict[str, str] = {}
        for name in names:
            family = _backbone(name).family
            if family in families:
                raise ValueError(
                    f"{families[family]!r} and {name!r} would share the name {family}; leave one out"
                )
            families[family] = name
        return names

    @field_validator("weights")
    @classmethod
    def _for_known_backbones(cls, value: str) -> str:
        for name in _weights_by_backbone(value):
            _backbone(name)
        return value

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Settings:
        if self.unreadable_warn > self.unreadable_fail:
            raise ValueError(
                f"{PREFIX}UNREADABLE_WARN ({self.unreadable_warn}) is above "
                f"{PREFIX}UNREADABLE_FAIL ({self.unreadable_fail}); allowed: warn <= fail"
            )
        return self

    @model_validator(mode="after")
    def _evaluated_are_extracted(self) -> Settings:
        for place, name in enumerate(self.evaluate):
            known = name in self.backbones
            if self.evaluate == (ALL,) or (known and name not in self.evaluate[:place]):
                continue
            why = "stands there twice" if known else f"is none of the backbones ({', '.join(self.backbones)})"
            raise ValueError(
                f"{PREFIX}EVALUATE={','.join(self.evaluate)!r} is not allowed: {name!r} {why}; allowed: names out of "
                f"{PREFIX}BACKBONE, or `{ALL}`"
            )
        return self

    @property
    def limits(self) -> DecodeLimits:
        """What is refused of an image before it is decoded."""
        return DecodeLimits(self.max_file_bytes, self.max_pixels, self.max_memory)

    @property
    def is_synthetic(self) -> bool:
        """Whether the embedded synthetic catalogue stands in for real data."""
        return self.data_dir is None

    @property
    def backbones(self) -> tuple[str, ...]:
        """Names of the backbones, the first of them first: `backbone`, or the default that goes with the data."""
        if self.backbone:
            return self.backbone
        return ("efficientnet_b0", "efficientnet_lite0") if self.is_synthetic else ("efficientnet_b0",)

    @property
    def evaluated(self) -> tuple[str, ...]:
        """Names of the evaluated backbones: `evaluate`, or the default that goes with the weights."""
        if self.evaluate == (ALL,):
            return self.backbones
        if self.evaluate:
            return self.evaluate
        trained = tuple(name for name in self.backbones if self.weights_of(name) != SEEDED)
        return trained or self.backbones

    def weights_of(self, backbone: str) -> str:
        """The weights of one backbone: from `weights`, or the default that goes with the data."""
        spec = find_backbone(backbone)
        by_name = _weights_by_backbone(self.weights)
        chosen = by_name.get(backbone, "" if by_name else self.weights)
        if not chosen and self.is_synthetic and not spec.brings_weights:
            return SEEDED
        return spec.default_release if chosen in ("", PRETRAINED) else chosen

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read the settings from the environment and `.env` files; keyword arguments win over both.

        Raises:
            SettingsError: naming each variable, its value and what is allowed.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Variables(settings_cls)


class _Variables(PydanticBaseSettingsSource):
    """The environment and `.env` files, read alike."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        secret = [PREFIX + name.upper() for name in _SECRETS]
        given = given_variables(variable_names(), _env_folders(), secret)
        return {name.removeprefix(PREFIX).lower(): value for name, value in given.items()}


def _env_folders() -> tuple[Path, ...]:
    """Relative where it is the working folder: messages then say `.env`."""
    root = project_root()
    return (Path(),) if root == Path.cwd() else (Path(), root)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        whole = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
        )
        return whole and "@" not in parts.netloc and not re.search(r"\s", text)
    except ValueError:  # such as a bracket that does not end, or a port of letters
        return False


def _backbone(name: str) -> Any:
    try:
        return find_backbone(name)
    except SettingsError as error:
        raise ValueError(str(error)) from None


def _weights_by_backbone(weights: str) -> dict[str, str]:
    """`name=value,name=value` as a mapping; empty where `weights` is one value for all."""
    if not _WEIGHTS_BY_NAME.match(weights):
        return {}
    pairs = [part.strip().partition("=") for part in weights.split(",")]
    found: dict[str, str] = {}
    for name, equals, value in pairs:
        if not equals or not value or name in found:
            raise ValueError(
                f"{name!r} is not `backbone=weights`, or stands there twice; write `name=value,name=value`, and a file "
                "whose name holds `=` with its folder: `./a=b.pth`"
            )
        found[name] = value
    return found


def shown_value(name: str, value: Any) -> str:
    """A field's value for a message."""
    return "..." if name in _SECRETS else repr(value)


def variable_names() -> list[str]:
    """Every variable that `Settings` reads, in the order of its fields."""
    return [PREFIX + name.upper() for name in Settings.model_fields]


def settings_table() -> str:
    """The settings as the README's Markdown table: variable, default, what it is for."""
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default in (None, "", ()) else f"`{field.default}`"
        about = " ".join((field.description or "").split())
        if allowed := get_args(field.annotation) if get_origin(field.annotation) is Literal else ():
            about += f" Allowed: {', '.join(f'`{value}`' for value in allowed)}."
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {about} |")
    return "\n".join(lines)


def _explain(error: ValidationError) -> str:
    lines: dict[str, str] = {}
    given: dict[str, Any] = {}
    for problem in error.errors():
        if not problem["loc"]:
            lines[""] = str(problem["ctx"]["error"]) if "ctx" in problem else problem["msg"]
            continue
        name = str(problem["loc"][0])
        # A location is tried as several types: the first problem holds the value, the last says most.
        value = given.setdefault(name, problem["input"])
        field = Settings.model_fields.get(name)
        shown = shown_value(name, value)
        about = f" ({field.description})" if field is not None and field.description else ""
        lines[name] = f"{PREFIX}{name.upper()}={shown} is not allowed: {problem['msg']}{about}"
    return "\n".join(lines.values())
