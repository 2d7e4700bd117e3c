"""What stands under a figure: scale, data, seeds, and what is missing."""

from __future__ import annotations

import pandas as pd

from repro.analysis.compare.variant_runs import variant_runs
from repro.analysis.figures.curve_points import SPLITS, Curve, FilledPanel, metric_of
from repro.analysis.runs.run_frames import Collected
from repro.analysis.runs.run_set import RunSet
from repro.definition.experiment import Figure
from repro.definition.origin import is_official
from repro.definition.scales_and_variants import Scale


def notes_under(
    figure: Figure, panels: list[FilledPanel], collected: Collected, scale: Scale
) -> list[str]:
    """Return what a reader must know to read the figure right, a sentence or two each."""
    curves = [curve for panel in panels for curve in panel.curves]
    if not any(curve.finished or curve.running or curve.diverged for curve in curves):
        notes = [_no_run_note(panels, scale), scale.note, *_variant_notes(figure, collected, scale)]
        return [note for note in notes if note]
    runs = collected.of([run for curve in curves for run in curve.row.runs or ()])
    notes = [_scale_note(curves, scale), scale.note]
    notes += [_data_note(runs.finished), _seen_note(figure, runs)]
    notes += [_seeds_note(curves), _gaps_note(curves)]
    notes += _variant_notes(figure, collected, scale)
    return [note for note in notes if note]


def in_words(panels: list[FilledPanel], notes: list[str]) -> str:
    """Return where each curve of ours ends, and the notes, for those who cannot see the figure."""
    ends: dict[str, dict[str, None]] = {}  # by label: a net may be in several panels
    for panel in panels:
        for curve in panel.curves:
            ends.setdefault(curve.label, {}).update(dict.fromkeys(_ends(panel, curve)))
    sentences = [f"{label} ends at {' and '.join(end)}" for label, end in ends.items() if end]
    if sentences:
        notes = [f"{'; '.join(sentences)}.", *notes]
    return " ".join(notes)


def _ends(panel: FilledPanel, curve: Curve) -> list[str]:
    if panel.panel.shows != "curves":
        return []
    ends = []
    for split in panel.panel.splits:
        level = curve.last(metric_of(panel.panel, split))
        if level is not None:
            ends.append(f"{SPLITS[split]} error {level:.1f} %")
    return ends


def _variant_notes(figure: Figure, collected: Collected, scale: Scale) -> list[str]:
    found = variant_runs([figure], scale, collected)
    return [f"Not drawn here: {runs}." for runs in found]


def _no_run_note(panels: list[FilledPanel], scale: Scale) -> str:
    at_scale = "" if scale.name == "paper" else f" at scale {scale.name}"
    if not any(panel.has_paper for panel in panels):
        return f"No run{at_scale} has started yet."
    return f"No run{at_scale} has started yet: what is drawn is the paper's, read off its figure."


def _scale_note(curves: list[Curve], scale: Scale) -> str:
    if scale.name == "paper":
        return ""
    longest = max(curve.iterations for curve in curves)
    return (
        f"Scale {scale.name}, {longest:,} iterations: not comparable with the paper, "
        "whose curves are left out."
    )


def _data_note(finals: pd.DataFrame) -> str:
    """Return nothing for the official images; any other data set is named."""
    others = set()
    origins = finals[["data_name", "data_origin"]].fillna("unknown").drop_duplicates()
    for name, origin in origins.to_numpy():
        if is_official(origin):
            continue
        others.add(name if name.startswith(origin) else f"{name} ({origin})")
    return f"Data: {', '.join(sorted(others))}." if others else ""


def _seen_note(figure: Figure, runs: RunSet) -> str:
    tested = any(panel.shows == "curves" and "test" in panel.splits for panel in figure.panels)
    return runs.training_images_note() if tested else ""


def _seeds_note(curves: list[Curve]) -> str:
    counts = {curve.finished or curve.running for curve in curves} - {0}
    if not counts:
        return ""
    if counts == {1}:
        return "One seed each."
    seeds = f"{min(counts)} to {max(counts)}"
    if len(counts) == 1:
        seeds = f"{min(counts)}"
    return f"Mean of {seeds} seeds, band ± one standard deviation."


def _gaps_note(curves: list[Curve]) -> str:
    """Return what is still missing; nets in the same state are named together."""
    states: dict[str, list[str]] = {}
    # A net in two panels is named once.
    for curve in {curve.ids: curve for curve in curves if curve.ids}.values():
        states.setdefault(_state(curve), []).append(curve.label)
    states.pop("", None)
    gaps = [f"{', '.join(labels)}: {state}" for state, labels in states.items()]
    return f"Incomplete. {'; '.join(gaps)}." if gaps else ""


def _state(curve: Curve) -> str:
    """Return in a few words what is missing of a curve; nothing where it is whole."""
    wanted = len(curve.ids)
    diverged = f", {curve.diverged} diverged" if curve.diverged else ""
    if curve.finished == wanted:
        return ""
    if curve.finished or curve.diverged:
        return f"{curve.finished} of {wanted} seeds{diverged}"
    if curve.running:
        return f"at {curve.drawn_to():,} of {curve.iterations:,} iterations{diverged}"
    return "not started"
