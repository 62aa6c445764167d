"""The data set: what a sample is, and what becomes of an image that does not decode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from upath import UPath

from rakuten_assets.augmentation import HEAVY, LIGHT, MEDIUM, CutMix, MixUp, ValidationTransform
from rakuten_assets.augmentation.mixing import Mix, beta, blended
from rakuten_assets.augmentation.normalisation import normalise
from rakuten_assets.augmentation.randomness import Stream, sample_key
from rakuten_assets.backbones import PerImageNormalisation, find_backbone
from rakuten_assets.dataset.labels import fit_label_encoder
from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.errors import AugmentationError, ManifestError, SettingsError, StoreError
from rakuten_assets.extraction.preprocessing import preprocess, preprocessing_for
from rakuten_assets.extraction.specification import extractor_spec
from rakuten_assets.images.decoding import decode_rgb
from rakuten_assets.settings import Settings
from rakuten_assets.storage.content_cache import bytes_kept, keep_images
from rakuten_assets.storage.tables import write_table
from rakuten_assets.torch_data import ImageOptions, ImageTable, RakutenImageDataset, Visit
from rakuten_assets_tests.augmentation.pictures import noise
from rakuten_assets_tests.torch_data.conftest import BAD_ROWS, LIMITS

Scanned = tuple[ImageTable, Any]


def test_a_sample_is_pillows_and_torchvisions(scanned: Scanned) -> None:
    dataset = RakutenImageDataset(*scanned)
    plain = v2.Compose(
        [v2.Resize((224, 224)), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True),
         v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    )  # fmt: skip
    for index in (0, 7, len(dataset) - 1):
        with Image.open(dataset.get_image_path(index)) as image:
            rgb = image.convert("RGB")
        tensor, label = dataset[index]
        assert torch.equal(tensor, plain(rgb))
        assert torch.equal(ValidationTransform()(rgb), tensor)
        assert isinstance(label, int)


def test_a_sample_can_be_normalised_as_any_backbone_wants_it(scanned: Scanned) -> None:
    normalisation = find_backbone("efficientnet_lite0").normalisation
    tensor = RakutenImageDataset(*scanned, normalisation=normalisation)[7][0]
    pixels = RakutenImageDataset(*scanned, normalisation=None)[7][0]
    assert torch.equal(tensor, (pixels.float() - 127.0) / 128.0)


def test_a_sample_can_be_normalised_by_itself(scanned: Scanned) -> None:
    tensor = RakutenImageDataset(*scanned, normalisation=PerImageNormalisation())[7][0]
    pixels = RakutenImageDataset(*scanned, normalisation=None)[7][0].double()
    std, mean = torch.std_mean(pixels, (1, 2), correction=0, keepdim=True)
    assert tensor.dtype == torch.float32
    assert torch.allclose(tensor.double(), (pixels - mean) / std, atol=1e-6)
    blank = normalise(np.full((4, 5, 3), 77, np.uint8), PerImageNormalisation())
    assert np.array_equal(blank, np.zeros((3, 4, 5), np.float32))


@pytest.mark.parametrize("name", ["document", "preset"])
def test_a_sample_can_be_preprocessed_as_an_extractor_does_it(name: str, scanned: Scanned) -> None:
    backbone = find_backbone("efficientnet_lite2")
    preprocessing = preprocessing_for(backbone, "pretrained", name)
    side = preprocessing.side
    dataset = RakutenImageDataset(*scanned, normalisation=None, side=side, preprocessing=preprocessing)
    pixels = decode_rgb(Path(dataset.get_image_path(7)).read_bytes(), LIMITS)
    assert np.array_equal(dataset[7][0].permute(1, 2, 0).numpy(), preprocess(pixels, preprocessing))
    with pytest.raises(AugmentationError, match=f"side=100, but the preprocessing gives {side} pixels"):
        RakutenImageDataset(*scanned, side=100, preprocessing=preprocessing)


def test_images_that_have_the_size_already_do_not_share_memory(scanned: Scanned) -> None:
    dataset = RakutenImageDataset(*scanned, side=500, normalisation=None, augment=LIGHT)
    first = dataset[0][0]
    before = first.clone()
    assert not torch.equal(dataset[1][0], first)
    assert torch.equal(first, before)
    mixed = RakutenImageDataset(*scanned, side=500, normalisation=None, mix=MixUp())
    plain = RakutenImageDataset(*scanned, side=500, normalisation=None)
    drawn = mixed.options.mix.draw(38, 500, 500, seed=0, row=0, epoch=0)  # type: ignore[union-attr]
    assert drawn is not None
    expected = blended(
        plain[0][0].permute(1, 2, 0).numpy(), plain[drawn.partner][0].permute(1, 2, 0).numpy(), drawn
    )
    assert np.array_equal(mixed[0][0].permute(1, 2, 0).numpy(), expected)


def test_labels_are_those_of_the_table_of_labels(catalogue: Path, scanned: Scanned) -> None:
    codes = pd.read_csv(find_catalog(catalogue).y_train)["prdtypecode"]
    encoder = fit_label_encoder(codes)
    dataset = RakutenImageDataset(*scanned)
    assert dataset.num_classes == 27
    assert [dataset[i][1] for i in range(5)] == [encoder[codes[row]] for row in dataset.rows[:5]]
    test = RakutenImageDataset.from_folder(catalogue, "test")
    assert isinstance(test[0], torch.Tensor), "no label, no tuple"


def test_quarantined_rows_are_left_out(scanned: Scanned) -> None:
    dataset = RakutenImageDataset(*scanned)
    assert len(dataset) == 38
    assert not set(BAD_ROWS) & set(dataset.rows.tolist())
    assert dataset.valid.all()
    assert dataset.get_image_path(4) == scanned[0].paths[5]
    assert dataset.get_image_path(-1) == scanned[0].paths[39]
    with pytest.raises(IndexError, match="sample 38 of a data set of 38"):
        dataset[38]


def test_or_they_are_masked_and_never_black(scanned: Scanned) -> None:
    dataset = RakutenImageDataset(*scanned, invalid="mask", augment=MEDIUM)
    assert dataset.rows.tolist() == list(range(40))
    assert np.flatnonzero(~dataset.valid).tolist() == list(BAD_ROWS)
    for row in range(12):
        image, label, valid = dataset[row]
        assert valid is (row not in BAD_ROWS)
        assert bool(torch.isnan(image).all()) is not valid
        assert label == scanned[1][row]
    image, _, valid = RakutenImageDataset(*scanned, invalid="mask", normalisation=None)[BAD_ROWS[0]]
    assert (image.dtype, image.min(), valid) == (torch.uint8, 255, False)


def test_a_file_changed_since_the_scan_is_refused_by_name(catalogue: Path, scanned: Scanned) -> None:
    dataset = RakutenImageDataset(*scanned)
    path = Path(dataset.get_image_path(20))
    content = path.read_bytes()
    try:
        path.write_bytes(Path(dataset.get_image_path(21)).read_bytes())
        with pytest.raises(AugmentationError, match=rf"{path.name} \(row 22\) .* changed since the scan"):
            dataset[20]
        path.unlink()
        with pytest.raises(AugmentationError, match="there is no such file"):
            dataset[20]
    finally:
        path.write_bytes(content)


def test_a_sample_is_a_function_of_seed_policy_row_and_epoch(scanned: Scanned) -> None:
    table, labels = scanned
    dataset = RakutenImageDataset(table, labels, augment=HEAVY, normalisation=None)
    masked = RakutenImageDataset(table, labels, augment=HEAVY, normalisation=None, invalid="mask")
    image, _ = dataset[12]
    assert torch.equal(masked[int(dataset.rows[12])][0], image), "the row counts, not its place"
    assert torch.equal(dataset[Visit(12, 0)][0], image)
    assert not torch.equal(dataset[Visit(12, 1)][0], image)
    assert not torch.equal(dataset[Visit(12, 0, 1)][0], image)
    assert not torch.equal(RakutenImageDataset(table, augment=HEAVY, normalisation=None, seed=1)[12], image)
    dataset.set_epoch(1)
    assert torch.equal(dataset[12][0], dataset[Visit(12, 1)][0])
    plain = RakutenImageDataset(table, normalisation=None)[12]
    by_hand = HEAVY.augment(plain, seed=0, row=int(dataset.rows[12]), epoch=0)
    assert torch.equal(by_hand, image)


def test_each_class_can_have_its_policy(scanned: Scanned) -> None:
    table, labels = scanned
    common = int(np.bincount(labels).argmax())
    dataset = RakutenImageDataset(table, labels, augment={common: MEDIUM}, normalisation=None)
    medium = RakutenImageDataset(table, labels, augment=MEDIUM, normalisation=None)
    plain = RakutenImageDataset(table, labels, normalisation=None)
    for index in range(len(dataset)):
        image, label = dataset[index]
        assert torch.equal(image, (medium if label == common else plain)[index][0])
    assert any(not torch.equal(medium[index][0], plain[index][0]) for index in range(10))


def test_torchvisions_own_transforms_are_keyed_by_the_sample_too(scanned: Scanned) -> None:
    composed = v2.Compose([v2.RandomResizedCrop(64), v2.RandomHorizontalFlip(), LIGHT])
    dataset = RakutenImageDataset(*scanned, augment=composed, normalisation=None)
    torch.manual_seed(5)
    before = torch.default_generator.get_state()
    first = dataset[3][0]
    assert torch.equal(torch.default_generator.get_state(), before), "the user's generator is left as it was"
    torch.rand(9)
    assert torch.equal(dataset[3][0], first)
    assert not torch.equal(dataset[Visit(3, 1)][0], first)
    scaled = v2.Compose([composed, v2.ToDtype(torch.float32, scale=True)])
    image = RakutenImageDataset(*scanned, augment=scaled)[3][0]
    assert torch.equal(image, v2.functional.to_dtype(first, torch.float32, scale=True)), (
        "not normalised again"
    )


@pytest.mark.parametrize("mix", [MixUp(alpha=0.4), CutMix()])
def test_mixing_draws_a_partner_and_a_share_for_each_sample(scanned: Scanned, mix: MixUp | CutMix) -> None:
    table, labels = scanned
    dataset = RakutenImageDataset(table, labels, mix=mix, normalisation=None)
    plain = RakutenImageDataset(table, labels, normalisation=None)
    shares, partners = set(), set()
    for index in range(12):
        image, target = dataset[index]
        drawn = mix.draw(len(dataset), 224, 224, seed=0, row=int(dataset.rows[index]), epoch=0)
        assert drawn is not None
        shares.add(drawn.share)
        partners.add(drawn.partner)
        own, other = plain[index], plain[drawn.partner]
        expected = torch.zeros(27)
        expected[own[1]] += drawn.share
        expected[other[1]] += 1 - drawn.share
        assert torch.allclose(target, expected)
        if drawn.box is None:
            reference = drawn.share * own[0].double() + (1 - drawn.share) * other[0].double()
            assert (image - reference).abs().max() <= 0.501
        else:
            left, top, right, bottom = drawn.box
            reference = own[0].clone()
            reference[:, top:bottom, left:right] = other[0][:, top:bottom, left:right]
            assert torch.equal(image, reference)
            assert drawn.share == pytest.approx(1 - (right - left) * (bottom - top) / 224**2)
        assert torch.equal(dataset[Visit(index, 0)][0], image)
    assert len(shares) == 12
    assert len(partners) > 6


def test_a_quarantined_partner_leaves_the_sample_as_it_is(scanned: Scanned) -> None:
    table, labels = scanned
    mix = MixUp()
    dataset = RakutenImageDataset(table, labels, mix=mix, normalisation=None, invalid="mask")
    drawn = {epoch: mix.draw(40, 224, 224, seed=0, row=0, epoch=epoch) for epoch in range(200)}
    epoch = next(epoch for epoch, one in drawn.items() if one is not None and one.partner in BAD_ROWS)
    image, target, valid = dataset[Visit(0, epoch)]
    assert torch.equal(image, RakutenImageDataset(table, normalisation=None, invalid="mask")[0][0])
    assert (target.sum(), target[labels[0]], valid) == (1, 1, True)


def test_a_workers_process_keeps_images_as_this_one_does(scanned: Scanned) -> None:
    dataset = RakutenImageDataset(scanned[0])

    def arrived(state: dict[str, Any]) -> RakutenImageDataset:
        """As a spawned process makes it again."""
        found = RakutenImageDataset.__new__(RakutenImageDataset)
        found.__setstate__(state)
        return found

    try:
        keep_images(12345)
        told = dataset.__getstate__()
        keep_images(0)
        silent = dataset.__getstate__()
        assert torch.equal(arrived(told)[0], dataset[0])
        assert bytes_kept() == 12345
        arrived(silent)
        assert bytes_kept() == 12345
    finally:
        keep_images(0)


def test_shares_have_the_beta_distribution() -> None:
    from scipy import stats

    for alpha in (0.2, 1.0, 3.0):
        shares = [beta(Stream(sample_key(0, "", row, 0)), alpha) for row in range(800)]
        assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    never = MixUp(p=0.0)
    assert all(never.draw(9, 9, 9, seed=0, row=row, epoch=0) is None for row in range(50))


def test_blending_makes_new_memory() -> None:
    own, other = noise(8, 8, 1), noise(8, 8, 2)
    result = blended(own, other, Mix(0, 0.5, (0, 0, 8, 8)))
    assert np.array_equal(result, other)
    result[:] = 0
    assert other.any()


def store_scan(catalogue: Path, settings: Settings) -> UPath:
    """Scan the catalogue into a storage of two shards, as the graph does; the file of the last one."""
    from rakuten_assets.dataset.contract import read_labels, read_products
    from rakuten_assets.dataset.manifest import build_manifest, shard_rows
    from rakuten_assets.integrity.reading.scan import scan_images
    from rakuten_assets.integrity.reading.schema import SCAN_COLUMNS
    from rakuten_assets.storage import Storage
    from rakuten_assets_tests.torch_data.conftest import LIMITS

    folder = find_catalog(catalogue)
    manifest = build_manifest(
        read_products(folder.x_train, "train"), read_labels(folder.y_train), read_products(folder.x_test, "test"), 2
    )  # fmt: skip
    for key in ("00", "01"):
        rows = shard_rows(manifest, key)
        scan = scan_images(folder.image_paths(rows["file"]), LIMITS, 1)
        file = Storage(settings.storage, 2).asset_file(["image_scan"], key, ".parquet")
        file.parent.mkdir(parents=True, exist_ok=True)
        write_table(file, pd.concat([rows, scan[SCAN_COLUMNS]], axis=1))
    return file


def test_from_storage_reads_what_the_graph_stored(catalogue: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=UPath(catalogue), storage=UPath(tmp_path), shards=2)
    with pytest.raises(
        StoreError, match=r"have not been scanned. Materialise image_scan, or use .*from_folder"
    ):
        RakutenImageDataset.from_storage(settings)
    file = store_scan(catalogue, settings)
    stored = RakutenImageDataset.from_storage(settings)
    scanned = RakutenImageDataset.from_folder(catalogue)
    assert stored.rows.tolist() == scanned.rows.tolist()
    assert torch.equal(stored[30][0], scanned[30][0])
    assert stored[30][1] == scanned[30][1]
    assert len(RakutenImageDataset.from_storage(settings, "test")) == 3
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(StoreError, match="not a whole scan"):
        RakutenImageDataset.from_storage(settings)


def test_from_storage_prepares_pictures_as_the_extractor_does(catalogue: Path, tmp_path: Path) -> None:
    place = {"data_dir": UPath(catalogue), "storage": UPath(tmp_path), "shards": 2}
    store_scan(catalogue, Settings(**place))
    names = "efficientnet_lite0,resnet18"
    settings = Settings(
        **place, backbone=names, preprocessing="preset", normalisation="weights", crop="border"
    )
    with Image.open(RakutenImageDataset.from_storage(settings).get_image_path(3)) as picture:
        pixels = np.asarray(picture.convert("RGB"))

    def prepared(name: str) -> torch.Tensor:
        preprocessing = extractor_spec(settings, name).preprocessing
        resized = np.ascontiguousarray(preprocess(pixels, preprocessing))
        return torch.from_numpy(normalise(resized, preprocessing.settled))

    def sample(**options: Any) -> torch.Tensor:
        return RakutenImageDataset.from_storage(settings, **options)[3][0]

    assert torch.equal(sample(), prepared("efficientnet_lite0"))
    assert torch.equal(sample(extractor="resnet18"), prepared("resnet18"))
    assert not torch.equal(sample(), sample(extractor="resnet18"))
    assert sample(side=100).shape == (3, 100, 100)
    assert sample(normalisation=None).dtype == torch.uint8
    plain = sample(options=ImageOptions())
    assert torch.equal(plain, RakutenImageDataset.from_folder(catalogue)[3][0])

    zscore = RakutenImageDataset.from_storage(settings.model_copy(update={"normalisation": "zscore"}))[3][0]
    assert abs(float(zscore.mean())) < 1e-5
    with pytest.raises(StoreError, match="needs the asset dataset_statistics"):
        RakutenImageDataset.from_storage(settings.model_copy(update={"normalisation": "dataset"}))
    with pytest.raises(SettingsError, match="did you mean"):
        sample(extractor="resnet81")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"labels": [0] * 39}, r"labels are int64 \(39,\), the table has 40 rows"),
        ({"labels": [-1] + [0] * 39}, "row 0: label -1 is negative"),
        ({"labels": [0.5] * 40}, "float64"),
        ({"mix": MixUp()}, "need labels"),
        ({"augment": {0: LIGHT}}, "need labels"),
        ({"invalid": "black"}, "'exclude' and 'mask'"),
        ({"sides": 224}, "sides is no option"),
        ({"side": 0}, "side=0"),
    ],
)
def test_what_does_not_fit_is_refused(scanned: Scanned, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(AugmentationError, match=said):
        RakutenImageDataset(scanned[0], **arguments)


def test_a_table_of_unequal_columns_is_refused() -> None:
    with pytest.raises(ManifestError, match="differ in length"):
        ImageTable([], np.zeros(1, np.int64), np.ones(1, bool), [""])
