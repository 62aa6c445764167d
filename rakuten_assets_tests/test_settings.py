from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError
from upath import UPath

from rakuten_assets.errors import SettingsError
from rakuten_assets.settings import Settings, variable_names
from rakuten_assets.storage.files import is_local


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("RAKUTEN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(**overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.load(**overrides)
    return str(caught.value)


def test_nothing_set_means_the_synthetic_catalogue() -> None:
    settings = Settings.load()
    assert settings.is_synthetic
    assert settings.backbones == ("efficientnet_b0", "efficientnet_lite0")
    assert [settings.weights_of(name) for name in settings.backbones] == ["seeded", "pretrained"]
    assert (settings.shards, settings.device) == (16, "auto")
    assert settings.storage == UPath("storage").absolute()


def test_real_data_mean_imagenet_weights_unless_others_are_asked_for() -> None:
    assert Settings.load(data_dir="somewhere").backbones == ("efficientnet_b0",)
    for settings, expected in (
        (Settings.load(data_dir="somewhere"), "IMAGENET1K_V1"),
        (Settings.load(data_dir="somewhere", weights="w.pth"), "w.pth"),
        (Settings.load(weights="IMAGENET1K_V1"), "IMAGENET1K_V1"),
        (Settings.load(weights="pretrained"), "IMAGENET1K_V1"),
    ):
        assert settings.weights_of("efficientnet_b0") == expected


def test_backbones_are_a_list_in_order() -> None:
    settings = Settings.load(backbone="resnet18, efficientnet_b0,vit_b_16")
    assert settings.backbones == ("resnet18", "efficientnet_b0", "vit_b_16")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("resnet18,resnet18", "'resnet18' and 'resnet18' would share the name resnet18"),
        ("resnet18,", "'' is no backbone"),
        ("resnet18,efficientnet-b0", "did you mean 'efficientnet_b0'"),
        ("timm:", "'timm:' is no backbone"),
    ],
)
def test_backbones_that_cannot_be_are_refused(value: str, said: str) -> None:
    message = refusal(backbone=value)
    assert message.startswith(f"RAKUTEN_BACKBONE={value!r} is not allowed: ")
    assert said in message


def test_weights_are_one_value_for_all_or_one_for_each() -> None:
    names = "efficientnet_b0,resnet18,efficientnet_lite0"
    one = Settings.load(backbone=names, weights="seeded")
    assert {one.weights_of(name) for name in one.backbones} == {"seeded"}
    each = Settings.load(backbone=names, weights="resnet18=/a/w=1.pth, efficientnet_b0=IMAGENET1K_V1")
    assert [each.weights_of(name) for name in each.backbones] == ["IMAGENET1K_V1", "/a/w=1.pth", "pretrained"]
    assert Settings.load(weights="./w=1.pth").weights_of("resnet18") == "./w=1.pth"


def test_features_that_mean_nothing_are_evaluated_only_if_nothing_else_is_or_if_asked_for() -> None:
    assert Settings.load().evaluated == ("efficientnet_lite0",)
    assert Settings.load(evaluate="all").evaluated == ("efficientnet_b0", "efficientnet_lite0")
    assert Settings.load(evaluate="efficientnet_b0").evaluated == ("efficientnet_b0",)
    assert Settings.load(backbone="efficientnet_b0").evaluated == ("efficientnet_b0",)
    names = "resnet18,vit_b_16,efficientnet_b0"
    assert Settings.load(backbone=names, weights="seeded").evaluated == tuple(names.split(","))
    assert Settings.load(data_dir="somewhere", backbone=names).evaluated == tuple(names.split(","))
    chosen = Settings.load(backbone=names, evaluate="efficientnet_b0, resnet18")
    assert chosen.evaluated == ("efficientnet_b0", "resnet18")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("resnet18", "'resnet18' is none of the backbones (efficientnet_b0, efficientnet_lite0)"),
        ("efficientnet_lite0,all", "'all' is none of the backbones"),
        ("efficientnet_lite0,", "'' is none of the backbones"),
        ("efficientnet_b0,efficientnet_b0", "'efficientnet_b0' stands there twice"),
    ],
)
def test_what_is_not_extracted_cannot_be_evaluated(value: str, said: str) -> None:
    message = refusal(evaluate=value)
    assert message.startswith(f"RAKUTEN_EVALUATE={value!r} is not allowed: ")
    assert said in message


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("resnet19=seeded", "did you mean 'resnet18'"),
        ("w=1.pth", "'w' is no backbone"),
        ("resnet18=seeded,resnet18=x.pth", "stands there twice"),
        ("resnet18=seeded,x.pth", "is not `backbone=weights`"),
        ("resnet18=", "is not `backbone=weights`"),
    ],
)
def test_weights_of_no_backbone_are_refused(value: str, said: str) -> None:
    message = refusal(weights=value)
    assert message.startswith(f"RAKUTEN_WEIGHTS={value!r} is not allowed: ")
    assert said in message


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAKUTEN_DATA_DIR", "/data/rakuten")
    monkeypatch.setenv("RAKUTEN_STORAGE", "memory://bucket/results")
    monkeypatch.setenv("RAKUTEN_SHARDS", "4")
    monkeypatch.setenv("RAKUTEN_ALLOW_DOWNLOAD", "true")
    monkeypatch.setenv("RAKUTEN_UNREADABLE_FAIL", "0.5")
    settings = Settings.load()
    assert settings.data_dir == UPath("/data/rakuten")
    assert settings.storage.protocol == "memory"
    assert (settings.shards, settings.allow_download, settings.unreadable_fail) == (4, True, 0.5)
    assert not settings.is_synthetic


def test_a_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(Settings.load(storage="~/results").storage) == "/home/someone/results"


@pytest.mark.parametrize("address", ["file:///data/x", "local:///data/x"])
def test_a_file_address_becomes_a_plain_path(address: str) -> None:
    for path in (Settings.load(storage=address).storage, Settings.load(data_dir=address).data_dir):
        assert path is not None
        assert is_local(path)
        assert path == Path("/data/x")


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAKUTEN_DATA_DIR", "")
    monkeypatch.setenv("RAKUTEN_SHARDS", "")
    Path(".env").write_text("RAKUTEN_BATCH_SIZE=\nRAKUTEN_THREADS\n")
    settings = Settings.load()
    assert settings.data_dir is None
    assert (settings.shards, settings.batch_size) == (16, 0)


def test_the_order_is_argument_environment_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        '# comment\nRAKUTEN_SHARDS="2"\nRAKUTEN_THREADS=2\nRAKUTEN_BATCH_SIZE=2\nOTHER_TOOL=x\n'
    )
    monkeypatch.setenv("RAKUTEN_THREADS", "3")
    monkeypatch.setenv("RAKUTEN_BATCH_SIZE", "3")
    settings = Settings.load(batch_size=4)
    assert (settings.shards, settings.threads, settings.batch_size) == (2, 3, 4)


@pytest.mark.parametrize("source", ["environment", ".env"])
@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("RAKUTEN_SHARDS", "0", "greater than or equal to 1"),
        ("RAKUTEN_SHARDS", "4097", "less than or equal to 4096"),
        ("RAKUTEN_SHARDS", "many", "valid integer"),
        ("RAKUTEN_SHARDS", "1e1", "valid integer"),
        ("RAKUTEN_SHARDS", "1.5", "valid integer"),
        ("RAKUTEN_DEVICE", "tpu", "'auto', 'cpu' or 'cuda'"),
        ("RAKUTEN_BACKBONE", "efficientnet", "'efficientnet_b0'"),
        ("RAKUTEN_PRECISION", "F32", "'f32'"),
        ("RAKUTEN_BATCH_SIZE", "-1", "greater than or equal to 0"),
        ("RAKUTEN_ALLOW_DOWNLOAD", "perhaps", "valid boolean"),
        ("RAKUTEN_UNREADABLE_FAIL", "1.5", "less than or equal to 1"),
        ("RAKUTEN_UNREADABLE_WARN", "nan", "or equal to 1"),
        ("RAKUTEN_SYNTHETIC_TRAIN_ROWS", "26", "greater than or equal to 27"),
        ("RAKUTEN_DATA_DIR", "nosuch://place", "Unsupported filesystem: 'nosuch'"),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, source: str, name: str, value: str, allowed: str
) -> None:
    if source == "environment":
        monkeypatch.setenv(name, value)
    else:
        Path(".env").write_text(f"{name}={value}\n")
    message = refusal()
    assert message.startswith(f"{name}={value!r} is not allowed: ")
    assert allowed in message
    assert message.count("\n") == 0


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAKUTEN_SHARDS", "0")
    monkeypatch.setenv("RAKUTEN_DEVICE", "tpu")
    lines = refusal().split("\n")
    assert [line.split("=")[0] for line in lines] == ["RAKUTEN_SHARDS", "RAKUTEN_DEVICE"]


def test_thresholds_must_be_in_order() -> None:
    message = refusal(unreadable_warn=0.2, unreadable_fail=0.1)
    assert message == (
        "RAKUTEN_UNREADABLE_WARN (0.2) is above RAKUTEN_UNREADABLE_FAIL (0.1); allowed: warn <= fail"
    )
    assert Settings.load(unreadable_warn=0.1, unreadable_fail=0.1).unreadable_warn == 0.1


def test_a_misspelt_name_is_refused_with_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAKUTEN_SHARD", "4")
    assert refusal() == (
        "RAKUTEN_SHARD in the environment is not a setting of this project; did you mean RAKUTEN_SHARDS?"
    )


@pytest.mark.parametrize("source", ["environment", ".env"])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RAKUTEN_BACKBONES", "BACKBONE"),
        ("RAKUTEN_DATADIR", "DATA_DIR"),
        ("RAKUTEN_DIR_DATA", "DATA_DIR"),
        ("RAKUTEN_BATCHSIZE", "BATCH_SIZE"),
        ("RAKUTEN_SHRADS", "SHARDS"),
        ("RAKUTEN_WIEGHTS", "WEIGHTS"),
        ("RAKUTEN_DEVICES", "DEVICE"),
        ("RAKUTEN_UNREADABLE_WARNING", "UNREADABLE_WARN"),
        ("rakuten_shard", "SHARDS"),
        ("Rakuten_Storge", "STORAGE"),
    ],
)
def test_near_misses_are_refused_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch, source: str, name: str, meant: str
) -> None:
    if source == "environment":
        monkeypatch.setenv(name, "4")
    else:
        Path(".env").write_text(f"{name}=4\n")
    where = "the environment" if source == "environment" else ".env"
    assert refusal() == (f"{name} in {where} is not a setting of this project; did you mean RAKUTEN_{meant}?")


@pytest.mark.parametrize("source", ["environment", ".env"])
@pytest.mark.parametrize(
    "name",
    ["RAKUTEN_APPLICATION_ID", "RAKUTEN_APP_ID", "RAKUTEN_AFFILIATE_ID", "RAKUTEN_API_KEY", "rakuten_token",
     "RAKUTEN_SERVICE_SECRET", "RAKUTEN_LICENSE_KEY", "RAKUTEN_SHOP_ID", "RAKUTEN_LOG_LEVEL", "RAKUTEN_HOST",
     "RAKUTEN_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", "RAKUTEN_"],
)  # fmt: skip
def test_keys_of_other_programs_are_named_once_and_ignored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, source: str, name: str
) -> None:
    if source == "environment":
        monkeypatch.setenv(name, "secret")
    else:
        Path(".env").write_text(f"{name}=secret\n")
    assert Settings.load() == Settings()
    caplog.clear()
    Settings.load()
    assert caplog.messages == [f"{name} is not a setting of this project: ignored"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RAKUTEN_ASSETS_SERVICE_HOST", "10.0.0.7"),
        ("RAKUTEN_ASSETS_SERVICE_PORT", "3000"),
        ("RAKUTEN_ASSETS_SERVICE_PORT_HTTP", "3000"),
        ("RAKUTEN_ASSETS_PORT", "tcp://10.0.0.7:3000"),
        ("RAKUTEN_ASSETS_PORT_3000_TCP", "tcp://10.0.0.7:3000"),
        ("RAKUTEN_ASSETS_PORT_3000_TCP_PROTO", "tcp"),
        ("RAKUTEN_ASSETS_PORT_3000_TCP_ADDR", "10.0.0.7"),
        ("RAKUTEN_STORAGE_SERVICE_HOST", "10.0.0.7"),
        ("RAKUTEN_SHARD", "tcp://10.0.0.7:3000"),
        ("rakuten_assets_service_host", "10.0.0.7"),
    ],
)
def test_what_a_container_platform_sets_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert Settings.load().shards == 16
    assert caplog.messages == []


@pytest.mark.parametrize("source", ["environment", ".env"])
@pytest.mark.parametrize("name", ["rakuten_shards", "Rakuten_Shards", "RAKUTEN_shards"])
def test_the_case_of_letters_never_counts(monkeypatch: pytest.MonkeyPatch, source: str, name: str) -> None:
    if source == "environment":
        monkeypatch.setenv(name, "4")
    else:
        Path(".env").write_text(f"{name}=4\n")
    assert Settings.load().shards == 4


def test_one_setting_with_two_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAKUTEN_SHARDS", "4")
    monkeypatch.setenv("rakuten_shards", "4")
    assert Settings.load().shards == 4
    monkeypatch.setenv("rakuten_shards", "5")
    assert "are one setting with two values" in refusal()


def test_the_environment_wins_also_where_the_file_was_copied_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Dagster's commands do, letter for letter."""
    Path(".env").write_text("RAKUTEN_SHARDS=4\n")
    monkeypatch.setenv("RAKUTEN_SHARDS", "4")
    monkeypatch.setenv("rakuten_shards", "8")
    assert Settings.load().shards == 8


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffRAKUTEN_SHARDS=4\n",
        "RAKUTEN_SHARDS=4\r\nOTHER=1\r\n",
        "export RAKUTEN_SHARDS='4'",
        'RAKUTEN_SHARDS = "4"  # four\n',
        "OTHER_TOOL: yes\nRAKUTEN_SHARDS=4\n",
    ],
)
def test_a_file_of_any_editor_is_read(text: str) -> None:
    Path(".env").write_bytes(text.encode())
    assert Settings.load().shards == 4


@pytest.mark.parametrize("name", ["RAKUTEN_SHARDS", "rakuten_shards", "RAKUTEN_APP_ID"])
def test_a_line_with_a_colon_is_told_how_it_is_written(name: str) -> None:
    Path(".env").write_text(f"OTHER: x\n{name}: 4\n")
    assert refusal() == f".env, line 2: '{name}: 4' sets nothing; write {name}=4"


@pytest.mark.parametrize(
    ("line", "way_out"),
    [
        ("RAKUTEN_STORAGE /tmp/x", "write RAKUTEN_STORAGE=/tmp/x"),
        ("export RAKUTEN_SHARDS 4  # four", "write RAKUTEN_SHARDS=4"),
        ("RAKUTEN_SHARDS := 4", "write RAKUTEN_SHARDS=4"),
        ("RAKUTEN_SHARDS:", "write RAKUTEN_SHARDS=VALUE, or remove the line"),
        ('"RAKUTEN_SHARDS"=4', "write RAKUTEN_SHARDS=4"),
        *(
            (line, "write RAKUTEN_STORAGE=VALUE, the value in one pair of quotes or none")
            for line in (
                'RAKUTEN_STORAGE="/tmp/x',
                "RAKUTEN_STORAGE='/tmp/x",
                'RAKUTEN_STORAGE="/tmp/x" y',
                'RAKUTEN_STORAGE="/tmp/"x"',
            )
        ),
    ],
)
def test_a_line_that_sets_nothing_is_told_how_it_is_written(line: str, way_out: str) -> None:
    Path(".env").write_text(f"# ours\n\n  {line}\nOTHER=1\n")
    assert refusal() == f".env, line 3: {line!r} sets nothing; {way_out}"


def test_a_line_that_another_programs_open_quote_swallows_is_told() -> None:
    Path(".env").write_text('A=1\nOTHER="x\nRAKUTEN_STORAGE="/tmp/x"\n')
    told = refusal()
    assert told.startswith(".env, line 3: ")
    assert told.endswith("sets nothing; close the quote that is opened on line 2")


@pytest.mark.parametrize(
    "text",
    [
        "RAKUTEN_SHARDS=4\nOTHER\nexport OTHER\nOTHER /tmp/x\n: x\n",
        'RAKUTEN_SHARDS=4\nOTHER="x\n',
        "# RAKUTEN_SHARDS 5\nRAKUTEN_SHARDS=4 # it's four\n#RAKUTEN_STORAGE\n",
        "OTHER='\nRAKUTEN_SHARDS: 5\nRAKUTEN_STORAGE\n' # a text\nRAKUTEN_SHARDS=4\n",
        'RAKUTEN_SHARDS="4\n"\nRAKUTEN_STORAGE=\n',
        "RAKUTEN_SHARDS=4\nRAKUTEN_STORAGE=/tmp/l'avion\n",
        "RAKUTEN_SHARDS=4\nRAKUTEN_STORAGE='/tmp/x\"'\n",
        "\n\nRAKUTEN_SHARDS=4\n\n \n",
        'RAKUTEN_SHARDS=4\nRAKUTEN_APP_PASSWORD=abc"\nRAKUTEN_APP_NAME="x\n',
        'RAKUTEN_SHARDS=4\nRAKUTEN_STORAGE=/tmp/5"\nRAKUTEN_APP_PLACE here\n',
        "RAKUTEN_SHARDS=4\nRAKUTEN_BACKBONE  # which?\nexport RAKUTEN_THREADS\n",
    ],
)
def test_lines_of_others_comments_and_quoted_lines_are_let_be(text: str) -> None:
    Path(".env").write_text(text)
    assert Settings.load().shards == 4


@pytest.mark.parametrize(
    "line",
    [
        "RAKUTEN_WEBHOOK {}",
        "RAKUTEN_WEBHOOK: {}",
        'rakuten_webhook="{}',
        "RAKUTEN_APP_SECRET: {}",
        "RAKUTEN_WEBHOK: {}",
    ],
)
def test_a_secret_is_not_shown_where_its_line_sets_nothing(line: str) -> None:
    Path(".env").write_text(line.format("https://hooks.example/T0/s3cr3t"))
    told = refusal()
    assert ".env, line 1: the line of " in told
    assert "s3cr3t" not in told


def test_a_secret_with_two_values_is_not_shown() -> None:
    Path(".env").write_text("RAKUTEN_WEBHOOK=https://a/s3cr3t\nrakuten_webhook=https://b/s3cr3t\n")
    told = refusal()
    assert "RAKUTEN_WEBHOOK=... and rakuten_webhook=..." in told
    assert "s3cr3t" not in told


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere"])
def test_what_is_no_file_is_told_and_nothing_is_read(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ".env"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # Whoever reads it waits for ever.
    else:
        path.symlink_to("nowhere")
    assert Settings.load().shards == 16
    assert f"{path} is no file: no settings are read from it" in caplog.text


@pytest.mark.parametrize("part", ["pyvenv.cfg", "conda-meta", "bin"])
def test_an_environment_named_so_is_let_be(
    tmp_path: Path, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env" / part).mkdir(parents=True)
    assert Settings.load().shards == 16
    assert not caplog.text


def test_an_empty_device_named_so_is_let_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ".env").symlink_to(os.devnull)
    assert Settings.load().shards == 16
    assert not caplog.text


def test_without_a_home_folder_a_tilde_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert "no home folder is known for ~; write the whole path" in refusal(storage="~/results")


def test_a_file_that_is_no_text_is_refused() -> None:
    Path(".env").write_bytes(b"RAKUTEN_SHARDS=\xff\xfe\n")
    assert ".env cannot be read as UTF-8 text" in refusal()


def test_an_unknown_argument_is_refused() -> None:
    assert "RAKUTEN_SHARD=" in refusal(shard=4)


def test_settings_do_not_change_once_loaded() -> None:
    settings = Settings.load()
    with pytest.raises(ValidationError):
        settings.shards = 4


def test_every_setting_is_described_for_the_readme() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_names_follow_the_fields() -> None:
    assert variable_names() == [f"RAKUTEN_{name.upper()}" for name in Settings.model_fields]
    expected = {"DATA_DIR", "STORAGE", "SHARDS", "BACKBONE", "WEIGHTS", "DEVICE", "BATCH_SIZE"}
    assert {f"RAKUTEN_{name}" for name in expected} <= set(variable_names())
