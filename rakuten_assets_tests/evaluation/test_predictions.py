from __future__ import annotations

import numpy as np
import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.evaluation.heads.head import Head
from rakuten_assets.evaluation.heads.standardisation import Standardisation
from rakuten_assets.evaluation.predictions import predict_test, probability_table, submission_csv


def head() -> Head:
    one = np.ones(2, np.float32)
    layer = (np.eye(2, 3, dtype=np.float32), np.zeros(3, np.float32))
    return Head(
        "logistic",
        Standardisation(one * 0, one),
        (layer,),
        np.array([10, 40, 2583]),
        np.array([0.2, 0.1, 0.7]),
    )


def test_the_submission_is_the_challenges() -> None:
    features = np.array([[0, 5], [5, 0], [0, 0]], np.float32)
    found = predict_test(head(), features, [84918, 84916, 84917], [True, True, False])
    assert submission_csv(found) == b",prdtypecode\n84916,10\n84917,2583\n84918,40\n"
    assert found.quarantined.tolist() == [84917]
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(found.probabilities[2], [0.2, 0.1, 0.7], rtol=1e-6)
    table = probability_table(found)
    assert table["index"].tolist() == [84916, 84917, 84918]
    assert table["quarantined"].tolist() == [False, True, False]
    assert list(table.columns) == ["index", "prdtypecode", "quarantined", "10", "40", "2583"]


def test_an_index_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CatalogError, match="84916 occurs twice"):
        predict_test(head(), np.zeros((2, 2)), [84916, 84916])
    with pytest.raises(CatalogError, match="2 rows of features and an index of"):
        predict_test(head(), np.zeros((2, 2)), [84916])
