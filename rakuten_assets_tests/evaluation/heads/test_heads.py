from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from upath import UPath

from rakuten_assets.errors import CatalogError, StoreError
from rakuten_assets.evaluation.heads.head import Head, log_loss, softmax
from rakuten_assets.evaluation.heads.logistic import fit_logistic
from rakuten_assets.evaluation.heads.mlp import fit_mlp
from rakuten_assets.evaluation.heads.multinomial import MultinomialRegression
from rakuten_assets.evaluation.heads.out_of_fold import out_of_fold
from rakuten_assets.evaluation.heads.standardisation import fit_standardisation
from rakuten_assets.evaluation.heads.storing import (
    head_files,
    head_version,
    load_head,
    replaced_tensors,
    save_head,
)
from rakuten_assets.evaluation.heads.temperature import fit_temperature

CODES = np.array([10, 40, 1140, 2583])
FITS = {"logistic": fit_logistic, "mlp": partial(fit_mlp, hidden=(16,), epochs=25)}


def clusters(
    rows: int = 400, dimensions: int = 12, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Four classes around centres of their own, with a scale and an offset of its own in each dimension."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, rows)
    centres = np.random.default_rng(5).normal(0, 1.2, (4, dimensions))
    scales = np.geomspace(0.01, 100, dimensions)
    return ((centres[labels] + random.normal(0, 1, (rows, dimensions))) * scales + scales).astype(
        np.float32
    ), labels


@pytest.mark.parametrize("rows", [20, 500])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_minimum_is_scikit_learns(rows: int, weighted: bool) -> None:
    random = np.random.default_rng(1)
    features = random.standard_normal((rows, 30)).astype(np.float32)  # Fewer rows than dimensions, and more.
    labels = np.append(np.arange(3), random.integers(0, 3, rows - 3))
    weights = random.uniform(0.5, 2, rows) if weighted else np.ones(rows)
    ours = MultinomialRegression(features, labels, 3, weights if weighted else None).fit(0.1, tolerance=1e-12)
    theirs = LogisticRegression(C=1 / (0.1 * weights.sum()), tol=1e-8, max_iter=5000)
    theirs.fit(features.astype(np.float64), labels, weights)
    np.testing.assert_allclose(ours.weight, theirs.coef_.T, atol=2e-3)
    bias = ours.bias - ours.bias.mean()
    np.testing.assert_allclose(bias, theirs.intercept_ - theirs.intercept_.mean(), atol=2e-3)
    assert ours.converged


def test_a_neighbouring_penalty_is_a_good_start() -> None:
    features, labels = clusters(2000)
    regression = MultinomialRegression(
        fit_standardisation(features, np.arange(2000)).apply(features), labels, 4
    )
    before = regression.fit(0.03)
    warm, cold = regression.fit(0.01, before), regression.fit(0.01)
    assert warm.evaluations <= cold.evaluations
    assert warm.objective == pytest.approx(cold.objective, rel=1e-3)


@pytest.mark.parametrize("name", FITS)
def test_a_head_learns_and_does_so_to_the_bit(name: str) -> None:
    features, labels = clusters()
    unseen, truth = clusters(seed=1)
    head, again = (FITS[name](features, labels, codes=CODES) for _ in range(2))
    assert (head.predict(unseen) == CODES[truth]).mean() > 0.9
    np.testing.assert_array_equal(head.logits(unseen), again.logits(unseen))
    np.testing.assert_allclose(head.probabilities(unseen).sum(axis=1), 1)
    assert head.dimensions == 12 and head.kind == name


@pytest.mark.parametrize("name", FITS)
def test_invalid_rows_are_left_out_and_predicted_by_the_prior(name: str) -> None:
    features, labels = clusters()
    valid = np.arange(400) % 7 != 0
    spoilt = features.copy()
    spoilt[~valid] = np.nan
    head = FITS[name](spoilt, labels, valid=valid)
    plain = FITS[name](np.where(valid[:, None], features, 0), labels, valid=valid)
    np.testing.assert_array_equal(head.logits(features), plain.logits(features))
    shares = np.bincount(labels[valid]) / valid.sum()
    np.testing.assert_allclose(head.probabilities(spoilt, valid)[~valid], np.tile(shares, (58, 1)), rtol=1e-5)
    calibrated = head.with_temperature(3.0)
    np.testing.assert_allclose(calibrated.probabilities(spoilt, valid)[0], shares, rtol=1e-5)


def test_the_penalty_is_chosen_on_held_back_groups() -> None:
    random = np.random.default_rng(3)
    features = random.standard_normal((60, 40)).astype(np.float32)
    labels, groups = np.arange(60) % 3, np.arange(60)
    twins = np.repeat(np.arange(60), 5)  # Noise that only a twin can predict.
    grouped = fit_logistic(features[twins], labels[twins], groups[twins])
    leaky = fit_logistic(features[twins], labels[twins])
    assert grouped.details["penalty"] > leaky.details["penalty"]


def test_rows_out_of_fold_are_seen_by_no_head_of_theirs() -> None:
    features, labels = clusters(120)
    groups = np.arange(120) // 2
    marked = np.column_stack([features, groups.astype(np.float32)])
    seen: list[set[float]] = []

    def fit(features: Any, labels: Any, groups: Any, valid: Any) -> Head:
        seen.append(set(features[:, -1]))
        return fit_logistic(features, labels, groups, valid, penalties=(0.1,))

    found = out_of_fold(fit, marked, labels, groups, folds=4)
    for fold in range(4):
        assert not seen[fold] & set(groups[found.folds == fold])
    assert (found.logits.argmax(axis=1) == labels).mean() > 0.85
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


def test_rows_without_features_are_predicted_by_the_prior_out_of_fold_too() -> None:
    random = np.random.default_rng(0)
    labels = np.where(np.arange(200) < 120, 0, random.integers(0, 3, 200))
    features = (random.normal(size=(200, 10)) + np.eye(3, 10)[labels]).astype(np.float32)
    valid = np.arange(200) >= 5
    found = out_of_fold(partial(fit_logistic, penalties=(1e-3,)), features, labels, valid=valid)
    assert found.temperature > 1.2
    for row in range(5):
        trained = labels[valid & (found.folds != found.folds[row])]
        np.testing.assert_allclose(found.probabilities[row], np.bincount(trained) / len(trained), rtol=1e-5)


@pytest.mark.parametrize(("rows", "dimensions"), [(300, 600), (900, 500)])
def test_the_number_of_threads_changes_no_bit(rows: int, dimensions: int) -> None:
    features, labels = clusters(rows, dimensions)
    weights = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            weights.append(fit_logistic(features, labels, penalties=(0.1,)).layers[0][0])
    np.testing.assert_array_equal(*weights)


def test_the_version_of_a_head_tells_codes_and_temperatures_apart() -> None:
    features, labels = clusters()
    head = fit_logistic(features, labels, codes=CODES, penalties=(0.1,))
    others = [replace(head, codes=CODES + 1), head.with_temperature(2.0), replace(head, fingerprint="other")]
    assert len({head_version(one) for one in (head, *others)}) == 4
    assert head_version(head) == head_version(replace(head))


def test_the_temperature_undoes_overconfidence() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, (4000, 5))
    labels = (softmax(logits).cumsum(axis=1) > random.random((4000, 1))).argmax(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(1.0, abs=0.08)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3.0, abs=0.25)
    assert log_loss(logits * 3, labels, 3.0) == pytest.approx(log_loss(logits, labels))


@pytest.mark.parametrize("name", FITS)
def test_a_stored_head_predicts_the_same(name: str, tmp_path: Path) -> None:
    features, labels = clusters()
    head = FITS[name](features, labels, codes=CODES, fingerprint="abc").with_temperature(1.3)
    save_head(head, tmp_path / "head")
    loaded = load_head(tmp_path / "head")
    np.testing.assert_array_equal(loaded.probabilities(features), head.probabilities(features))
    np.testing.assert_array_equal(loaded.codes, CODES)
    assert (loaded.fingerprint, loaded.kind, loaded.details) == ("abc", name, head.details)
    described = json.loads((tmp_path / "head" / "head.json").read_text())
    assert described["label_encoder"] == {"10": 0, "40": 1, "1140": 2, "2583": 3}
    assert {"numpy", "torch"} < set(described["versions"])


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("head.safetensors", lambda content: content[:-1] + b"\x7f", "does not have the sha256"),
        ("head.json", lambda content: content[: len(content) // 2], "does not describe a head"),
        ("head.json", lambda content: b"[]", "does not describe a head"),
        ("head.json", lambda content: content.replace(b'"layers": 1', b'"layers": 0'), "do not fit together"),
        ("head.json", lambda content: content.replace(b'"2583": 3', b'"2583": 2'), "do not fit together"),
        ("head.json", lambda content: content.replace(b'"logistic"', b'"forest"'), "holds a 'forest' head"),
    ],
)
def test_a_damaged_head_is_refused(file: str, change: Any, message: str, tmp_path: Path) -> None:
    save_head(fit_logistic(*clusters(60), codes=CODES, penalties=(0.1,)), tmp_path)
    path = tmp_path / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StoreError, match=message):
        load_head(tmp_path)


def test_a_writer_that_is_killed_between_the_files_loses_no_head(tmp_path: Path) -> None:
    features, labels = clusters()
    first, second, third = (fit_logistic(features, labels, penalties=(one,)) for one in (0.1, 1.0, 3.0))
    save_head(first, tmp_path)
    paths = UPath(tmp_path / "head.safetensors"), UPath(tmp_path / "head.json")
    for killed in (second, third):
        with pytest.raises(KeyboardInterrupt), replaced_tensors(*paths, head_files(killed)[0]):
            raise KeyboardInterrupt
        np.testing.assert_array_equal(load_head(tmp_path).logits(features), first.logits(features))
    save_head(second, tmp_path)
    np.testing.assert_array_equal(load_head(tmp_path).logits(features), second.logits(features))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.json", "head.safetensors"]


def test_what_does_not_fit_is_refused() -> None:
    features, labels = clusters(60)
    with pytest.raises(CatalogError, match="row 3: a valid row of features holds a value that is not finite"):
        fit_logistic(np.where(np.arange(60)[:, None] == 3, np.inf, features), labels)
    with pytest.raises(CatalogError, match="at least two classes and two groups"):
        fit_logistic(features, np.zeros(60, np.int64))
    with pytest.raises(CatalogError, match="60 rows need 60 whole numbers as labels"):
        fit_logistic(features, labels[:-1])
    head = fit_logistic(features, labels, penalties=(0.1,))
    with pytest.raises(CatalogError, match="trained on 12 dimensions, the features have 11"):
        head.logits(features[:, 1:])


def test_a_constant_dimension_changes_nothing() -> None:
    features, labels = clusters(200)
    constant = np.column_stack([features, np.full(200, 7.3, np.float32)])
    standardised = fit_standardisation(constant, np.arange(200))
    assert standardised.scale[-1] == 1.0
    np.testing.assert_allclose(standardised.apply(constant)[:, :-1].std(axis=0), 1, rtol=1e-4)
    with_it, without = (
        fit_logistic(one, labels, penalties=(0.1,)).probabilities(one) for one in (constant, features)
    )
    np.testing.assert_allclose(with_it, without, atol=5e-3)
