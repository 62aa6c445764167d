"""What holds for every augmentation: shape, kind and range kept; a function of (seed, policy, row, epoch)."""

from __future__ import annotations

import multiprocessing.reduction
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from rakuten_assets import augmentation
from rakuten_assets.augmentation import HEAVY, LIGHT, MEDIUM, POLICIES, OneOf, Policy, Transform, policy_for
from rakuten_assets.augmentation.randomness import Stream, random_words, sample_key
from rakuten_assets.errors import AugmentationError
from rakuten_assets_tests.augmentation.pictures import noise, smooth

KINDS: list[Transform] = [
    kind(p=1.0)
    for name in augmentation.__all__
    if isinstance(kind := getattr(augmentation, name), type)
    and issubclass(kind, Transform)
    and kind not in (Transform, Policy, OneOf)
]
EVERY: list[Transform] = [*KINDS, *POLICIES.values()]


def test_there_are_all_kinds() -> None:
    assert {type(kind).__name__ for kind in KINDS} == {
        "HorizontalFlip", "VerticalFlip", "Rotate", "ShiftScaleRotate", "Perspective", "BrightnessContrast",
        "HueSaturationValue", "Gamma", "ToGrey", "GaussianNoise", "GaussianBlur", "JpegCompression", "CoarseDropout",
        "ElasticTransform",
    }  # fmt: skip


@pytest.mark.parametrize("transform", EVERY, ids=lambda one: getattr(one, "name", "") or type(one).__name__)
def test_shape_kind_and_determinism(transform: Transform) -> None:
    for height, width in ((50, 61), (1, 1), (3, 200)):
        array = smooth(height, width)
        results = [transform.augment(array, seed=1, row=row, epoch=0) for row in range(12)]
        for row, result in enumerate(results):
            assert (result.shape, result.dtype) == (array.shape, np.uint8)
            assert result.flags.writeable
            assert np.array_equal(transform.augment(array, seed=1, row=row, epoch=0), result)
        tensor = torch.from_numpy(array).permute(2, 0, 1)
        as_tensor = transform.augment(tensor, seed=1, row=5, epoch=0)
        assert as_tensor.is_contiguous()
        assert np.array_equal(as_tensor.permute(1, 2, 0).numpy(), results[5])
        as_image = transform.augment(Image.fromarray(array), seed=1, row=5, epoch=0)
        assert np.array_equal(np.asarray(as_image), results[5])
        assert type(transform(tv_tensors.Image(tensor))) is tv_tensors.Image


def _distinct(results: list[Any]) -> int:
    return len({result.tobytes() for result in results})


@pytest.mark.parametrize(
    "transform", [one for one in EVERY if type(one).__name__ not in ("HorizontalFlip", "VerticalFlip", "ToGrey")],
    ids=lambda one: getattr(one, "name", "") or type(one).__name__,
)  # fmt: skip
def test_rows_epochs_seeds_and_repeats_differ(transform: Transform) -> None:
    picture, kind = noise(64, 64), getattr(transform, "name", "") or type(transform).__name__
    for name in ("row", "epoch", "seed", "repeat"):
        arguments = {"seed": 0, "row": 0, "epoch": 0, "repeat": 0}
        results = [transform.augment(picture, **{**arguments, name: value}) for value in range(24)]
        # A light policy leaves more than a third of the pictures alone; a blur has two sizes.
        assert _distinct(results) >= {"light": 6, "GaussianBlur": 2}.get(kind, 9)


def test_the_policy_is_part_of_the_key_and_its_name_is_not() -> None:
    other = Policy(name="mine", transforms=MEDIUM.transforms)
    assert other.identity == MEDIUM.identity
    assert len({LIGHT.identity, MEDIUM.identity, HEAVY.identity}) == 3
    picture = noise(32, 32)
    assert np.array_equal(
        other.augment(picture, seed=3, row=4, epoch=5), MEDIUM.augment(picture, seed=3, row=4, epoch=5)
    )


def test_nothing_else_has_a_part_in_it() -> None:
    """Neither what came before, nor the order, nor any global generator."""
    picture = noise(40, 40)
    forwards = [HEAVY.augment(picture, seed=0, row=row, epoch=1) for row in range(20)]
    np.random.seed(1)  # noqa: NPY002 - to show that it has no part
    torch.manual_seed(1)
    pickler = multiprocessing.reduction.ForkingPickler
    copy = pickler.loads(pickler.dumps(HEAVY))  # as a worker gets it
    backwards = [copy.augment(picture, seed=0, row=row, epoch=1) for row in reversed(range(20))]
    assert all(np.array_equal(a, b) for a, b in zip(forwards, reversed(backwards), strict=True))


def test_bytes_are_those_on_record() -> None:
    """What a release draws, the next one draws: a training run can be repeated."""
    import hashlib

    digest = hashlib.sha256()
    for policy in (LIGHT, MEDIUM):
        for row in range(30):
            digest.update(policy.augment(smooth(48, 48), seed=0, row=row, epoch=0).tobytes())
    assert digest.hexdigest()[:16] == "0f2b38434a14c836"


def test_it_composes_with_torchvision() -> None:
    composed = v2.Compose([v2.Resize((64, 64)), MEDIUM, v2.ToDtype(torch.float32, scale=True)])
    tensor = torch.from_numpy(smooth(80, 90)).permute(2, 0, 1)
    torch.manual_seed(3)
    first, label = composed(tensor, 7)
    torch.manual_seed(3)
    again, _ = composed(tensor, 7)
    other, _ = composed(tensor, 7)
    assert (tuple(first.shape), first.dtype, label) == ((3, 64, 64), torch.float32, 7)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert v2.RandomChoice([LIGHT, HEAVY])(tensor).dtype == torch.uint8


def test_p_is_the_share_that_is_augmented() -> None:
    flip = augmentation.HorizontalFlip(p=0.3)
    applied = sum(bool(flip.plan(Stream(sample_key(0, "", row, 0)), 9, 9)) for row in range(2000))
    assert applied == pytest.approx(600, abs=70)
    assert not any(
        augmentation.Gamma(p=0.0).plan(Stream(sample_key(0, "", row, 0)), 9, 9) for row in range(100)
    )


def test_one_of_takes_each_as_often() -> None:
    one = OneOf(
        transforms=tuple(augmentation.Rotate(degrees=0.0, fill=(i, i, i), p=0.01) for i in range(3)), p=1.0
    )
    drawn = [one.plan(Stream(sample_key(0, "", row, 0)), 9, 9) for row in range(900)]
    counts = np.bincount([operations[0].fill[0] for operations in drawn if hasattr(operations[0], "fill")])
    assert counts.sum() == 900
    assert counts.min() > 240


def test_the_documents_policies() -> None:
    names = {
        policy.name: [type(one).__name__ for one in policy.transforms] for policy in (LIGHT, MEDIUM, HEAVY)
    }
    assert names == {
        "light": ["HorizontalFlip", "BrightnessContrast", "Rotate"],
        "medium": [
            "HorizontalFlip",
            "ShiftScaleRotate",
            "BrightnessContrast",
            "HueSaturationValue",
            "GaussianNoise",
        ],
        "heavy": ["HorizontalFlip", "VerticalFlip", "ShiftScaleRotate", "OneOf", "OneOf", "CoarseDropout"],
    }
    assert [one.p for one in MEDIUM.transforms] == [0.5, 0.5, 0.5, 0.3, 0.2]
    with pytest.raises(AugmentationError, match="class of 0 rows"):
        policy_for(0)
    assert policy_for(3001) is LIGHT


def test_philox_is_the_published_one() -> None:
    """Against a plain implementation, itself held to the known answers of Random123 (kat_vectors)."""
    assert _philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    assert _philox(pi, (0xA4093822, 0x299F31D0)) == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)
    key = (0xA4093822, 0x299F31D0, 0x13198A2E, 0x03707344)
    words = random_words(key, 77, 42)
    assert len(words) == 42
    for block in range(10):
        expected = _philox((block, 77, *key[2:]), key[:2])
        assert tuple(words[4 * block : 4 * block + 4].tolist()) == expected


def _philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        x, y = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (y >> 32) ^ b ^ k, y & 0xFFFFFFFF, (x >> 32) ^ d ^ m, x & 0xFFFFFFFF
        k, m = (k + 0x9E3779B9) & 0xFFFFFFFF, (m + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


def test_numbers_of_a_stream_are_even_and_within_their_limits() -> None:
    stream = Stream((1, 2, 3, 4))
    values = np.array([stream.uniform(2.0, 3.0) for _ in range(4000)])
    assert values.min() >= 2 and values.max() < 3
    assert np.histogram(values, 10)[0].min() > 330
    assert {stream.integer(-1, 1) for _ in range(100)} == {-1, 0, 1}
    assert np.std([stream.normal() for _ in range(4000)]) == pytest.approx(1, abs=0.05)
    assert len({stream.lane() for _ in range(5)}) == 5


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((3, 9, 9), np.uint8), r"uint8 \(3, 9, 9\); wanted is uint8 \(height, width, 3\)"),
        (np.zeros((9, 9, 3)), "float64"),
        (np.zeros((0, 9, 3), np.uint8), "9 x 0 pixels"),
        (torch.zeros(2, 3, 9, 9, dtype=torch.uint8), "single pictures"),
        (torch.zeros(3, 9, 9), "before ToDtype"),
        (Image.new("L", (9, 9)), r"convert\('RGB'\)"),
        ("picture.jpg", "str is no picture"),
    ],
)
def test_what_is_no_picture_is_refused(image: Any, said: str) -> None:
    with pytest.raises(AugmentationError, match=said):
        MEDIUM(image)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: augmentation.HorizontalFlip(p=1.5), r"HorizontalFlip\(p=1.5\)"),
        (lambda: augmentation.HorizontalFlip(p=float("nan")), "nan"),
        (lambda: augmentation.Rotate(degrees=-5), "degrees=-5"),
        (lambda: augmentation.Gamma(gamma=(1.2, 0.8)), "smallest comes first"),
        (lambda: augmentation.Gamma(gamma=1.2), "tuple"),  # type: ignore[arg-type]
        (lambda: augmentation.GaussianBlur(kernel=(2, 5)), "odd"),
        (lambda: augmentation.JpegCompression(quality=(0, 50)), "quality=0"),
        (lambda: augmentation.CoarseDropout(fill=(0, 0, 256)), "fill"),
        (lambda: Policy(transforms=()), "at least one"),
        (lambda: Policy(transforms=(v2.Grayscale(),)), "Compose"),  # type: ignore[arg-type]
        (lambda: sample_key(0, "", -1, 0), "row=-1"),
        (lambda: sample_key(0, "", 0, 1.5), "epoch=1.5"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name(make: Any, said: str) -> None:
    with pytest.raises(AugmentationError, match=said):
        make()
