"""Every knob of the project: one typed, documented, frozen object, read from `RAKUTEN_*` variables.

`Settings.load()` reads the environment and a `.env` file of the working folder (the environment wins),
refuses a wrong value with the variable's name, the value and what is allowed, and refuses a misspelt name
too: a setting that is silently ignored is worse than none.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from dotenv import dotenv_values
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from upath import UPath

from rakuten_assets.errors import SettingsError

PREFIX = "RAKUTEN_"
ENV_FILE = ".env"
SEEDED = "seeded"

Backbone = Literal[
    "efficientnet_b0",
    "efficientnet_b3",
    "efficientnet_b7",
    "resnet18",
    "resnet50",
    "resnet101",
    "densenet121",
    "mobilenet_v3_large",
    "convnext_tiny",
    "vit_b_16",
]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Settings(BaseSettings):
    """What a run depends on. Field `x` is read from the variable `RAKUTEN_X`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    data_dir: UPath | None = Field(
        None,
        description="Folder of the challenge's files (three CSVs and `images/`). "
        "Unset: a synthetic catalogue is generated and used.",
    )
    storage: UPath = Field(
        UPath("storage"),
        description="Folder (or bucket address) that everything is written to; `outputs/` in it is for you.",
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
    backbone: Backbone = Field(
        "efficientnet_b0", description="CNN that turns an image into a feature vector."
    )
    weights: str = Field(
        "",
        description="Weights of the backbone: a torchvision name (`IMAGENET1K_V1`), a `.pth` or "
        "`.safetensors` state-dict file, or `seeded` (random but calibrated: for trying things out). "
        "Default: `IMAGENET1K_V1` with real data, `seeded` with the synthetic catalogue.",
    )
    allow_download: bool = Field(
        False, description="Whether torchvision may fetch missing pretrained weights from the network."
    )
    preprocessing: Literal["document", "preset"] = Field(
        "document",
        description="`document`: resize to 224x224, bilinear, no crop. `preset`: the transform that the "
        "weights were evaluated with.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the backbone runs.")
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto", description="Inference engine; `auto` is the fastest exact one for the device."
    )
    precision: Literal["f32", "bf16", "f16"] = Field(
        "f32", description="Arithmetic of the backbone; `bf16` and `f16` are faster and not exact."
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
    synthetic_train_rows: int = Field(
        2000, ge=27, le=200_000, description="Train rows of the synthetic catalogue."
    )
    synthetic_test_rows: int = Field(
        320, ge=1, le=200_000, description="Test rows of the synthetic catalogue."
    )
    synthetic_seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of the synthetic catalogue.")
    max_file_bytes: int = Field(
        50_000_000, ge=1, description="A larger image file is refused unread, with a reason code."
    )
    max_pixels: int = Field(
        50_000_000,
        ge=1,
        description="An image with more pixels is refused from its header, before any decode.",
    )
    unreadable_warn: Share = Field(0.001, description="Share of unreadable images that raises a warning.")
    unreadable_fail: Share = Field(0.05, description="Share of unreadable images that fails the run.")
    blank_warn: Share = Field(0.001, description="Share of blank images that raises a warning.")
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

    @field_validator("data_dir", "storage", mode="before")
    @classmethod
    def _as_path(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        # As a plain path, so that `file:///x` gets memory maps and atomic renames like `/x`.
        return os.path.expanduser(re.sub(r"^(file|local)://", "", value))  # noqa: PTH111 - may be a bucket

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> Settings:
        if self.unreadable_warn > self.unreadable_fail:
            raise ValueError(
                f"{PREFIX}UNREADABLE_WARN ({self.unreadable_warn}) is above "
                f"{PREFIX}UNREADABLE_FAIL ({self.unreadable_fail}); allowed: warn <= fail"
            )
        return self

    @property
    def is_synthetic(self) -> bool:
        """Whether the embedded synthetic catalogue stands in for real data."""
        return self.data_dir is None

    @property
    def effective_weights(self) -> str:
        """`weights`, or the default that goes with the data."""
        return self.weights or (SEEDED if self.is_synthetic else "IMAGENET1K_V1")

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read the settings from the environment and `.env`; keyword arguments win over both.

        Raises:
            SettingsError: naming each variable, its value and what is allowed.
        """
        _refuse_unknown_names()
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
        return init_settings, env_settings, _DotEnv(settings_cls)


class _DotEnv(PydanticBaseSettingsSource):
    """`RAKUTEN_*` lines of `.env`; its other lines belong to other programs."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        value = _dotenv().get(PREFIX + field_name.upper())
        return value or None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def variable_names() -> list[str]:
    """Every variable that `Settings` reads, in the order of its fields."""
    return [PREFIX + name.upper() for name in Settings.model_fields]


def settings_table() -> str:
    """The settings as the README's Markdown table: variable, default, what it is for."""
    lines = ["| variable | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default in (None, "") else f"`{field.default}`"
        about = " ".join((field.description or "").split())
        if allowed := get_args(field.annotation) if get_origin(field.annotation) is Literal else ():
            about += f" Allowed: {', '.join(f'`{value}`' for value in allowed)}."
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {about} |")
    return "\n".join(lines)


def _dotenv() -> dict[str, str | None]:
    try:
        return dict(dotenv_values(ENV_FILE)) if Path(ENV_FILE).is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{Path(ENV_FILE).absolute()} cannot be read as UTF-8 text: {error}") from None


def _refuse_unknown_names() -> None:
    known = variable_names()
    for source, names in (("the environment", list(os.environ)), (ENV_FILE, list(_dotenv()))):
        for name in names:
            if name.startswith(PREFIX) and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}."
                raise SettingsError(f"{name} in {source} is not a setting of this project; {hint}")


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
        about = f" ({field.description})" if field is not None and field.description else ""
        lines[name] = f"{PREFIX}{name.upper()}={value!r} is not allowed: {problem['msg']}{about}"
    return "\n".join(lines.values())
