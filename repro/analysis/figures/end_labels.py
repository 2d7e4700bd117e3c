"""The nets' names at the right of a panel, each beside the end of its curve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from repro.analysis.figures import style

LABEL_GAP = 7.5  # points between two names
TALL_LABEL = 2.4 * LABEL_GAP  # of two lines: a name, and a level above the axes


@dataclass(frozen=True)
class End:
    """Where a curve ends, and the line that marks its name."""

    label: str
    level: float
    kind: dict[str, Any]
    reached: int | None = None  # the iteration; None for the paper's own


def label_ends(axes: Axes, ends: list[End]) -> None:
    """Write each net's name at right, as near to the end of its curve as its neighbours leave room.

    The mark before a name is level: strokes from crowded ends to their names would fan out of one
    point. A net that the axes would hide stands at the top, with its level and an arrow.
    """
    low, high = axes.get_ylim()
    point = (high - low) / axes.bbox.height * axes.figure.dpi / 72  # in error
    ends = sorted(ends, key=lambda end: end.level)
    above = [end for end in ends if end.level > high]
    inside = [end for end in ends if end.level <= high]
    for number, end in enumerate(above):
        level = high - (TALL_LABEL * number + 0.6 * LABEL_GAP) * point
        _write_name(axes, end, f"{end.label}\n↑ {end.level:.1f}", level)
    ceiling = high - TALL_LABEL * len(above) * point
    levels = spread_apart([end.level for end in inside], LABEL_GAP * point, low, ceiling)
    for end, level in zip(inside, levels, strict=True):
        _write_name(axes, end, end.label, level)
        _mark_unfinished(axes, end)


def _write_name(axes: Axes, end: End, text: str, level: float) -> None:
    sideways = axes.get_yaxis_transform()  # x in fractions of the axes, y in percent
    axes.plot(
        [1.015, 1.065], [level, level], transform=sideways, clip_on=False, label="_", **end.kind
    )
    axes.text(
        1.085,
        level,
        style.printable(text),
        transform=sideways,
        va="center",
        fontsize=6.5,
        linespacing=1.05,
    )


def _mark_unfinished(axes: Axes, end: End) -> None:
    """Draw a dot where a curve stops before the axis does."""
    if end.reached is None or end.reached >= 0.98 * axes.get_xlim()[1]:
        return
    colour = end.kind["color"]
    axes.plot([end.reached], [end.level], "o", color=colour, markersize=2.6, label="_end")


def spread_apart(wanted: Iterable[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions as near as possible to the wanted ones, at least `gap` apart."""
    groups: list[list[float]] = []  # the wanted positions of labels that touch
    for value in wanted:
        groups.append([value])
        while len(groups) > 1 and _first(groups[-1], gap) < _last(groups[-2], gap) + gap:
            touching = groups.pop()
            groups[-1] += touching
    placed = [_first(group, gap) + gap * number for group in groups for number in range(len(group))]
    lifted = [max(level, low + gap * number) for number, level in enumerate(placed)]
    highest = high - gap * (len(placed) - 1)
    return [min(level, highest + gap * number) for number, level in enumerate(lifted)]


def _first(group: list[float], gap: float) -> float:
    return float(np.mean(group)) - gap * (len(group) - 1) / 2


def _last(group: list[float], gap: float) -> float:
    return float(np.mean(group)) + gap * (len(group) - 1) / 2
