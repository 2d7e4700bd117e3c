"""The nets' names at the right of a panel, each beside the end of its curve: nearer than any legend."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes

from repro.analysis.figures import style
from repro.analysis.figures.curves import Curve

LABEL_GAP = 7.5  # points between two names


def label_ends(axes: Axes, metric: str, curves: list[Curve]) -> None:
    """Each net's name at right, as near to the end of its test curve as the neighbours leave room.

    A net that the paper's limits would hide stands at the top, with its level and an arrow.
    """
    low, high = axes.get_ylim()
    ends = [(curve, curve.last(metric)) for curve in curves]
    known = sorted(
        ((end, number, curve) for number, (curve, end) in enumerate(ends) if end is not None)
    )
    inside = [(end, curve) for end, _, curve in known if end <= high]
    above = [(end, curve) for end, _, curve in known if end > high]
    unit = (high - low) / (
        axes.get_position().height * axes.figure.get_figheight() * 72
    )  # of error, a point
    for number, (end, curve) in enumerate(above):
        _name_at_right(
            axes,
            curve,
            f"{curve.label}\n↑ {end:.1f}",
            high - (2.4 * number + 0.6) * LABEL_GAP * unit,
            None,
        )
    ceiling = high - 2.4 * len(above) * LABEL_GAP * unit
    for (end, curve), at in zip(
        inside,
        spread_apart([end for end, _ in inside], LABEL_GAP * unit, low, ceiling),
        strict=True,
    ):
        _name_at_right(axes, curve, curve.label, at, end)
        if curve.drawn_to() < 0.98 * axes.get_xlim()[1]:
            axes.plot(
                [curve.drawn_to()],
                [end],
                "o",
                color=style.colour(curve.depth),
                markersize=2.6,
                label="_end",
            )


def _name_at_right(axes: Axes, curve: Curve, text: str, at: float, end: float | None) -> None:
    """The name, joined to the level of its curve by a short stroke in the curve's colour."""
    sideways = axes.get_yaxis_transform()  # x in fractions of the axes, y in percent
    stroke = [at, at] if end is None else [end, at]
    axes.plot(
        [1.015, 1.075],
        stroke,
        transform=sideways,
        color=style.colour(curve.depth),
        linewidth=1.3,
        clip_on=False,
        label="_",
    )
    axes.text(
        1.095,
        at,
        style.printable(text),
        transform=sideways,
        va="center",
        fontsize=6.5,
        linespacing=1.05,
    )


def spread_apart(wanted: Iterable[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near as possible to the wanted ones, in their order, `gap` apart, within the limits."""
    groups: list[list[float]] = []  # each: the wanted positions of labels that touch
    for value in wanted:
        groups.append([value])
        while len(groups) > 1 and _first(groups[-1], gap) < _last(groups[-2], gap) + gap:
            last = groups.pop()
            groups[-1] += last
    placed = [_first(group, gap) + gap * number for group in groups for number in range(len(group))]
    count = len(placed)
    lifted = [max(place, low + gap * number) for number, place in enumerate(placed)]
    return [min(place, high - gap * (count - 1 - number)) for number, place in enumerate(lifted)]


def _first(group: list[float], gap: float) -> float:
    return float(np.mean(group)) - gap * (len(group) - 1) / 2


def _last(group: list[float], gap: float) -> float:
    return float(np.mean(group)) + gap * (len(group) - 1) / 2
