"""The column of released weights: what weights that others trained give where a table has our own
number.

It is a column of its own and nothing else: no mean, no verdict and no best seed looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from repro.analysis.compare.measured_weights import MeasuredNumber, in_words
from repro.analysis.output.table_formats import MISSING

NAME = "released\nweights"


def with_released(
    block: pd.DataFrame, metric: str, numbers: Sequence[MeasuredNumber], before: str
) -> pd.DataFrame:
    """Return one metric's columns with that of released weights, if any were measured for it."""
    cells = released_cells(list(block.index), metric, numbers)
    if not any(cells):
        return block
    block = block.copy()
    block.insert(
        list(block.columns).index(before), NAME, ["; ".join(cell) or MISSING for cell in cells]
    )
    return block


def released_cells(
    labels: Sequence[str], metric: str, numbers: Sequence[MeasuredNumber]
) -> list[tuple[str, ...]]:
    """Return what stands in each row: an error, and in brackets whose weights gave it."""
    cells = []
    for label in labels:
        matching = [number for number in numbers if (number.row, number.metric) == (label, metric)]
        cells.append(tuple(number.cell for number in matching))
    return cells


def released_notes(numbers: Sequence[MeasuredNumber]) -> list[str]:
    """Return how each number stands to those in print."""
    if not numbers:
        return []
    notes = ["Released weights: measured here and trained by others; in no mean, no verdict."]
    for number in numbers:
        notes.append(f"{number.row}, {number.metric}, {number.weights}: {in_words(number)}.")
    return notes
