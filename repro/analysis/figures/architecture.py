"""Figures 3 and 5: nets and blocks, layer by layer, as boxes with shortcuts. Lengths are in inches.

Colours stand for the number of channels. Layers whose maps are of one size stand side by side.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from repro.analysis.figures import style
from repro.analysis.figures.architecture_boxes import Box, Shortcut, Stack, stack_of
from repro.definition.experiment import Drawing

MARGIN = 0.05  # kept free along the edges of the page
GUTTER, COLUMN = 0.4, 0.97  # the sizes of the maps at left, and a column of a net
BOX, SLOT = (0.76, 0.112), 0.18  # a box, and from one to the next
HEAD, FOOT = 0.52, 0.22  # above the first box and under the last
BLOCK, SUM = (0.72, 0.17), 0.05  # a box of a block, and the radius of the sum's circle
SMALL, TINY = 5.8, 5.4  # sizes of letters
TINTS = {64: "violet", 128: "green", 256: "orange", 512: "blue"}  # by channels


def draw(drawing: Drawing) -> Figure:
    """Return the drawing, from the layers of its nets."""
    stacks = [stack_of(heading, drawn) for heading, drawn in drawing.columns]
    with style.paper():
        if any(len(stack.sizes) > 1 for stack in stacks):
            return _draw_nets(stacks)
        return _draw_blocks(stacks)


def described(drawing: Drawing) -> str:
    """Return the drawing in words, for those who cannot see it."""
    stacks = [stack_of(heading, drawn) for heading, drawn in drawing.columns]
    return " ".join(map(_in_words, stacks))


def _in_words(stack: Stack) -> str:
    layers = []
    for text, same in groupby(box.text.replace(", ", " ") for box in stack.boxes):
        count = len(list(same))
        layers.append(text if count == 1 else f"{text}, {count} times")
    sentence = f"{stack.heading}, {stack.cost.layers} weighted layers: {'; '.join(layers)}."
    if not stack.shortcuts or len(stack.boxes) <= 3:
        return sentence
    dotted = sum(shortcut.widens for shortcut in stack.shortcuts)
    return f"{sentence} {len(stack.shortcuts)} shortcuts, {dotted} of which increase dimensions."


def _draw_nets(stacks: list[Stack]) -> Figure:
    """Return whole nets side by side, each band of the page for maps of one size."""
    rows: Counter[int] = Counter()
    for stack in stacks:
        rows |= stack.sizes  # of each size, the most boxes that a net has
    height = HEAD + SLOT * rows.total() + FOOT
    axes = _page(GUTTER + COLUMN * len(stacks) + MARGIN, height)
    tops, top = {}, height - HEAD
    for size in sorted(rows, reverse=True):
        tops[size] = top
        _draw_band(axes, size, top)
        top -= SLOT * rows[size]
    _write(axes, MARGIN, height - HEAD + 0.1, "output\nsize", TINY, style.FAINT)
    shortcuts = [shortcut for stack in stacks for shortcut in stack.shortcuts]
    if any(shortcut.widens for shortcut in shortcuts):
        text, right = "Dotted shortcuts increase dimensions.", axes.get_xlim()[1] - MARGIN
        _write(axes, right, 0.08, text, TINY, style.FAINT, ha="right")
    for number, stack in enumerate(stacks):
        middle = GUTTER + COLUMN * (number + 0.5) - 0.06
        cost = f"{stack.cost.multiply_adds / 1e9:.1f} billion multiply-adds"
        _write_heading(axes, middle, height - 0.1, stack, cost)
        _draw_net(axes, middle, stack, _levels(stack.boxes, tops))
    return _figure_of(axes)


def _levels(boxes: Iterable[Box], tops: dict[int, float]) -> list[float]:
    """Return the middle of each box: one under the other, from the top of the band of its size."""
    drawn = dict.fromkeys(tops, 0)
    levels = []
    for box in boxes:
        levels.append(tops[box.size] - SLOT * (drawn[box.size] + 0.5))
        drawn[box.size] += 1
    return levels


def _draw_net(axes: Axes, middle: float, stack: Stack, levels: list[float]) -> None:
    """Draw the boxes from the image down, an arrow into each, and the shortcuts at right."""
    start = axes.get_ylim()[1] - HEAD + 0.1
    _write(axes, middle, start, "image", SMALL, ha="center")
    ends = [start - 0.055, *(level - BOX[1] / 2 for level in levels)]
    for end, level in zip(ends, levels, strict=False):
        _draw_arrow(axes, middle, end, level + BOX[1] / 2)
    for box, level in zip(stack.boxes, levels, strict=True):
        _draw_box(axes, middle, level, BOX, box)
    for shortcut in stack.shortcuts:
        top = levels[shortcut.first] + SLOT / 2 - 0.014
        bottom = levels[shortcut.last] - SLOT / 2 + 0.014
        start_points = [(middle, top), (middle + BOX[0] / 2, top)]
        _draw_around(axes, start_points, (middle, bottom), 0.17, shortcut)


def _draw_blocks(stacks: list[Stack]) -> Figure:
    """Return blocks side by side: what goes in at the top, the sum at the bottom, and the cost."""
    width, height = style.COLUMN, 2.1
    axes = _page(width, height)
    for number, stack in enumerate(stacks):
        middle = width * (number + 0.5) / len(stacks) - 0.16
        cost = f"{stack.cost.multiply_adds:,} multiply-adds a position"
        _write_heading(axes, middle, height - 0.1, stack, cost)
        _draw_block(axes, middle, stack, height - 0.45, 0.33)
    return _figure_of(axes)


def _draw_block(axes: Axes, middle: float, stack: Stack, top: float, bottom: float) -> None:
    count, (width, height) = len(stack.boxes), BLOCK
    step = (top - bottom) / (count + 0.5)
    levels = [top - step * (number + 0.75) for number in range(count)]
    ends = [top, *(level - height / 2 for level in levels)]
    for number, (end, level) in enumerate(zip(ends, levels, strict=False)):
        _draw_arrow(axes, middle, end, level + height / 2)
        if number:
            _write_relu(axes, middle, (end + level + height / 2) / 2)
    _write(axes, middle - 0.05, top - 0.05, f"{stack.entering}-d", SMALL, ha="right")
    for box, level in zip(stack.boxes, levels, strict=True):
        _draw_box(axes, middle, level, BLOCK, box, letters=6.2)
    _draw_sum(axes, middle, ends[-1], bottom)
    start = (ends[0] + levels[0] + height / 2) / 2
    for shortcut in stack.shortcuts:
        start_points = [(middle, start), (middle + width / 2, start)]
        _draw_around(axes, start_points, (middle + SUM, bottom), 0.26, shortcut)
    _write(axes, middle + width / 2 + 0.22, (start + bottom) / 2, "identity", SMALL)


def _draw_sum(axes: Axes, middle: float, start: float, level: float) -> None:
    """Draw the addition, and what leaves it."""
    _draw_arrow(axes, middle, start, level + SUM)
    line = {"color": style.INK, "linewidth": 0.6}
    axes.add_patch(Circle((middle, level), SUM, fill=False, edgecolor=style.INK, linewidth=0.6))
    axes.plot([middle - SUM, middle + SUM], [level, level], **line)  # type: ignore[arg-type]
    axes.plot([middle, middle], [level - SUM, level + SUM], **line)  # type: ignore[arg-type]
    _draw_arrow(axes, middle, level - SUM, level - SUM - 0.17)
    _write_relu(axes, middle, level - SUM - 0.08)


def _write_relu(axes: Axes, middle: float, level: float) -> None:
    _write(axes, middle + 0.04, level, "relu", SMALL, style.FAINT)


def _page(width: float, height: float) -> Axes:
    """Return axes over the whole page, in inches, that show nothing of themselves."""
    axes = style.blank(width, height).add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    return axes


def _figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str = style.INK,
    ha: str = "left",
) -> None:
    axes.text(x, y, text, fontsize=size, color=colour, ha=ha, va="center", linespacing=1.1)


def _write_heading(axes: Axes, middle: float, top: float, stack: Stack, cost: str) -> None:
    heading = style.printable(stack.heading)
    axes.text(middle, top, heading, fontsize=7, fontweight="bold", ha="center", va="center")
    _write(axes, middle, top - 0.12, cost, 5, style.FAINT, ha="center")


def _draw_band(axes: Axes, size: int, top: float) -> None:
    right = axes.get_xlim()[1] - MARGIN
    axes.plot([MARGIN, right], [top, top], color=style.GRID, linewidth=0.5, zorder=0)
    _write(axes, MARGIN, top - SLOT / 2, f"{size}", 6.5)


def _draw_box(
    axes: Axes,
    middle: float,
    level: float,
    size: tuple[float, float],
    box: Box,
    letters: float = TINY,
) -> None:
    width, height = size
    corner = (middle - width / 2, level - height / 2)
    rounded = FancyBboxPatch(corner, width, height, "round,pad=0,rounding_size=0.02", linewidth=0.6)
    rounded.set(facecolor="none", edgecolor=style.SPINE, zorder=2)
    if box.channels in TINTS:
        colour = style.HUES[TINTS[box.channels]]
        # Half transparent, the inside suits a dark page as well.
        rounded.set(facecolor=(colour, 0.2), edgecolor=colour)
    axes.add_patch(rounded)
    axes.text(middle, level - 0.004, box.text, fontsize=letters, ha="center", va="center", zorder=3)


def _draw_arrow(axes: Axes, middle: float, start: float, end: float) -> None:
    axes.add_patch(
        FancyArrowPatch(
            (middle, start),
            (middle, end),
            arrowstyle="-|>",
            mutation_scale=3,
            linewidth=0.5,
            color=style.INK,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _draw_around(
    axes: Axes,
    start: list[tuple[float, float]],
    end: tuple[float, float],
    bulge: float,
    shortcut: Shortcut,
) -> None:
    """Draw a shortcut from its start around to its end: dotted where it changes dimensions."""
    (_, top), (edge, _) = start[0], start[-1]
    right, (inner, bottom) = edge + bulge, end
    points = [*start, (right, top), (right, bottom), (edge, bottom), (inner, bottom)]
    curve = [Path.CURVE4] * 3
    path = Path(points, [Path.MOVETO, Path.LINETO, *curve, Path.LINETO])
    line = (0, (1, 1.4)) if shortcut.widens else "-"
    axes.add_patch(
        PathPatch(path, fill=False, linewidth=0.6, linestyle=line, edgecolor=style.INK, zorder=1)
    )
