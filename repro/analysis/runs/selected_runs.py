"""The runs of a selection among all that were collected, and the scale at which to show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from repro.definition.experiment import Skipped, runs_of
from repro.definition.run import Run
from repro.protocol import catalog
from repro.protocol.selection import Selection

if TYPE_CHECKING:
    from repro.analysis.runs.run_frames import Collected


def at_best_scale(selection: Selection, collected: Collected) -> Selection:
    """Return the selection at its scale, or else at the most serious one that has results."""
    from repro.analysis.runs.run_frames import scale_with_results

    if selection.scale is not None:
        return selection
    wanted = []
    for name in selection.searched() or catalog.REPRODUCED:
        experiment = catalog.load_experiment(name)
        if not isinstance(experiment, Skipped) and runs_of(experiment):
            wanted.append(experiment)
    return selection.at(scale_with_results(wanted, collected, selection.all_scales()))


def restrict(collected: Collected, selection: Selection) -> Collected:
    """Return the frames with the selected runs only, of every lab."""
    ids = {run.id for run in selection.runs()}
    frames = {}
    for name in ("runs", "points", "responses"):
        frame = getattr(collected, name)
        frames[name] = frame[frame["id"].isin(ids)]
    labs = {name: restrict(lab, selection) for name, lab in collected.labs.items()}
    return replace(collected, **frames, labs=labs)


def part(collected: Collected, selection: Selection) -> Collected:
    """Return the frames without runs that are left out; whole experiments look up their own."""
    return restrict(collected, selection) if selection.partial else collected


def has_points(collected: Collected, runs: Sequence[Run]) -> bool:
    """Return whether a curve of these runs has a point, or a layer a response."""
    run_set = collected.of(runs)
    if run_set.points[["train_error", "test_error"]].notna().any(axis=None):
        return True
    return bool(run_set.responses["response"].notna().any())
