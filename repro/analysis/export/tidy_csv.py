"""One CSV with a row for each run, iteration and metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from repro.analysis.export.run_series import Series

COLUMNS = ("run", "net", "recipe", "scale", "seed", "state", "iteration", "metric", "value")


def render_csv(series: Iterable[Series]) -> str:
    """Return the CSV of these runs; a value has all its digits, and may be `nan` or `inf`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in series:
        run = one.run
        about = (run.id, run.net.name, run.recipe.name, run.scale, run.seed, one.state)
        for number in one.numbers:
            # `repr` has every digit; a count is a whole number, and is written as one.
            value = repr(number.value).removesuffix(".0")
            writer.writerow((*about, number.iteration, number.metric, value))
    return text.getvalue()
