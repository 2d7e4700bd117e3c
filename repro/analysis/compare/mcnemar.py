"""Whether two nets differ on the same images, by McNemar's test."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from repro.errors import UserError, quote
from repro.storage.predictions import Predictions


def mcnemar(one: Predictions, other: Predictions) -> dict[str, dict[str, Any]]:
    """Compare two sets of predictions on the same images, exactly and two-sided."""
    if one.data != other.data or not np.array_equal(one.labels, other.labels):
        raise UserError(
            "these two records are of different images", "compare records of one data set"
        )
    tests = {}
    for name, count in (("top1", 1), ("top5", 5)):
        first, second = _right(one, count), _right(other, count)
        # Images that both nets have right, or both wrong, say nothing of which net is better.
        only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
        tests[name] = {
            "only_first": only_first,
            "only_second": only_second,
            "p": _p(only_first, only_second),
        }
    return tests


def _right(predictions: Predictions, count: int) -> NDArray[np.bool_]:
    """Return which images are right within the best so many classes."""
    if len(predictions.best) != 1:
        ways = ", ".join(map(quote, predictions.best))
        raise UserError(
            f"these predictions are of several ways of testing: {ways}", "compare records of one"
        )
    (best,) = predictions.best.values()
    right: NDArray[np.bool_] = (best[:, :count] == predictions.labels[:, None]).any(axis=1)
    return right


def _p(only_first: int, only_second: int) -> float:
    """Return how likely so uneven a split is if both are right equally often."""
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    return float(binomtest(only_first, discordant).pvalue)
