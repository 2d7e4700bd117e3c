"""Figures 3 and 5: nets and blocks drawn layer by layer, as boxes with their shortcuts, in inches on the page.

Colours stand for the number of channels. Layers whose maps are of one size stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from repro.analysis.figures import style
from repro.analysis.figures.architecture_boxes import Box, Shortcut, Stack, stack_of
from repro.definition.experiment import Drawing

GUTTER, COLUMN = 0.34, 0.97  # inches: the sizes of the maps at left, and a column of a net
BOX, SLOT = (0.76, 0.112), 0.18  # a box, and from one to the next
HEAD, FOOT = 0.52, 0.2  # above the first box and under the last
BLOCK, SUM = (0.72, 0.17), 0.05  # a box of a block, and the radius of the sum's circle
_TINTS = {64: 4, 128: 2, 256: 1, 512: 0}  # of the palette, by channels


def draw(drawing: Drawing) -> Figure:
    """The drawing, from the layers of its nets."""
    stacks = [stack_of(heading, drawn) for heading, drawn in drawing.columns]
    whole = any(len({box.size for box in one.boxes}) > 1 for one in stacks)
    with style.paper():
        return _nets(stacks) if whole else _blocks(stacks)


def described(drawing: Drawing) -> str:
    """The drawing in words, for those who cannot see it."""
    return " ".join(_described(stack_of(heading, drawn)) for heading, drawn in drawing.columns)


def _described(one: Stack) -> str:
    runs = [
        (text.replace(", ", " "), len(list(same)))
        for text, same in groupby(box.text for box in one.boxes)
    ]
    layers = "; ".join(text if count == 1 else f"{text}, {count} times" for text, count in runs)
    dotted = sum(shortcut.widens for shortcut in one.shortcuts)
    around = (
        f" {len(one.shortcuts)} shortcuts, {dotted} of which increase dimensions."
        if len(one.boxes) > 3
        else ""
    )
    return f"{one.heading}, {one.cost.layers} weighted layers: {layers}.{around if one.shortcuts else ''}"


def _nets(stacks: list[Stack]) -> Figure:
    """Whole nets side by side, each band of the page for maps of one size."""
    sizes = sorted({box.size for one in stacks for box in one.boxes}, reverse=True)
    rows = {
        size: max(sum(box.size == size for box in one.boxes) for one in stacks) for size in sizes
    }
    height = HEAD + SLOT * sum(rows.values()) + FOOT
    axes = _page(GUTTER + COLUMN * len(stacks), height)
    tops, top = {}, height - HEAD
    for size in sizes:
        tops[size], top = top, top - SLOT * rows[size]
        _band(axes, size, tops[size])
    axes.text(
        0.02,
        height - HEAD + 0.1,
        "output\nsize",
        fontsize=5.4,
        color=style.FAINT,
        va="center",
        linespacing=1.1,
    )
    if any(shortcut.widens for one in stacks for shortcut in one.shortcuts):
        said = "Dotted shortcuts increase dimensions."
        axes.text(
            axes.get_xlim()[1] - 0.05,
            0.06,
            said,
            fontsize=5.4,
            color=style.FAINT,
            ha="right",
            va="center",
        )
    for number, one in enumerate(stacks):
        across = GUTTER + COLUMN * (number + 0.5) - 0.06
        _heading(
            axes,
            across,
            height - 0.1,
            one,
            f"{one.cost.multiply_adds / 1e9:.1f} billion multiply-adds",
        )
        _net(axes, across, one, _levels(one.boxes, tops))
    return axes.figure


def _levels(boxes: Iterable[Box], tops: dict[int, float]) -> list[float]:
    """The middle of each box: one under the other, from the top of the band of its size."""
    seen = dict.fromkeys(tops, 0)
    levels = []
    for box in boxes:
        levels.append(tops[box.size] - SLOT * (seen[box.size] + 0.5))
        seen[box.size] += 1
    return levels


def _net(axes: Axes, across: float, one: Stack, levels: list[float]) -> None:
    """The boxes from the image down, an arrow into each, and the shortcuts at right."""
    start = axes.get_ylim()[1] - HEAD + 0.1
    axes.text(across, start, "image", fontsize=5.8, ha="center", va="center")
    ends = [start - 0.055, *(level - BOX[1] / 2 for level in levels)]
    for end, level in zip(ends, levels, strict=False):
        _arrow(axes, across, end, level + BOX[1] / 2)
    for box, level in zip(one.boxes, levels, strict=True):
        _box(axes, across, level, BOX, box)
    for shortcut in one.shortcuts:
        top, bottom = (
            levels[shortcut.first] + SLOT / 2 - 0.014,
            levels[shortcut.last] - SLOT / 2 + 0.014,
        )
        _around(axes, [(across, top), (across + BOX[0] / 2, top)], (across, bottom), 0.17, shortcut)


def _blocks(stacks: list[Stack]) -> Figure:
    """Blocks side by side: what goes in at the top, the sum at the bottom, and how much it takes."""
    width, height = style.COLUMN, 2.1
    axes = _page(width, height)
    for number, one in enumerate(stacks):
        across = width * (number + 0.5) / len(stacks) - 0.13
        each = f"{one.cost.multiply_adds:,} multiply-adds a position"
        _heading(axes, across, height - 0.1, one, each)
        _block(axes, across, one, height - 0.45, 0.33)
    return axes.figure


def _block(axes: Axes, across: float, one: Stack, top: float, bottom: float) -> None:
    count, (width, tall) = len(one.boxes), BLOCK
    step = (top - bottom) / (count + 0.5)
    levels = [top - step * (number + 0.75) for number in range(count)]
    ends = [top, *(level - tall / 2 for level in levels)]
    for place, (end, level) in enumerate(zip(ends, levels, strict=False)):
        _arrow(axes, across, end, level + tall / 2)
        _beside(axes, across, (end + level + tall / 2) / 2, "relu" if place else "")
    axes.text(across - 0.05, top - 0.05, f"{one.entering}-d", fontsize=5.8, ha="right", va="center")
    for box, level in zip(one.boxes, levels, strict=True):
        _box(axes, across, level, BLOCK, box, fontsize=6.2)
    _sum(axes, across, ends[-1], bottom)
    start = (ends[0] + levels[0] + tall / 2) / 2
    for shortcut in one.shortcuts:
        _around(
            axes,
            [(across, start), (across + width / 2, start)],
            (across + SUM, bottom),
            0.26,
            shortcut,
        )
    axes.text(
        across + width / 2 + 0.22, (start + bottom) / 2, "identity", fontsize=5.8, va="center"
    )


def _sum(axes: Axes, across: float, start: float, level: float) -> None:
    """The addition, and what leaves it."""
    _arrow(axes, across, start, level + SUM)
    axes.add_patch(Circle((across, level), SUM, fill=False, edgecolor=style.INK, linewidth=0.6))
    for stroke in (([-SUM, SUM], [0, 0]), ([0, 0], [-SUM, SUM])):
        axes.plot(
            [across + x for x in stroke[0]],
            [level + y for y in stroke[1]],
            color=style.INK,
            linewidth=0.6,
        )
    _arrow(axes, across, level - SUM, level - SUM - 0.17)
    _beside(axes, across, level - SUM - 0.08, "relu")


def _beside(axes: Axes, across: float, level: float, text: str) -> None:
    axes.text(across + 0.04, level, text, fontsize=5.8, color=style.FAINT, va="center")


def _page(width: float, height: float) -> Axes:
    """Axes over the whole page, in inches, that show nothing of themselves."""
    axes = style.blank(width, height).add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    return axes


def _heading(axes: Axes, across: float, top: float, one: Stack, cost: str) -> None:
    axes.text(
        across,
        top,
        style.printable(one.heading),
        fontsize=7,
        fontweight="bold",
        ha="center",
        va="center",
    )
    axes.text(across, top - 0.12, cost, fontsize=5, color=style.FAINT, ha="center", va="center")


def _band(axes: Axes, size: int, top: float) -> None:
    axes.plot(
        [0.02, axes.get_xlim()[1] - 0.02], [top, top], color="#ececec", linewidth=0.5, zorder=0
    )
    axes.text(0.02, top - SLOT / 2, f"{size}", fontsize=6.5, va="center")


def _box(
    axes: Axes,
    across: float,
    level: float,
    size: tuple[float, float],
    box: Box,
    fontsize: float = 5.4,
) -> None:
    width, height = size
    corner = (across - width / 2, level - height / 2)
    tint, edge = _colours(box.channels)
    rounded = FancyBboxPatch(corner, width, height, "round,pad=0,rounding_size=0.02", linewidth=0.6)
    rounded.set(facecolor=tint, edgecolor=edge, zorder=2)
    axes.add_patch(rounded)
    axes.text(
        across, level - 0.004, box.text, fontsize=fontsize, ha="center", va="center", zorder=3
    )


def _colours(channels: int) -> tuple[object, str]:
    """Of the inside and of the edge. The inside is half transparent: it suits a dark page as well."""
    import seaborn

    if channels not in _TINTS:
        return "none", style.SPINE
    colour = seaborn.color_palette("colorblind").as_hex()[_TINTS[channels]]
    return (colour, 0.2), colour


def _arrow(axes: Axes, across: float, start: float, end: float) -> None:
    axes.add_patch(
        FancyArrowPatch(
            (across, start),
            (across, end),
            arrowstyle="-|>",
            mutation_scale=3,
            linewidth=0.5,
            color=style.INK,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _around(
    axes: Axes,
    start: list[tuple[float, float]],
    end: tuple[float, float],
    bulge: float,
    shortcut: Shortcut,
) -> None:
    """A shortcut, from its start around to its end: dotted where it changes dimensions."""
    (_, top), (edge, _) = start[0], start[-1]
    right, (inner, bottom) = edge + bulge, end
    points = [*start, (right, top), (right, bottom), (edge, bottom), (inner, bottom)]
    path = Path(
        points, [Path.MOVETO, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO]
    )
    line = (0, (1, 1.4)) if shortcut.widens else "-"
    axes.add_patch(
        PathPatch(path, fill=False, linewidth=0.6, linestyle=line, edgecolor=style.INK, zorder=1)
    )
