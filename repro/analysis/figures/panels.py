"""One set of axes: error against iterations, or response against layers; and where the axes sit on the page."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, MultipleLocator, NullLocator

from repro.analysis.figures import style
from repro.analysis.figures.curves import Curve
from repro.analysis.figures.end_labels import label_ends
from repro.definition.experiment import Panel

# Inches around the axes; the names of the curves stand at right, and only the first panel of a row says `error (%)`.
LEFT, NEXT_LEFT, RIGHT, TOP, BOTTOM = 0.38, 0.2, 0.74, 0.22, 0.36
KEY, LINE = 0.17, 0.115  # the key under the axes, and a line of the notes
SPLITS = {"train": "training", "test": "test"}


@dataclass(frozen=True)
class PanelFrame:
    """Where everything goes, in inches: panels in a row (stacked for layer responses), a key, the notes."""

    panels: int
    stacked: bool
    notes: list[str]

    @property
    def width(self) -> float:
        return style.COLUMN if self.panels == 1 or self.stacked else style.PAGE

    @property
    def height(self) -> float:
        return self._axes_height * self._down + self._under

    @property
    def lines(self) -> list[str]:
        """The notes, broken to the figure's width."""
        return textwrap.wrap(" ".join(self.notes), int((self.width - LEFT) * 24.5))

    def place(self, number: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of one panel, as fractions of the figure."""
        height = self._axes_height - TOP - BOTTOM
        if self.stacked:
            left, bottom = (
                LEFT,
                self._under + self._axes_height * (self.panels - 1 - number) + BOTTOM,
            )
            width = self.width - LEFT - 0.08
        else:
            width = (
                self.width - LEFT - NEXT_LEFT * (self.panels - 1) - RIGHT * self.panels
            ) / self.panels
            left, bottom = LEFT + number * (width + RIGHT + NEXT_LEFT), self._under + BOTTOM
        return (left / self.width, bottom / self.height, width / self.width, height / self.height)

    @property
    def _down(self) -> int:
        return self.panels if self.stacked else 1

    @property
    def _axes_height(self) -> float:
        return 1.75 if self.stacked else 2.35

    @property
    def _under(self) -> float:
        return KEY + LINE * len(self.lines) + 0.04


def draw_errors(
    axes: Axes,
    panel: Panel,
    limits: tuple[float, float],
    curves: list[Curve],
    paper: pd.DataFrame | None,
    stretch: float,
    first: bool,
) -> None:
    """Error against iterations: training thin and dashed, testing bold, the seeds' spread as a band."""
    axes.set_title(style.printable(panel.title))
    if paper is not None:
        shown = paper[paper["split"].isin(panel.splits)]
        for (label, split), points in shown.groupby(["label", "split"], sort=True):
            kind = style.PAPER_TRAIN if split == "train" else style.PAPER_TEST
            whole = _with_gaps(
                points["iteration"], points["error"], (panel.x[1] - panel.x[0]) * 1e4 / 12
            )
            _named(axes.plot(*whole, zorder=1, **kind)[0], f"paper {label} {SPLITS[split]}")
    for curve in curves:
        for split in panel.splits:
            _draw_mean(axes, curve, panel.test_metric if split == "test" else "train_error")
    _say_if_empty(axes)
    axes.set_xlim(panel.x[0] * 1e4 * stretch, panel.x[1] * 1e4 * stretch)
    axes.set_ylim(*limits)
    _iterations_below(axes)
    axes.yaxis.set_major_locator(
        MultipleLocator(5 if limits[1] - limits[0] <= 25 else 10 if limits[1] <= 60 else 20)
    )
    axes.set_ylabel("error (%)" if first else "", labelpad=2)
    label_ends(axes, named_by(panel), curves)


def named_by(panel: Panel) -> str:
    """The metric at whose end a curve is named: the test error, where the panel has it."""
    return panel.test_metric if "test" in panel.splits else "train_error"


def draw_responses(
    axes: Axes, panel: Panel, curves: list[Curve], paper: pd.DataFrame | None
) -> None:
    """The standard deviation of each layer's response: plain nets dashed, residual nets solid."""
    axes.set_title(style.printable(panel.title))
    by_size = panel.shows == "sorted responses"
    if paper is not None:
        for label, points in paper.groupby("label", sort=True):
            dashes = "--" if str(label).startswith("plain") else "-"
            line = axes.plot(
                points["rank"], points["std"], dashes, color=style.PAPER, linewidth=0.9, zorder=1
            )[0]
            _named(line, f"paper {label}")
    for curve in curves:
        _draw_layers(axes, curve, by_size)
    _say_if_empty(axes)
    axes.set_xlim(*panel.x)
    low, high = _wide_enough(panel, curves) if paper is None else panel.y
    if high > 2 * panel.y[1]:  # or the paper's own range would be a strip at the bottom
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(low, high)
    axes.set_xlabel("layer, by magnitude" if by_size else "layer, in the net's order", labelpad=2)
    axes.set_ylabel("std of response", labelpad=2)
    if by_size and axes.get_lines():
        handles = [
            line for line in axes.get_lines() if not line.get_label().startswith(("paper", "_"))
        ]
        axes.legend(
            handles=handles, frameon=False, loc="upper right", handlelength=2.2, labelspacing=0.25
        )


def draw_key(drawing: Drawing, frame: PanelFrame, responses: bool, paper: bool) -> None:
    """What the line kinds mean, and the notes, under the axes."""
    kinds = [
        ("plain", {"linestyle": "--", "linewidth": 0.9}),
        ("residual", {"linestyle": "-", "linewidth": 0.9}),
    ]
    kinds = kinds if responses else [("test", style.TEST), ("training", style.TRAIN)]
    handles = [Line2D([], [], color=style.INK, label=label, **kind) for label, kind in kinds]
    if paper:
        handles.append(Line2D([], [], label="the paper", **style.PAPER_TEST))
    bottom = (LINE * len(frame.lines) + 0.03) / frame.height
    drawing.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(LEFT / frame.width, bottom),
        bbox_transform=drawing.transFigure,
        ncols=len(handles),
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=2.6,
        columnspacing=1.6,
    )
    for number, line in enumerate(reversed(frame.lines)):
        at = (0.03 + LINE * number) / frame.height
        drawing.text(
            LEFT / frame.width,
            at,
            style.printable(line),
            fontsize=5.8,
            color=style.FAINT,
            va="bottom",
        )


def _say_if_empty(axes: Axes) -> None:
    """Empty axes could be a fault of the drawing: they say that they are not."""
    if not axes.get_lines():
        axes.text(
            0.5,
            0.5,
            "no run yet",
            transform=axes.transAxes,
            color=style.FAINT,
            ha="center",
            va="center",
        )


def _draw_mean(axes: Axes, curve: Curve, metric: str) -> None:
    """The mean over seeds with a band of one standard deviation; a lone seed is itself, without a band."""
    points = curve.points.dropna(subset=[metric])
    if points.empty:
        return
    split, kind = ("training", style.TRAIN) if metric == "train_error" else ("test", style.TEST)
    _mean_and_band(axes, points, "iteration", metric, curve, f"{curve.label} {split}", kind)


def _wide_enough(panel: Panel, curves: list[Curve]) -> tuple[float, float]:
    """The paper's limits, or as far beyond as the means go: another scale must not hide what it found."""
    means = [
        curve.responses.groupby("layer")["response"].mean()
        for curve in curves
        if not curve.responses.empty
    ]
    low, high = (
        min((mean.min() for mean in means), default=1.0),
        max((mean.max() for mean in means), default=1.0),
    )
    return min(panel.y[0], np.floor(10 * low) / 10), max(panel.y[1], np.ceil(1.05 * high))


def _draw_layers(axes: Axes, curve: Curve, by_size: bool) -> None:
    responses = curve.responses
    if responses.empty:
        return
    if by_size:
        responses = responses.assign(
            layer=responses.groupby("id", observed=True)["response"].rank(
                method="first", ascending=False
            )
        )
    kind = {"linewidth": 0.9, "linestyle": "--" if curve.plain else "-"}
    _mean_and_band(axes, responses, "layer", "response", curve, curve.label, kind)


def _mean_and_band(
    axes: Axes,
    points: pd.DataFrame,
    x: str,
    y: str,
    curve: Curve,
    name: str,
    kind: dict[str, object],
) -> None:
    """One line: the mean over seeds, and one standard deviation to each side where there are two or more."""
    import seaborn

    seaborn.lineplot(
        data=points,
        x=x,
        y=y,
        color=style.colour(curve.depth),
        errorbar="sd",
        err_kws={"alpha": 0.18, "linewidth": 0},
        legend=False,
        ax=axes,
        **kind,
    )
    _named(axes.get_lines()[-1], name)
    _named(axes.collections[-1], f"{name} band")


def _iterations_below(axes: Axes) -> None:
    """1e4 as the paper has it; plain counts where the whole axis is shorter than that."""
    last = axes.get_xlim()[1]
    axes.xaxis.set_major_locator(
        MultipleLocator(1e4) if 4e4 <= last <= 8e4 else MaxNLocator(6, steps=[1, 2, 5, 10])
    )
    if last >= 2e4:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e4:g}"))
        axes.set_xlabel("iterations (1e4)", labelpad=2)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel("iterations", labelpad=2)


def _with_gaps(x: pd.Series, y: pd.Series, widest: float) -> tuple[np.ndarray, np.ndarray]:
    """The points with a break wherever other curves hid this one in the paper's figure."""
    order = np.argsort(x.to_numpy(), kind="stable")
    across, up = x.to_numpy(float)[order], y.to_numpy(float)[order]
    breaks = np.flatnonzero(np.diff(across) > widest) + 1
    return np.insert(across, breaks, np.nan), np.insert(up, breaks, np.nan)


def _named(artist: Artist, name: str) -> None:
    """A name by which a test, or the report's toggle, can find it again."""
    artist.set_label(style.printable(name))
    artist.set_gid(style.printable(f"{artist.axes.get_title(loc='left')} {name}").replace(" ", "-"))
