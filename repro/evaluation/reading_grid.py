"""The grid of readings: every combination of what a description of a test leaves open.

Some choices change what is shown to the net (filter, mean), some change the net (pooling, ε), and
some only what is made of its scores (flips, softmax or logits). The last cost nothing: they share
their forward pass with the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from repro.definition.preprocessing import CAFFE_MEAN, Filter, Preprocessing
from repro.errors import UserError, did_you_mean, quote
from repro.evaluation.readings import CAFFE_EPSILON, Pool, Reading, Views

FILTERS: tuple[Filter, ...] = ("bilinear", "aliased bilinear", "bicubic")
POOLS: tuple[Pool, ...] = ("unpadded", "padded")
EPSILONS = (CAFFE_EPSILON, 1e-3)  # Caffe's and PyTorch's, and that of many ports to TensorFlow
FACTORS = ("mean", "filter", "pool", "epsilon", "average", "flip")


def grid(
    preprocessing: Preprocessing, views: Views, own_pool: Pool, vary: Sequence[str] = FACTORS
) -> list[Reading]:
    """Return all combinations of what is varied, for these views; the declared one is first."""
    for factor in vary:
        if factor not in FACTORS:
            hint = did_you_mean(factor, FACTORS, "one of " + ", ".join(FACTORS))
            raise UserError(f"a test has no factor {quote(factor)} to vary", hint)
    readings: list[Reading] = []
    for kind in _views(views):
        readings += _combined(preprocessing, kind, own_pool, vary)
    return list(dict.fromkeys(readings))


def columns(reading: Reading) -> dict[str, Any]:
    """Return what tells a reading from the others of its grid, as a row of a table has it."""
    wanted = reading.preprocessing
    return {
        "views": reading.views,
        "mean": wanted.mean if isinstance(wanted.mean, str) else "colour",
        "filter": wanted.filter,
        "pool": reading.pool,
        "epsilon": reading.epsilon,
        "average": reading.average if _averages(reading) else "–",
        "flip": reading.flip,
    }


def _views(views: Views) -> tuple[Views, ...]:
    """The centre crop is among the ten, so its readings cost nothing more."""
    return ("center", "ten") if views == "ten" else (views,)


def _combined(
    preprocessing: Preprocessing, views: Views, own_pool: Pool, vary: Sequence[str]
) -> Iterable[Reading]:
    own = Reading(preprocessing, views, flip=views != "center", pool=own_pool)
    for mean, kind, pool, epsilon, average, flip in product(
        _choices("mean", vary, preprocessing.mean, _means(preprocessing)),
        _choices("filter", vary, preprocessing.filter, FILTERS),
        _choices("pool", vary, own_pool, POOLS),
        _choices("epsilon", vary, own.epsilon, EPSILONS),
        _choices("average", vary, own.average, ("softmax", "logits")),
        _choices("flip", vary, own.flip, _flips(views)),
    ):
        reading = Reading(
            replace(preprocessing, mean=mean, filter=kind), views, flip, average, pool, epsilon
        )
        # Of one crop there is nothing to average.
        yield reading if _averages(reading) else replace(reading, average="softmax")


def _choices(factor: str, vary: Sequence[str], own: Any, others: Iterable[Any]) -> list[Any]:
    """Return the declared choice first, and the others where the factor is varied."""
    if factor not in vary:
        return [own]
    return [own, *(choice for choice in others if choice != own)]


def _means(preprocessing: Preprocessing) -> tuple[Any, ...]:
    """A mean image or one colour: a question only where there is a mean image."""
    return (CAFFE_MEAN,) if preprocessing.mean == "image" else ()


def _flips(views: Views) -> tuple[bool, ...]:
    return (True,) if views == "ten" else (True, False)


def _averages(reading: Reading) -> bool:
    return reading.views != "center" or reading.flip
