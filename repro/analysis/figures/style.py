"""How figures look: one colour a depth, training thin and dashed, testing bold, the paper in grey.

Everything here holds inside `style.paper()` and nowhere else: matplotlib's own settings, the user's `matplotlibrc` and
the backend in force neither change a figure nor are changed by one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.style import context

Format = Literal["svg", "pdf", "png"]
FORMATS: tuple[Format, ...] = ("svg", "pdf", "png")

COLUMN, PAGE = 3.25, 6.875  # inches: one column of the paper, and its full width

INK = "#1f1f1f"
FAINT = "#6b6b6b"  # notes: 5.3 : 1 on white
PAPER = "#c2c2c2"  # the paper's own curves
SPINE = "#8c8c8c"

TEST: dict[str, Any] = {"linewidth": 1.5, "linestyle": "-"}
TRAIN: dict[str, Any] = {"linewidth": 0.65, "linestyle": (0, (3.5, 1.6))}

PAPER_TEST: dict[str, Any] = {
    "linewidth": 2.0,
    "linestyle": "-",
    "color": PAPER,
}  # seen on both sides of ours
PAPER_TRAIN: dict[str, Any] = TRAIN | {"color": PAPER}

# Seaborn's "colorblind" palette in an order where neighbours in depth differ in lightness too.
_OF_DEPTH = {18: 1, 20: 1, 32: 4, 34: 0, 44: 2, 50: 2, 56: 0, 101: 4, 152: 3, 1202: 3}

_SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so every machine has the same one
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": SPINE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "axes.formatter.use_locale": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.color": SPINE,
    "ytick.color": SPINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.direction": "out",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#ececec",
    "grid.linewidth": 0.5,
    "text.color": INK,
    "text.parse_math": False,  # a label is text, whatever it contains
    "lines.solid_capstyle": "round",
    "lines.dash_capstyle": "butt",
    "lines.solid_joinstyle": "round",
    "lines.scale_dashes": False,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "savefig.bbox": None,
    "svg.hashsalt": "repro",
    "svg.fonttype": "path",  # glyphs drawn into the file: the same on every screen
    "pdf.fonttype": 42,
}

_METADATA: dict[Format, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@contextmanager
def paper() -> Iterator[None]:
    """Our settings over matplotlib's defaults, for the time of drawing and of saving."""
    with context("default", after_reset=True), mpl.rc_context(_SETTINGS):
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure of that size, drawn by Agg; no window, no pyplot state."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def colour(depth: int) -> str:
    """The colour of a net of that depth, on every figure the same; 110 layers are black as in the paper."""
    import seaborn

    if depth == 110:
        return INK
    palette = seaborn.color_palette("colorblind").as_hex()
    return str(palette[_OF_DEPTH.get(depth, 5 + depth % 3)])


def rendered(figure: Figure, form: Format) -> bytes:
    """The figure as a file's bytes: equal figures give equal bytes."""
    buffer = io.BytesIO()
    with paper():
        figure.savefig(buffer, format=form, metadata=_METADATA[form])
    return buffer.getvalue()


def printable(text: str) -> str:
    """Text that every format can hold: control characters, which XML refuses, replaced."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
