"""The one key of a figure, under its panels: every kind of line that is drawn, as it is drawn."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from repro.analysis.figures import style
from repro.analysis.figures.curve_points import SPLITS, FilledPanel
from repro.analysis.figures.page_layout import LEFT, MARGIN, NOTE_LINE, PageLayout
from repro.analysis.figures.response_panel import PAPER_POINTS, line_kind

Entry = tuple[str, dict[str, Any]]  # what a line means, and how it is drawn

OURS = {"test": style.TEST, "train": style.TRAIN}
PAPERS = {"test": style.PAPER_TEST, "train": style.PAPER_TRAIN}


def key_of_errors(panels: list[FilledPanel]) -> list[Entry]:
    """Return an entry for each split of ours, and of the paper's, that some panel shows."""
    entries = []
    for split in ("test", "train"):
        if any(split in panel.panel.splits for panel in panels if panel.has_ours):
            entries.append((SPLITS[split], OURS[split] | {"color": style.INK}))
    for split in ("test", "train"):
        if any(split in panel.panel.splits for panel in panels if panel.has_paper):
            colour = style.lighter(style.INK)
            entries.append((f"{SPLITS[split]}, the paper", PAPERS[split] | {"color": colour}))
    return entries


def key_of_responses(panels: list[FilledPanel]) -> list[Entry]:
    """Return an entry for each net, and one for the paper's points beside ours."""
    entries: dict[str, dict[str, Any]] = {}
    for panel in panels:
        for curve in panel.curves:
            if len(curve.responses):
                entries[curve.label] = line_kind(curve)
            elif len(curve.paper):
                entries.setdefault(curve.label, line_kind(curve, of_paper=True) | PAPER_POINTS)
    ours = any(panel.has_ours for panel in panels)
    if ours and any(panel.has_paper for panel in panels):
        colour = style.lighter(style.INK)
        entries["the paper"] = {"color": colour, "linewidth": 0.5} | PAPER_POINTS
    return list(entries.items())


def draw_key(drawing: Drawing, layout: PageLayout, entries: list[Entry]) -> None:
    """Draw the key, and the notes under it."""
    handles = [Line2D([], [], label=style.printable(label), **kind) for label, kind in entries]
    if handles:
        drawing.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(LEFT / layout.width, layout.key_bottom / layout.height),
            bbox_transform=drawing.transFigure,
            ncols=layout.key_columns,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=2.6,
            labelspacing=0.3,
            columnspacing=1.6,
        )
    for number, line in enumerate(reversed(layout.lines)):
        drawing.text(
            LEFT / layout.width,
            (MARGIN + NOTE_LINE * number) / layout.height,
            style.printable(line),
            fontsize=5.8,
            color=style.FAINT,
            va="bottom",
        )
