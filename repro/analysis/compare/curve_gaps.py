"""Our curves against the paper's, read off its figures, in each phase of the learning rate.

A number beside a reading error; it changes no verdict. Only at scale paper: elsewhere the
iterations mean other things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from repro.analysis.runs.frames import Collected
from repro.definition.experiment import Experiment, Figure, Panel, Row
from repro.errors import UserError, quote

COLUMNS = {
    "train": "train_error",
    "test": "test_error",
}  # of the points, by the name of the digitised split
PAPER = Path(__file__).resolve().parents[3] / "experiments" / "paper"


@dataclass(frozen=True)
class CurveGap:
    """The mean absolute difference of two curves over one phase, where both have points."""

    experiment: str
    row: str
    split: str
    phase: str  # the learning rate of the phase
    gap: float  # points of error
    reading_error: float
    points: int
    runs: tuple[str, ...]

    @property
    def within(self) -> bool:
        return self.gap <= self.reading_error


def digitised(figure: Figure) -> pd.DataFrame | None:
    """The figure's curves as read off the paper: panel, label, split, iteration, error, reading_error."""
    if figure.digitised is None:
        return None
    try:
        return pd.read_csv(PAPER / figure.digitised)
    except FileNotFoundError:
        raise UserError(
            f"no file {quote(figure.digitised)} in experiments/paper",
            "restore it from the repository",
        ) from None


def curve_gaps(name: str, experiment: Experiment, collected: Collected) -> list[CurveGap]:
    """Every curve of a figure that both have, phase by phase."""
    paper = digitised(experiment) if isinstance(experiment, Figure) else None
    if paper is None or "iteration" not in paper:
        return []
    assert isinstance(experiment, Figure)
    found = [
        gap
        for panel in experiment.panels
        for row in panel.rows
        if row.runs and row.runs.run.scale == "paper"
        for gap in _of_row(name, panel, row, paper, collected)
    ]
    return list(dict.fromkeys(found))


def _of_row(
    name: str, panel: Panel, row: Row, paper: pd.DataFrame, collected: Collected
) -> Iterator[CurveGap]:
    assert row.runs is not None
    recipe = row.runs.run.recipe
    edges = [0, *recipe.drops, recipe.iterations]
    runs = collected.of(row.runs).of_finished
    points = runs.points
    for split, column in COLUMNS.items():
        theirs = paper[
            (paper["panel"] == panel.digitised)
            & (paper["label"] == row.label)
            & (paper["split"] == split)
        ]
        ours = points.dropna(subset=[column]).groupby("iteration")[column].mean()
        if theirs.empty or ours.empty:
            continue
        for phase, (first, last) in enumerate(pairwise(edges)):
            both = theirs[
                theirs["iteration"].between(
                    max(first + 1, ours.index.min()), min(last, ours.index.max())
                )
            ]
            if len(both):
                at = np.interp(both["iteration"], ours.index.to_numpy(float), ours.to_numpy(float))
                gap, doubt = (
                    float(np.abs(at - both["error"]).mean()),
                    round(float(both["reading_error"].mean()), 6),
                )
                rate = "all rates" if recipe.plateau else f"{recipe.learning_rate / 10**phase:g}"
                yield CurveGap(name, row.label, split, rate, gap, doubt, len(both), runs.ids)
