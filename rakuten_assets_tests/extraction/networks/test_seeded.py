"""Seeded weights: made once a storage, whoever asks first; used as they are by all who come later."""

import threading
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import StoreError
from rakuten_assets.extraction.networks import seeded as seeded_module
from rakuten_assets.extraction.networks.packed import pack, read_about, read_packed, write_first
from rakuten_assets.extraction.networks.seeded import make_seeded_weights, seeded_weights, weights_on_disk
from rakuten_assets.storage.files import sha256_of_file

RESNET = find_backbone("resnet18")


class Machine:
    """Stands in for the child process of a CPU whose sums have last bits of their own."""

    def __init__(self, bits: bytes) -> None:
        self.bits = bits
        self.made = 0

    def __call__(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        assert action == "seed"
        self.made += 1
        Path(request["file"]).write_bytes(self.bits)
        return {"torch": "9"}


@pytest.fixture(params=["folder", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    return UPath(tmp_path) if request.param == "folder" else UPath(f"memory://seeded{tmp_path}")


def test_the_first_machines_weights_are_every_machines(
    folder: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Machine(b"bits of one CPU"), Machine(b"bits of another")
    assert seeded_weights(folder, RESNET) is None
    monkeypatch.setattr(seeded_module, "run_in_torch_process", one)
    made = make_seeded_weights(folder, RESNET, print)
    monkeypatch.setattr(seeded_module, "run_in_torch_process", other)
    assert make_seeded_weights(folder, RESNET, print) == made == seeded_weights(folder, RESNET)
    assert (one.made, other.made) == (1, 0)
    with weights_on_disk(made, folder, RESNET) as source:
        assert source.path is not None
        assert source.path.read_bytes() == b"bits of one CPU"
        assert source.identity == f"seeded:sha256:{sha256_of_file(source.path)}"
    assert not source.path.exists()
    assert "not for results" in made.as_dict()["note"]


def test_of_two_makers_at_once_the_first_to_finish_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2)
    found = []

    def slow(action: str, request: dict[str, Any]) -> dict[str, Any]:
        together.wait(30)  # neither had finished when the other began
        Path(request["file"]).write_bytes(threading.current_thread().name.encode())
        return {}

    monkeypatch.setattr(seeded_module, "run_in_torch_process", slow)
    threads = [
        threading.Thread(target=lambda: found.append(make_seeded_weights(UPath(tmp_path), RESNET, print)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert [path.suffix for path in tmp_path.iterdir()] == [".zip"]


def test_another_network_has_other_weights(folder: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeded_module, "run_in_torch_process", Machine(b"x"))
    make_seeded_weights(folder, RESNET, print)
    assert seeded_weights(folder, find_backbone("resnet50")) is None


def test_damage_is_made_anew_where_it_shows_and_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = UPath(tmp_path)
    monkeypatch.setattr(seeded_module, "run_in_torch_process", Machine(bytes(range(256)) * 40))
    made = make_seeded_weights(folder, RESNET, print)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole.replace(bytes(range(256)), bytes(256), 1))
    with (
        pytest.raises(StoreError, match=r"is damaged .*remove it and run again"),
        weights_on_disk(made, folder, RESNET),
    ):
        pass
    file.write_bytes(whole[:-30])
    assert seeded_weights(folder, RESNET) is None
    messages: list[str] = []
    assert make_seeded_weights(folder, RESNET, messages.append) == made
    assert any("was damaged" in message for message in messages)


def test_a_pack_gives_back_what_went_in_and_the_first_writer_stays(folder: UPath) -> None:
    file = folder / "a" / "pack.zip"
    write_first(file, pack({"x": b"1", "y": b""}, {"made": "here"}))
    write_first(file, pack({"x": b"2"}, {}))
    assert dict(read_packed(file).parts) == {"x": b"1", "y": b""}
    assert read_about(file)["made"] == "here"
    with pytest.raises(FileNotFoundError):
        read_about(folder / "nothing.zip")
