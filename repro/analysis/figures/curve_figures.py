"""Figures 1, 4, 6 and 7: the paper's axes, our curves, the paper's own curve in grey behind.

A figure says what it is: the scale, the data set and the seeds when they are not the paper's, and what is missing.
It draws with whatever is there, and nothing is left out for being ugly: a net whose error lies above the paper's axes
is named at their upper edge with its level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Drawing

from repro.analysis.compare.curve_gaps import digitised
from repro.analysis.figures import style
from repro.analysis.figures.curves import Curve, curve_of
from repro.analysis.figures.panels import (
    SPLITS,
    PanelFrame,
    draw_errors,
    draw_key,
    draw_responses,
    named_by,
)
from repro.analysis.runs.frames import Collected, rows_of, training_images_note
from repro.definition.experiment import Figure, Panel, at_scale
from repro.definition.origin import is_official
from repro.definition.scales import Scale
from repro.storage.atomic import write_atomic
from repro.storage.paths import Places


def draw(figure: Figure, collected: Collected, scale: Scale, seeds: int | None = None) -> Drawing:
    """The figure at that scale, from what is finished and what is on its way."""
    scaled = at_scale(figure, scale, seeds)
    paper = digitised(figure) if scale.name == "paper" else None
    curves = [[curve_of(row, collected) for row in panel.rows] for panel in scaled.panels]
    notes = notes_under(figure, [curve for some in curves for curve in some], collected, scale)
    stacked = any(panel.shows != "curves" for panel in figure.panels)
    limits = _limits(figure, curves, scale)
    frame = PanelFrame(len(figure.panels), stacked, notes)
    with style.paper():
        drawing = style.blank(frame.width, frame.height)
        for number, (panel, drawn) in enumerate(zip(figure.panels, curves, strict=True)):
            axes = drawing.add_axes(frame.place(number))
            behind = None if paper is None else _behind(paper, panel)
            if panel.shows == "curves":
                draw_errors(
                    axes, panel, limits, drawn, behind, _stretch(figure, drawn), first=number == 0
                )
            else:
                draw_responses(axes, panel, drawn, behind)
        draw_key(drawing, frame, responses=stacked, paper=paper is not None)
    return drawing


def write(
    name: str, drawing: Drawing, places: Places, scale: str, forms: Iterable[style.Format]
) -> list[Path]:
    """figures/<name>.<format>, each whole or as it was."""
    paths = []
    for form in forms:
        paths.append(places.figures_at(scale) / f"{name}.{form}")
        write_atomic(paths[-1], style.rendered(drawing, form))
    return paths


def described(figure: Figure, collected: Collected, scale: Scale, seeds: int | None = None) -> str:
    """The figure in words, for those who cannot see it: where each curve ends, and the notes under it."""
    scaled = at_scale(figure, scale, seeds)
    curves = [(panel, curve_of(row, collected)) for panel in scaled.panels for row in panel.rows]
    ends: dict[str, dict[str, None]] = {}  # by label: a net may be in several panels
    for panel, curve in curves:
        levels = {"test": curve.last(panel.test_metric), "train": curve.last("train_error")}
        shown = panel.splits if panel.shows == "curves" else ()
        known = [
            f"{SPLITS[split]} error {levels[split]:.1f} %"
            for split in shown
            if levels[split] is not None
        ]
        ends.setdefault(curve.label, {}).update(dict.fromkeys(known))
    said = [f"{label} ends at {' and '.join(known)}" for label, known in ends.items() if known]
    notes = notes_under(figure, [curve for _, curve in curves], collected, scale)
    return " ".join([f"{'; '.join(said)}." if said else "", *notes]).strip()


def notes_under(
    figure: Figure, curves: list[Curve], collected: Collected, scale: Scale
) -> list[str]:
    """What a reader must know to read the figure right: scale and data, seeds, and what is not there."""
    runs = [run for curve in curves for run in curve.row.runs or ()]
    finals = rows_of(collected.finals, runs)
    said = [_scale_note(curves, scale), scale.note, _data_note(finals), _seen_note(figure, finals)]
    return [note for note in (*said, _seeds_note(curves), _gaps_note(curves)) if note]


def _behind(paper: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """The paper's counterparts of a panel's curves."""
    labels = [row.label for row in panel.rows]
    return paper[(paper["panel"] == panel.digitised) & paper["label"].isin(labels)]


def _limits(figure: Figure, curves: list[list[Curve]], scale: Scale) -> tuple[float, float]:
    """The paper's limits of error, shared by the panels; at another scale, wide enough for every end."""
    low, high = (
        min(panel.y[0] for panel in figure.panels),
        max(panel.y[1] for panel in figure.panels),
    )
    metrics = [named_by(panel) for panel in figure.panels]
    ends = [
        curve.last(metric) for metric, drawn in zip(metrics, curves, strict=True) for curve in drawn
    ]
    known = [end for end in ends if end is not None]
    if scale.name == "paper" or not known:
        return low, high
    widest = min(100.0, 10 * math.ceil(max(known) * 1.3 / 10)) if max(known) > high else high
    return (10.0 * math.floor(min(known) / 10) if min(known) < low else low), widest


def _stretch(figure: Figure, curves: list[Curve]) -> float:
    """How much longer or shorter these runs are than the paper's, whose axes the panel gives."""
    declared = max(
        (
            row.runs.run.recipe.iterations
            for panel in figure.panels
            for row in panel.rows
            if row.runs
        ),
        default=1,
    )
    return max((curve.iterations for curve in curves), default=declared) / declared


def _scale_note(curves: list[Curve], scale: Scale) -> str:
    if scale.name == "paper":
        return ""
    longest = max((curve.iterations for curve in curves), default=0)
    return f"Scale {scale.name}, {longest:,} iterations: not comparable with the paper, whose curves are left out."


def _data_note(finals: pd.DataFrame) -> str:
    """Nothing for the official images; any other data set is named."""
    origins = finals[["data_name", "data_origin"]].fillna("unknown").drop_duplicates()
    named = ((name, origin) for name, origin in origins.to_numpy() if not is_official(origin))
    others = sorted(
        name if name.startswith(origin) else f"{name} ({origin})" for name, origin in named
    )
    return f"Data: {', '.join(others)}." if others else ""


def _seen_note(figure: Figure, finals: pd.DataFrame) -> str:
    tested = any(panel.shows == "curves" and "test" in panel.splits for panel in figure.panels)
    return training_images_note(finals) if tested else ""


def _seeds_note(curves: list[Curve]) -> str:
    counts = sorted(
        {curve.finished or curve.running for curve in curves if curve.finished or curve.running}
    )
    if not counts:
        return ""
    if counts == [1]:
        return "One seed each."
    said = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Mean of {said} seeds, band ± one standard deviation."


def _gaps_note(curves: list[Curve]) -> str:
    """What was asked for and is not, or not all, there: nets in the same state are named together."""
    rows = {curve.ids: curve for curve in curves if curve.ids}.values()
    if rows and not any(curve.finished or curve.running or curve.diverged for curve in rows):
        return "No run has started yet."
    states: dict[str, list[str]] = {}
    for curve in rows:
        states.setdefault(_state(curve), []).append(curve.label)
    gaps = [f"{', '.join(labels)}: {state}" for state, labels in states.items() if state]
    return f"Incomplete. {'; '.join(gaps)}." if gaps else ""


def _state(curve: Curve) -> str:
    """In a few words, what is missing of a curve; nothing where it is whole."""
    wanted = len(curve.ids)
    diverged = f", {curve.diverged} diverged" if curve.diverged else ""
    if curve.finished == wanted:
        return ""
    if curve.finished or curve.diverged:
        return f"{curve.finished} of {wanted} seeds{diverged}"
    if curve.running:
        return f"at {curve.drawn_to():,} of {curve.iterations:,} iterations{diverged}"
    return "not started"
