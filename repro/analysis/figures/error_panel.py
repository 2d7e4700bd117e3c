"""One set of axes with error against iterations: training thin and dashed, testing bold."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from repro.analysis.figures import style
from repro.analysis.figures.curve_points import SPLITS, Curve, FilledPanel, metric_of, naming_split
from repro.analysis.figures.end_labels import End, label_ends
from repro.analysis.figures.figure_key import OURS, PAPERS
from repro.analysis.figures.mean_and_band import draw_mean, name_artist, say_if_empty


def draw_errors(
    axes: Axes, filled: FilledPanel, limits: tuple[float, float], stretch: float
) -> None:
    """Draw the curves of a panel, the paper's behind ours, on the paper's axes."""
    panel = filled.panel
    axes.set_title(style.printable(panel.title))
    # The paper first: what is drawn later lies above.
    for curve in filled.curves:
        for split in panel.splits:
            _draw_paper(axes, curve, split, widest_gap=(panel.x[1] - panel.x[0]) * 1e4 / 12)
    for curve in filled.curves:
        for split in panel.splits:
            _draw_ours(axes, curve, split, metric_of(panel, split))
    say_if_empty(axes)
    axes.set_xlim(panel.x[0] * 1e4 * stretch, panel.x[1] * 1e4 * stretch)
    axes.set_ylim(*limits)
    _label_iterations(axes)
    axes.yaxis.set_major_locator(MultipleLocator(_error_step(limits[1] - limits[0])))
    axes.set_ylabel("error (%)", labelpad=2)
    named = naming_split(panel)
    ends = [_end_of(curve, named, metric_of(panel, named)) for curve in filled.curves]
    label_ends(axes, [end for end in ends if end])


def _draw_paper(axes: Axes, curve: Curve, split: str, widest_gap: float) -> None:
    points = curve.paper_split(split)
    if points.empty:
        return
    across, up = _with_gaps(points["iteration"], points["error"], widest_gap)
    kind = PAPERS[split] | {"color": style.paper_colour(curve.depth)}
    line = axes.plot(across, up, zorder=1.5, **kind)[0]
    name_artist(axes, line, f"paper {curve.label} {SPLITS[split]}")


def _draw_ours(axes: Axes, curve: Curve, split: str, metric: str) -> None:
    points = curve.points.dropna(subset=[metric])
    if points.empty:
        return
    kind = OURS[split] | {"color": style.colour(curve.depth)}
    draw_mean(axes, points, ("iteration", metric), f"{curve.label} {SPLITS[split]}", kind)


def _end_of(curve: Curve, split: str, metric: str) -> End | None:
    """Return where a net is named: at the end of our curve, or else of the paper's."""
    level = curve.last(metric)
    if level is not None:
        kind = {"color": style.colour(curve.depth), "linewidth": 1.3}
        return End(curve.label, level, kind, curve.drawn_to())
    points = curve.paper_split(split)
    if points.empty:
        return None
    kind = {"color": style.paper_colour(curve.depth), "linewidth": 1.3}
    return End(curve.label, float(points["error"].iloc[-1]), kind)


def _error_step(height: float) -> int:
    """Return how far apart the ticks of error are."""
    if height <= 25:
        return 5
    return 10 if height <= 60 else 20


def _label_iterations(axes: Axes) -> None:
    """Count iterations in 1e4 as the paper does; singly where the axis is shorter than that."""
    last = axes.get_xlim()[1]
    if last < 2e4:
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("iterations", labelpad=2)
        return
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    # A tick at every 1e4, as in the paper's Figures 1 and 6.
    if 4e4 <= last <= 8e4:
        axes.xaxis.set_major_locator(MultipleLocator(1e4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e4:g}"))
    axes.set_xlabel("iterations (1e4)", labelpad=2)


def _with_gaps(
    x: pd.Series[float], y: pd.Series[float], widest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the points, with a break wherever other curves hid this one in the paper's figure."""
    across, up = x.to_numpy(float), y.to_numpy(float)
    breaks = np.flatnonzero(np.diff(across) > widest) + 1
    return np.insert(across, breaks, np.nan), np.insert(up, breaks, np.nan)
