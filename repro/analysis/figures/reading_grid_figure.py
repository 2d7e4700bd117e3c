"""A picture of the grid of readings: each one's top-1 error, and the published interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from repro.analysis.compare.likely_readings import deviation
from repro.analysis.figures import style
from repro.analysis.output.reading_table import published_of, with_shares

MOST = 40  # readings that are drawn; the table has all
WIDTH = 6.875  # inches: the page of the paper
LINE = 0.135  # inches a reading takes
TITLES = {"center": "centre crop", "ten": "ten crops", "multi": "many scales"}


def draw(document: Mapping[str, Any], whole: int) -> Figure:
    """Return the picture: a panel for each way of cutting, the likeliest reading on top."""
    rows = with_shares(document, whole)
    panels = {str(views): group.head(MOST) for views, group in rows.groupby("views", sort=False)}
    heights = [len(group) + 3 for group in panels.values()]
    with style.paper():
        figure = style.blank(WIDTH, LINE * sum(heights) + 0.5)
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axis, (views, group) in zip(axes, panels.items(), strict=True):
            _panel(axis, views, group, document, whole)
        axes[-1].set_xlabel("top-1 error (%)")
        figure.tight_layout()
    return figure


def _panel(
    axis: Any, views: str, group: pd.DataFrame, document: Mapping[str, Any], whole: int
) -> None:
    places = range(len(group))
    spreads = [1.96 * deviation(error, document["images"], whole) for error in group["top1"]]
    axis.errorbar(
        group["top1"], places, xerr=spreads, fmt="o", markersize=3, color=style.INK, linewidth=0.7
    )
    printed = published_of(document, views).get("top1")
    if printed is not None:
        axis.axvspan(printed.low, printed.high, color=style.lighter(style.SPINE), zorder=0)
    axis.set_yticks(list(places), [style.printable(_label(row)) for _, row in group.iterrows()])
    axis.set_ylim(len(group) - 0.5, -0.5)
    axis.set_title(TITLES[views])


def _label(row: pd.Series) -> str:
    parts = [f"mean {row['mean']}", row["filter"], row["pool"], f"ε {row['epsilon']:g}"]
    if row["average"] != "–":
        parts.append(row["average"])
    if row["flip"]:
        parts.append("flips")
    return ", ".join(parts)
