"""How figures look: one colour a depth, training thin and dashed, testing bold, the paper lighter.

Everything here holds inside `style.paper()` and nowhere else: matplotlib's own settings, the user's
`matplotlibrc` and the backend in force neither change a figure nor are changed by one.
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

COLUMN, PAGE = 3.25, 6.875  # inches: one column of the paper, and its full width

INK = "#1f1f1f"
FAINT = "#6b6b6b"  # notes: 5.3 : 1 on white
SPINE = "#8c8c8c"
GRID = "#ececec"

# Seaborn's "colorblind" palette. 110 layers are black, as in the paper.
HUES = {
    "ink": INK,
    "blue": "#0173b2",
    "orange": "#de8f05",
    "green": "#029e73",
    "red": "#d55e00",
    "violet": "#cc78bc",
    "brown": "#ca9161",
    "pink": "#fbafe4",
    "sky": "#56b4e9",
}
# In this order neighbours in depth differ in lightness, too.
_OF_DEPTH = {18: "orange", 20: "orange", 32: "violet", 34: "blue", 44: "green", 50: "green"}
_OF_DEPTH |= {56: "blue", 101: "violet", 110: "ink", 152: "red", 1202: "red"}
_OTHERS = ("brown", "pink", "sky")
LIGHTER = 0.45  # how much white is in the paper's tone of a colour

DASHES = (0, (3.5, 1.6))
TEST: dict[str, Any] = {"linewidth": 1.5, "linestyle": "-"}
TRAIN: dict[str, Any] = {"linewidth": 0.65, "linestyle": DASHES}
PAPER_TEST: dict[str, Any] = {"linewidth": 0.9, "linestyle": "-"}
PAPER_TRAIN: dict[str, Any] = TRAIN
RESIDUAL: dict[str, Any] = {"linewidth": 1.0, "linestyle": "-"}
PLAIN: dict[str, Any] = {"linewidth": 1.0, "linestyle": DASHES}

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
    "grid.color": GRID,
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
    """Put our settings over matplotlib's defaults, for the time of drawing and of saving."""
    settings: Any = _SETTINGS  # its stubs list every key that matplotlib has
    with context("default", after_reset=True), mpl.rc_context(settings):
        yield


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of that size, drawn by Agg: no window, no pyplot state."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def colour(depth: int) -> str:
    """Return the colour of a net of that depth, the same on every figure."""
    return HUES[_OF_DEPTH.get(depth, _OTHERS[depth % 3])]


def paper_colour(depth: int) -> str:
    """Return the lighter tone in which the paper's own curve of that depth is drawn."""
    return lighter(colour(depth))


def lighter(colour: str) -> str:
    """Return a colour mixed with white."""
    channels = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    mixed = [round(channel + (255 - channel) * LIGHTER) for channel in channels]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def rendered(figure: Figure, form: Format) -> bytes:
    """Return the figure as a file's bytes: equal figures give equal bytes."""
    buffer = io.BytesIO()
    with paper():
        figure.savefig(buffer, format=form, metadata=_METADATA[form])
    return buffer.getvalue()


def printable(text: str) -> str:
    """Return text that every format can hold: XML refuses control characters."""
    return "".join(map(_printable_letter, text))


def _printable_letter(letter: str) -> str:
    if letter.isprintable() or letter == "\n":
        return letter
    return "\N{REPLACEMENT CHARACTER}"
