import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.extraction.networks import converted as converted_module
from rakuten_assets.extraction.networks.converted import ConvertedModel, converted_model
from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.extraction.preprocessing import preprocessing_for

RESNET = find_backbone("resnet18")
DOCUMENT = preprocessing_for(RESNET, "w.pth", "document")
WEIGHTS = WeightsSource("file", "w.pth", Path("w.pth"), "sha256:aa")


class Converter:
    """Stands in for the child process; counts its calls."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def __call__(self, action: str, request: dict[str, Any], last: bool = False) -> dict[str, Any]:
        self.requests.append(request)
        (Path(request["folder"]) / "model.xml").write_bytes(b"<net/>")
        (Path(request["folder"]) / "model.bin").write_bytes(bytes(range(256)))
        return {"state_sha256": "5" * 64, "torch": "9", "torchvision": "9"}


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Converter:
    converter = Converter()
    monkeypatch.setattr(converted_module, "run_in_torch_process", converter)
    return converter


def get(folder: UPath, log: Any = lambda message: None, **changes: Any) -> ConvertedModel:
    arguments = {"backbone": RESNET, "weights": WEIGHTS, "preprocessing": DOCUMENT, **changes}
    return converted_model(folder, log=log, **arguments)


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_model_is_converted_once(tmp_path: Path, converter: Converter, kind: str) -> None:
    folder = UPath(tmp_path / "cache") if kind == "local" else UPath(f"memory://{tmp_path.name}/cache")
    first, second = get(folder), get(folder)
    assert first == second
    assert (first.xml, first.bin, first.about["state_sha256"]) == (b"<net/>", bytes(range(256)), "5" * 64)
    assert len(converter.requests) == 1
    assert [path.suffix for path in (folder / "models").iterdir()] == [".zip"]
    assert not Path(converter.requests[0]["folder"]).exists()


def test_another_network_weights_or_normalisation_is_another_model(
    tmp_path: Path, converter: Converter
) -> None:
    folder = UPath(tmp_path)
    get(folder)
    get(folder, backbone=find_backbone("resnet50"))
    get(folder, weights=WeightsSource("file", "w.pth", Path("w.pth"), "sha256:bb"))
    get(folder, preprocessing=preprocessing_for(find_backbone("efficientnet_lite2"), "pretrained", "preset"))
    get(folder, preprocessing=preprocessing_for(RESNET, "w.pth", "document", "minmax"))
    get(folder, preprocessing=preprocessing_for(RESNET, "w.pth", "document", "zscore"))
    assert len(converter.requests) == 6
    assert converter.requests[-1]["normalisation"]["name"] == "zscore"
    # What is done to the image before is not inside the model.
    get(folder, preprocessing=preprocessing_for(RESNET, "w.pth", "document", crop_margin=0.1))
    assert len(converter.requests) == 6
    # Where the file lies does not matter.
    get(folder, weights=WeightsSource("file", "v.pth", Path("elsewhere/v.pth"), "sha256:aa"))
    assert len(converter.requests) == 6


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_model_is_reported_and_rebuilt(
    tmp_path: Path, converter: Converter, data: st.DataObject
) -> None:
    folder = UPath(tmp_path)
    whole = get(folder)
    (file,) = (folder / "models").iterdir()
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bytes(content[: data.draw(st.one_of(st.none(), st.integers(0, len(content) - 1)))]))
    before = len(converter.requests)
    messages: list[str] = []
    again = get(folder, log=messages.append)
    assert (again.xml, again.bin) == (whole.xml, whole.bin)
    if len(converter.requests) > before:
        assert "is damaged" in messages[0]
        assert file.name in messages[0]


def test_a_changed_part_is_noticed_by_its_sha256(tmp_path: Path, converter: Converter) -> None:
    folder = UPath(tmp_path)
    model = get(folder)
    (file,) = (folder / "models").iterdir()
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, part in {**parts, "model.bin": b"other weights"}.items():
            archive.writestr(name, part)
    file.write_bytes(packed.getvalue())
    messages: list[str] = []
    assert get(folder, log=messages.append) == model
    assert "does not match its own sha256" in messages[0]
