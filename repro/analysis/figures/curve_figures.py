"""Figures 1, 4, 6 and 7: the paper's axes, our curves, and the paper's own in lighter tones behind.

A figure draws whatever is there and says what is missing. A net whose error lies above the paper's
axes is named at their upper edge with its level. A panel with nothing to show is left out. Where no
run has started, the paper's curves stand alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from repro.analysis.compare.curve_gaps import digitised
from repro.analysis.figures import style
from repro.analysis.figures.curve_points import FilledPanel, curve_of, metric_of, naming_split
from repro.analysis.figures.error_panel import draw_errors
from repro.analysis.figures.figure_key import draw_key, key_of_errors, key_of_responses
from repro.analysis.figures.figure_notes import in_words, notes_under
from repro.analysis.figures.page_layout import PageLayout
from repro.analysis.figures.response_panel import draw_responses
from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Figure, at_scale
from repro.definition.scales_and_variants import Scale
from repro.storage.atomic import write_atomic
from repro.storage.paths import Places


def draw(
    figure: Figure,
    collected: Collected,
    scale: Scale,
    seeds: int | None = None,
    narrow: bool = False,
) -> Drawing:
    """Return the figure at that scale, from what is finished and what is on its way.

    `narrow`: its panels stand one under the other, for a small screen.
    """
    every = fill_panels(figure, collected, scale, seeds)
    panels = _worth_drawing(every)
    errors = any(panel.shows == "curves" for panel in figure.panels)
    entries = key_of_errors(panels) if errors else key_of_responses(panels)
    notes = notes_under(figure, every, collected, scale)
    stacked = narrow or not errors
    layout = PageLayout(len(panels), stacked, len(entries), notes, names=errors)
    limits = error_limits(figure, every, scale)
    with style.paper():
        drawing = style.blank(layout.width, layout.height)
        for number, panel in enumerate(panels):
            axes = drawing.add_axes(layout.place(number))
            if panel.panel.shows == "curves":
                draw_errors(axes, panel, limits, _stretch(figure, panel))
            else:
                draw_responses(axes, panel)
            if number and not stacked:
                axes.set_ylabel("")
        draw_key(drawing, layout, entries)
    return drawing


def _worth_drawing(every: list[FilledPanel]) -> list[FilledPanel]:
    """Return the panels that show something of their own; all, if none has anything to show.

    While ResNet-1202 has not run, the right panel of Figure 6 would repeat the middle one's
    ResNet-110.
    """
    shown: set[tuple[str, ...]] = set()
    panels = []
    for panel in every:
        if panel.drawn - shown:
            panels.append(panel)
        shown |= panel.drawn
    return panels or every


def fill_panels(
    figure: Figure, collected: Collected, scale: Scale, seeds: int | None
) -> list[FilledPanel]:
    """Return every panel with our runs, and the paper's points where they may stand beside them."""
    panels = []
    for panel in at_scale(figure, scale, seeds).panels:
        curves = tuple(curve_of(row, collected) for row in panel.rows)
        panels.append(FilledPanel(panel, curves))
    paper = digitised(figure)
    # Runs of another scale stand alone, and so does the paper where there are none.
    alone = not any(panel.has_ours for panel in panels)
    if paper is not None and (scale.name == "paper" or alone):
        panels = [panel.with_paper(paper) for panel in panels]
    return panels


def write(
    name: str, drawing: Drawing, places: Places, scale: str, forms: Iterable[style.Format]
) -> list[Path]:
    """Write figures/<name>.<format>, each by an atomic write; return their paths."""
    paths = []
    for form in forms:
        path = places.figures_at(scale) / f"{name}.{form}"
        write_atomic(path, style.rendered(drawing, form))
        paths.append(path)
    return paths


def described(figure: Figure, collected: Collected, scale: Scale, seeds: int | None = None) -> str:
    """Return the figure in words, for those who cannot see it."""
    panels = fill_panels(figure, collected, scale, seeds)
    return in_words(panels, notes_under(figure, panels, collected, scale))


def error_limits(figure: Figure, panels: list[FilledPanel], scale: Scale) -> tuple[float, float]:
    """Return the y-limits the panels share: the paper's, widened at other scales for every end."""
    low = min(panel.y[0] for panel in figure.panels)
    high = max(panel.y[1] for panel in figure.panels)
    ends = _final_errors(panels)
    if scale.name == "paper" or not ends:
        return low, high
    # Round outwards to tens, so that tick marks stay round numbers.
    if min(ends) < low:
        low = 10.0 * math.floor(min(ends) / 10)
    if max(ends) > high:
        high = min(100.0, 10.0 * math.ceil(max(ends) * 1.3 / 10))
    return low, high


def _final_errors(panels: list[FilledPanel]) -> list[float]:
    """Return where our curves end, of the split by which each panel names them."""
    ends = []
    for panel in panels:
        metric = metric_of(panel.panel, naming_split(panel.panel))
        ends += [curve.last(metric) for curve in panel.curves]
    return [end for end in ends if end is not None]


def _stretch(figure: Figure, panel: FilledPanel) -> float:
    """Return how much longer these runs are than the paper's, whose axes the panel gives."""
    rows = [row for declared in figure.panels for row in declared.rows]
    longest = max((row.runs.run.recipe.iterations for row in rows if row.runs), default=0)
    ours = max((curve.iterations for curve in panel.curves), default=0)
    # The paper's curves alone are drawn on the paper's axes.
    if not panel.has_ours or not longest:
        return 1.0
    return ours / longest
