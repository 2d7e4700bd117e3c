"""What one row of a figure has to show: the points of its runs, and how far they are.

Finished runs, if there are any, are shown alone: a mean over seeds that stop at different iterations would jump
wherever one of them stops.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from repro.analysis.runs.frames import Collected
from repro.definition.experiment import Row


@dataclass(frozen=True)
class Curve:
    """One row's runs, ready to be drawn."""

    row: Row
    ids: tuple[str, ...]
    points: pd.DataFrame
    responses: pd.DataFrame
    finished: int
    running: int
    diverged: int = 0

    @property
    def label(self) -> str:
        return self.row.label

    @property
    def depth(self) -> int:
        return self.row.runs.run.net.depth if self.row.runs else 0

    @property
    def plain(self) -> bool:
        return self.row.runs is not None and self.row.runs.run.net.kind == "plain"

    @property
    def iterations(self) -> int:
        """Where the schedule of these runs ends."""
        return self.row.runs.run.recipe.iterations if self.row.runs else 0

    def last(self, metric: str) -> float | None:
        """The mean over seeds of the last value of a metric."""
        values = (
            self.points.dropna(subset=[metric])
            .sort_values("iteration")
            .groupby("id", observed=True)[metric]
            .last()
        )
        return float(values.mean()) if len(values) else None

    def drawn_to(self) -> int:
        """The last iteration that is drawn."""
        return int(self.points["iteration"].max()) if len(self.points) else 0


def curve_of(row: Row, collected: Collected) -> Curve:
    """The row's runs among those collected."""
    wanted = tuple(row.runs or ())
    runs = collected.of(wanted)
    points = runs.points
    done = set(runs.finished["id"])
    diverged = set(runs.diverged["id"])
    started = set(points["id"])
    shown = done or (started - diverged) or started
    return Curve(
        row,
        tuple(run.id for run in wanted),
        _in_step(points[points["id"].isin(shown)]),
        runs.of_finished.responses,
        finished=len(done),
        running=len(started - done - diverged),
        diverged=len(diverged),
    )


def _in_step(points: pd.DataFrame) -> pd.DataFrame:
    """The iterations that every run has reached."""
    everywhere = points.groupby("iteration")["id"].transform("nunique") == points["id"].nunique()
    return points[everywhere]
