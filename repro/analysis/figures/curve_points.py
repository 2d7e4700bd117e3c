"""What one row of a figure has to show: the points of its runs, the paper's, and how far they are.

Finished runs, if there are any, are shown alone: a mean over seeds that stop at different
iterations would jump wherever one of them stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pandas as pd

from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Panel, Row

SPLITS = {"train": "training", "test": "test"}


@dataclass(frozen=True)
class Curve:
    """One row's runs, ready to be drawn. `paper`: the paper's points, where they are shown."""

    row: Row
    ids: tuple[str, ...]
    points: pd.DataFrame
    responses: pd.DataFrame
    finished: int
    running: int
    diverged: int = 0
    paper: pd.DataFrame = field(default_factory=pd.DataFrame)

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
        """The iteration at which the schedule of these runs ends."""
        return self.row.runs.run.recipe.iterations if self.row.runs else 0

    def last(self, metric: str) -> float | None:
        """Return the mean over seeds of the last value of a metric."""
        known = self.points.dropna(subset=[metric]).sort_values("iteration")
        values = known.groupby("id", observed=True)[metric].last()
        return float(values.mean()) if len(values) else None

    def drawn_to(self) -> int:
        """Return the last iteration that is drawn."""
        return int(self.points["iteration"].max()) if len(self.points) else 0

    def paper_split(self, split: str) -> pd.DataFrame:
        """Return the paper's points of one split, by iteration."""
        if self.paper.empty:
            return self.paper
        points = self.paper[self.paper["split"] == split]
        return points.sort_values("iteration", kind="stable")


@dataclass(frozen=True)
class FilledPanel:
    """A panel of a figure with its curves."""

    panel: Panel
    curves: tuple[Curve, ...]

    @property
    def has_ours(self) -> bool:
        """Whether a run of ours has a point or a response to be drawn."""
        return any(map(self._has_ours, self.curves))

    @property
    def has_paper(self) -> bool:
        return any(len(curve.paper) for curve in self.curves)

    @property
    def drawn(self) -> set[tuple[str, ...]]:
        """Each net that is drawn, with what the panel shows of it."""
        shown = (self.panel.shows, *self.panel.splits)
        nets = [curve.label for curve in self.curves if self._has_ours(curve) or len(curve.paper)]
        return {(*shown, net) for net in nets}

    def _has_ours(self, curve: Curve) -> bool:
        if self.panel.shows != "curves":
            return len(curve.responses) > 0
        metrics = [metric_of(self.panel, split) for split in self.panel.splits]
        return bool(curve.points[metrics].notna().any(axis=None))

    def with_paper(self, digitised: pd.DataFrame) -> FilledPanel:
        """Return the panel with the paper's points beside ours."""
        of_panel = digitised[digitised["panel"] == self.panel.digitised]
        curves = [
            replace(curve, paper=of_panel[of_panel["label"] == curve.label])
            for curve in self.curves
        ]
        return replace(self, curves=tuple(curves))


def metric_of(panel: Panel, split: str) -> str:
    """Return the metric that a panel shows of a split."""
    return panel.test_metric if split == "test" else "train_error"


def naming_split(panel: Panel) -> str:
    """Return the split at whose end a curve is named: the test error, where the panel has it."""
    return "test" if "test" in panel.splits else "train"


def curve_of(row: Row, collected: Collected) -> Curve:
    """Return the row's runs among those collected."""
    wanted = tuple(row.runs or ())
    runs = collected.of(wanted)
    points = runs.points
    done = set(runs.finished["id"])
    diverged = set(runs.diverged["id"])
    started = set(points["id"])
    # Of a net that never finished, a running seed says more than one that diverged.
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
    """Return the points of the iterations that every run has reached."""
    # Where a seed is missing, the mean would jump.
    everywhere = points.groupby("iteration")["id"].transform("nunique") == points["id"].nunique()
    return points[everywhere]
