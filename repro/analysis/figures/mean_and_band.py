"""What both kinds of panel draw: a mean over seeds with its band."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from repro.analysis.figures import style


def draw_mean(
    axes: Axes, points: pd.DataFrame, columns: tuple[str, str], name: str, kind: dict[str, Any]
) -> None:
    """Draw the mean over seeds, with a band of one standard deviation where there are several."""
    import seaborn

    x, y = columns
    band = {"alpha": 0.18, "linewidth": 0}
    seaborn.lineplot(points, x=x, y=y, errorbar="sd", err_kws=band, legend=False, ax=axes, **kind)
    name_artist(axes, axes.get_lines()[-1], name)
    name_artist(axes, axes.collections[-1], f"{name} band")
    # Seaborn names the axes after the columns.
    axes.set_xlabel("")
    axes.set_ylabel("")


def name_artist(axes: Axes, artist: Artist, name: str) -> None:
    """Give an artist a name by which a test, or the report's checkbox, can find it again."""
    artist.set_label(style.printable(name))
    artist.set_gid(style.printable(f"{axes.get_title(loc='left')} {name}").replace(" ", "-"))


def say_if_empty(axes: Axes) -> None:
    """Write into empty axes that no run has started: they could be a fault of the drawing."""
    if axes.get_lines():
        return
    middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, "no run yet", color=style.FAINT, **middle)  # type: ignore[arg-type]
