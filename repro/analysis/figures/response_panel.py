"""One set of axes with the standard deviation of each layer's response: plain nets dashed."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from repro.analysis.figures import style
from repro.analysis.figures.curve_points import Curve, FilledPanel
from repro.analysis.figures.mean_and_band import draw_mean, name_artist, say_if_empty

PAPER_POINTS = {"marker": "o", "markersize": 1.8, "markeredgewidth": 0}
LOG_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw_responses(axes: Axes, filled: FilledPanel) -> None:
    """Draw the responses of a panel's nets, in the order of the layers or by their magnitude."""
    panel = filled.panel
    by_size = panel.shows == "sorted responses"
    axes.set_title(style.printable(panel.title))
    for curve in filled.curves:
        _draw_paper(axes, curve)
    for curve in filled.curves:
        _draw_ours(axes, curve, by_size)
    say_if_empty(axes)
    axes.set_xlabel("layer, by magnitude" if by_size else "layer, in the net's order", labelpad=2)
    axes.set_ylabel("std of response", labelpad=2)
    axes.set_xlim(0, _last_layer(filled) + 1 or panel.x[1])
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    low, high = _limits(filled)
    if high > 2 * panel.y[1]:
        # On a linear axis the paper's own range would be a strip at the bottom.
        _use_log_axis(axes)
    axes.set_ylim(low, high)


def line_kind(curve: Curve, of_paper: bool = False) -> dict[str, Any]:
    """Return how a net's line is drawn."""
    kind = style.PLAIN if curve.plain else style.RESIDUAL
    if of_paper:
        return kind | {"color": style.paper_colour(curve.depth), "linewidth": 0.5}
    return kind | {"color": style.colour(curve.depth)}


def _draw_paper(axes: Axes, curve: Curve) -> None:
    """Draw the points read off the paper, joined by a thin line."""
    if curve.paper.empty:
        return
    points = curve.paper.sort_values("rank", kind="stable")
    kind = line_kind(curve, of_paper=True) | PAPER_POINTS
    line = axes.plot(points["rank"], points["std"], zorder=1.5, **kind)[0]
    name_artist(axes, line, f"paper {curve.label}")


def _draw_ours(axes: Axes, curve: Curve, by_size: bool) -> None:
    responses = curve.responses
    if responses.empty:
        return
    if by_size:
        ranks = responses.groupby("id", observed=True)["response"].rank("first", ascending=False)
        responses = responses.assign(layer=ranks)
    draw_mean(axes, responses, ("layer", "response"), curve.label, line_kind(curve))


def _last_layer(filled: FilledPanel) -> float:
    """Return where the longest line ends; -1 without any."""
    last = -1.0
    for curve in filled.curves:
        if len(curve.responses):
            last = max(last, float(curve.responses["layer"].max()))
        if len(curve.paper):
            last = max(last, float(curve.paper["rank"].max()))
    return last


def _limits(filled: FilledPanel) -> tuple[float, float]:
    """Return the paper's limits, or as far beyond as our means and their bands go."""
    low, high = filled.panel.y
    for curve in filled.curves:
        if curve.responses.empty:
            continue
        below, above = _reach(curve.responses)
        # A log axis has no zero, which a wide band may reach.
        low = min(low, max(0.1, math.floor(10 * below) / 10))
        high = max(high, math.ceil(1.05 * above))
    return low, high


def _reach(responses: pd.DataFrame) -> tuple[float, float]:
    """Return the lowest and the highest value of a mean with its band."""
    layers = responses.groupby("layer")["response"]
    mean, std = layers.mean(), layers.std().fillna(0.0)
    return float((mean - std).min()), float((mean + std).max())


def _use_log_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(LOG_TICKS))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylabel("std of response (log scale)", labelpad=2)
