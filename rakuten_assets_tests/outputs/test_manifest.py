from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rakuten_assets.errors import StoreError
from rakuten_assets.outputs.manifest import Manifest, PublishedExtractor, PublishedFile
from rakuten_assets.outputs.names import features_file, metadata_file
from rakuten_assets.storage.files import sha256_of_bytes

few = settings(max_examples=40, deadline=None)
DIGESTS = st.integers(0, 255).map(lambda number: sha256_of_bytes(bytes([number])))
NAMES = st.text("abcxyz_019", min_size=1, max_size=5)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    rows = {"train": draw(st.integers(0, 10**6)), "test": draw(st.integers(0, 10**6))}
    dim = draw(st.integers(0, 5000))
    names = draw(st.sampled_from([("tiny",), ("small", "large"), ("a", "b_1", "train")]))

    size, sha256, said = draw(st.integers(0, 2**40)), draw(DIGESTS), draw(DIGESTS)

    def file(*shape: int) -> PublishedFile:
        if not shape:
            return PublishedFile(size, sha256, said)
        return PublishedFile(size, sha256, sha256, "<f4", shape)

    files = {"metadata.json": file(), "index.parquet": file(), "train_labels.npy": file(rows["train"])}
    for split in rows:
        files[f"{split}_valid.npy"] = file(rows[split])
        for name in names:
            files[features_file(split, name)] = file(rows[split], dim)  # type: ignore[arg-type]
    files |= {metadata_file(name): file() for name in names}
    return Manifest(
        published_at=draw(st.datetimes()).isoformat(timespec="seconds"),
        release=draw(st.text(max_size=8)),
        packages=draw(st.dictionaries(NAMES, st.text(max_size=8), max_size=3)),
        catalogue=draw(DIGESTS),
        rows=rows,  # type: ignore[arg-type]
        extractors=tuple(
            PublishedExtractor(name, not number or draw(st.booleans()), dim, draw(DIGESTS))
            for number, name in enumerate(names)
        ),
        files=files,
        withdrawn=draw(st.dictionaries(NAMES.map("{}.npy".format), DIGESTS, max_size=2)),
    )


@few
@given(manifests())
def test_what_is_written_is_read(manifest: Manifest) -> None:
    content = manifest.to_bytes()
    read = Manifest.from_bytes(content, "manifest.json")
    assert read.to_bytes() == content
    assert read.set_id == manifest.set_id
    assert (read.extractors, read.rows, dict(read.files)) == (
        manifest.extractors,
        manifest.rows,
        dict(manifest.files),
    )


@few
@given(manifests(), st.data())
def test_no_byte_of_it_can_change_unnoticed(manifest: Manifest, data: st.DataObject) -> None:
    content = bytearray(manifest.to_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StoreError, match=r"manifest\.json"):
        Manifest.from_bytes(bytes(content), "manifest.json")


@few
@given(manifests(), st.data())
def test_no_part_of_it_passes_for_the_whole(manifest: Manifest, data: st.DataObject) -> None:
    content = manifest.to_bytes()
    with pytest.raises(StoreError, match="--select outputs"):
        Manifest.from_bytes(content[: data.draw(st.integers(0, len(content) - 1))], "manifest.json")
    with pytest.raises(StoreError, match="--select outputs"):
        Manifest.from_bytes(content + b"\n", "manifest.json")


@few
@given(manifests(), st.datetimes(), DIGESTS, st.data())
def test_the_set_id_names_the_content_and_not_the_time(
    manifest: Manifest, now: Any, digest: str, data: st.DataObject
) -> None:
    assert (
        replace(manifest, published_at=now.isoformat(), release="other", packages={}).set_id
        == manifest.set_id
    )
    name = data.draw(st.sampled_from(sorted(manifest.files)))
    other = replace(manifest.files[name], content=digest)
    changed = replace(manifest, files={**manifest.files, name: other})
    assert (changed.set_id == manifest.set_id) == (digest == manifest.files[name].content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@few
@given(manifests(), st.data(), JSON)
def test_any_value_in_any_place_is_refused_with_a_sentence(
    manifest: Manifest, data: st.DataObject, value: Any
) -> None:
    content = json.loads(manifest.to_bytes())
    place: Any = content
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place))))
        )
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    place[key] = value
    changed = f"{json.dumps(content, indent=2)}\n".encode()
    if changed == manifest.to_bytes():
        return
    with pytest.raises(StoreError, match=r"manifest\.json|cannot name a file"):
        Manifest.from_bytes(changed, "manifest.json")


def sealed(content: dict[str, Any]) -> bytes:
    """A manifest that somebody wrote with a sha256 that fits."""
    content.pop("manifest_sha256")
    digest = sha256_of_bytes(json.dumps(content).encode())
    return f"{json.dumps({**content, 'manifest_sha256': digest}, indent=2)}\n".encode()


@few
@given(manifests(), st.data())
def test_files_that_cannot_be_a_set_are_refused(manifest: Manifest, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(manifest.files)))
    files = {key: file for key, file in manifest.files.items() if key != name}
    without = replace(manifest, files=files).to_bytes()
    with pytest.raises(StoreError, match=re.escape(f"contradicts itself: {name} is not listed")):
        Manifest.from_bytes(without, "manifest.json")
    longer = replace(manifest, rows={**manifest.rows, "train": manifest.rows["train"] + 1}).to_bytes()
    with pytest.raises(StoreError, match=r"train_labels\.npy is listed with shape"):
        Manifest.from_bytes(longer, "manifest.json")


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/b", "..", "a\\b", "C:evil"])
@few
@given(manifest=manifests())
def test_a_name_that_leads_elsewhere_is_refused(manifest: Manifest, name: str) -> None:
    digest = sha256_of_bytes(b"")
    for changed in (
        replace(manifest, withdrawn={name: digest}),
        replace(manifest, files={**manifest.files, name: PublishedFile(0, digest, digest)}),
    ):
        with pytest.raises(StoreError, match="cannot name a file"):
            Manifest.from_bytes(changed.to_bytes(), "manifest.json")


@few
@given(manifests())
def test_a_later_format_is_told_from_damage(manifest: Manifest) -> None:
    content = {**json.loads(manifest.to_bytes()), "format": 2}
    with pytest.raises(StoreError, match="a manifest of format 2; this release reads 1"):
        Manifest.from_bytes(sealed(content), "manifest.json")
