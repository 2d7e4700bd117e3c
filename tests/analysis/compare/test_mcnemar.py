"""McNemar's test of two records looks only at the images that one of them has right."""

from __future__ import annotations

import numpy as np
import pytest

from repro.analysis.compare.mcnemar import mcnemar
from repro.errors import UserError
from repro.storage.predictions import Predictions


def predictions(right, data="same", classes=10):
    """Predictions whose first class is right where `right` says so, and whose other four never
    are."""
    right = np.asarray(right)
    labels = np.zeros(len(right), np.int64)
    first = np.where(right, 0, 9)
    best = np.stack([first, *(np.full(len(right), place) for place in (1, 2, 3, 4))], axis=1)
    return Predictions(data, labels, {"center": best}, np.zeros((len(right), classes), np.float32))


def test_the_p_value_is_the_exact_binomial_of_the_discordant_images():
    one = predictions([True] * 9 + [False] * 1 + [True] * 20)
    other = predictions([False] * 9 + [True] * 1 + [True] * 20)
    test = mcnemar(one, other)["top1"]
    assert (test["only_first"], test["only_second"]) == (9, 1)
    assert test["p"] == pytest.approx(2 * (1 + 10) / 2**10)


def test_equal_nets_do_not_differ():
    one = predictions([True, False, True])
    assert mcnemar(one, one)["top1"] == {"only_first": 0, "only_second": 0, "p": 1.0}


def test_other_images_are_refused():
    with pytest.raises(UserError, match="these two records are of different images"):
        mcnemar(predictions([True]), predictions([True], data="other"))
