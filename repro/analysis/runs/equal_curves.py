"""Seeds whose curves are equal to the digit: one is a copy of the other, or went on from it.

Two seeds see other batches from other weights, so not even the first point of their curves can be
equal in all its digits. The first point decides, because a run that was copied half-way and then
trained on shares its beginning only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from repro.storage.metrics_file import CURVE

_SEED = re.compile(r'"seed":\d+,?')


@dataclass(frozen=True)
class Twin:
    """A row of the gathered table whose curve begins like that of an earlier row."""

    row: int
    other: int
    points: int  # so many of them are equal, from the first on


def twins(table: pa.Table, order: Iterable[int]) -> Iterator[Twin]:
    """Yield the rows whose curve equals an earlier one's, of the same net, recipe and scale.

    `order`: the rows, those first that count where two are equal.
    """
    # Curves are compared only where their first losses are equal: few are, and comparing is slow.
    known: dict[float, list[int]] = {}
    losses = _first_losses(table)
    for row in order:
        loss = losses[row]
        if loss is None or not math.isfinite(loss):
            continue
        others = known.setdefault(loss, [])
        for other in others:
            if _alike(table, row, other):
                yield Twin(row, other, _equal_points(table, row, other))
                break
        else:
            others.append(row)


def _first_losses(table: pa.Table) -> list[float | None]:
    """Return each run's training loss at the first point: as a mean, it has all its digits."""
    column = table["curve.train_loss"].combine_chunks()
    starts, lengths = column.offsets.to_pylist(), column.value_lengths().to_pylist()
    losses: list[float | None] = []
    for start, length in zip(starts[: len(lengths)], lengths, strict=True):
        losses.append(column.values[start].as_py() if length else None)
    return losses


def _alike(table: pa.Table, row: int, other: int) -> bool:
    """Whether both rows are of one definition but for the seed, and begin with the same point."""
    definitions = table["definition"]
    one, two = definitions[row].as_py(), definitions[other].as_py()
    return _SEED.sub("", one) == _SEED.sub("", two) and _equal_points(table, row, other) > 0


def _equal_points(table: pa.Table, row: int, other: int) -> int:
    """How many points of two curves are equal, from the first on."""
    count = 0
    for one, two in zip(_points(table, row), _points(table, other), strict=False):
        if one != two:
            break
        count += 1
    return count


def _points(table: pa.Table, row: int) -> Iterator[tuple[object, ...]]:
    """Yield the points of a curve, each with all that was measured there."""
    columns = [table[f"curve.{name}"][row].as_py() for name in CURVE]
    return zip(*columns, strict=True)
