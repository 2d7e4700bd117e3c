"""Our curves against the paper's, read off its figures, in each phase of the learning rate.

A number beside a reading error; it changes no verdict. Only at scale paper: elsewhere the
iterations mean other things.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Experiment, Figure, Panel, Row
from repro.errors import UserError, quote
from repro.storage.paths import PAPER_NUMBERS

# The column of our points, by the name of the digitised split.
COLUMNS = {"train": "train_error", "test": "test_error"}


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
    """Return a figure's curves as they were read off the paper; None where there is no file."""
    if figure.digitised is None:
        return None
    try:
        return pd.read_csv(PAPER_NUMBERS / figure.digitised)
    except FileNotFoundError:
        raise UserError(
            f"no file {quote(figure.digitised)} in experiments/paper",
            "restore it from the repository",
        ) from None


def curve_gaps(name: str, experiment: Experiment, collected: Collected) -> list[CurveGap]:
    """Every curve of a figure that both have, phase by phase."""
    if not isinstance(experiment, Figure):
        return []
    paper = digitised(experiment)
    if paper is None or "iteration" not in paper:  # Figure 7 has layers, and no curves
        return []
    gaps: list[CurveGap] = []
    for panel in experiment.panels:
        for row in panel.rows:
            if row.runs and row.runs.run.scale == "paper":
                gaps += _of_row(name, panel, row, paper, collected)
    return list(dict.fromkeys(gaps))


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
        # The paper's points of a phase, as far as ours reach.
        reached = theirs["iteration"].between(ours.index.min(), ours.index.max())
        for phase, (first, last) in enumerate(pairwise(edges)):
            both = theirs[reached & theirs["iteration"].between(first + 1, last)]
            if both.empty:
                continue
            # Both are drawn at points of their own: ours are taken between two points on a line.
            at = np.interp(both["iteration"], ours.index.to_numpy(float), ours.to_numpy(float))
            gap = float(np.abs(at - both["error"]).mean())
            doubt = round(float(both["reading_error"].mean()), 6)
            rate = f"{recipe.learning_rate / 10**phase:g}"
            if recipe.plateau:  # where it drops is found while training, so there is one phase
                rate = "all rates"
            yield CurveGap(name, row.label, split, rate, gap, doubt, len(both), runs.ids)
