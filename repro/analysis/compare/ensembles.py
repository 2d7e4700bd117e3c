"""Several nets as one: the error of the mean of their scores, or which of them it lacks.

The scores of a net are a large file, so they are read only when a table is made, and only if all of
them are there: an ensemble of four nets does not give the number of an ensemble of six.
"""

from __future__ import annotations

from dataclasses import dataclass

from repro.analysis.compare.measured_runs import Measured
from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Row, runs_of
from repro.definition.verdicts_and_states import Verdict
from repro.errors import UserError
from repro.storage import predictions


@dataclass(frozen=True)
class EnsembleError:
    """What the nets of a row say as one: their error in percent, or why it cannot be had."""

    runs: tuple[str, ...]  # the finished ones
    planned: int
    error: float | None = None
    word: Verdict | None = None
    reasons: tuple[str, ...] = ()


def ensemble_error(row: Row, metric: str, collected: Collected) -> EnsembleError:
    """The row's ensemble, as far as its runs have finished."""
    members = runs_of(row)
    runs = collected.of(members)
    measured = Measured(metric, runs, len(members), strict=collected.strict)
    finished, planned = set(runs.finished["id"]), len(members)
    done = tuple(run.id for run in members if run.id in finished)
    if not done:
        return EnsembleError(done, planned, word=Verdict.MISSING)
    if len(done) < planned:
        diverged = len(runs.diverged)
        reasons = [f"{len(done)} of {planned} finished"]
        if diverged:
            reasons.append(f"{diverged} diverged")
        reasons += measured.silent
        return EnsembleError(done, planned, word=Verdict.INCOMPLETE, reasons=tuple(reasons))
    if measured.refused:
        return EnsembleError(done, planned, word=Verdict.NOT_COMPARABLE, reasons=measured.refused)
    files, without = [], 0
    for run_id in done:
        files.append(collected.folder_of(run_id).predictions)
        without += not files[-1].exists()
    if without:
        lacking = (f"{without} finished without predictions",)
        return EnsembleError(done, planned, word=Verdict.INCOMPLETE, reasons=lacking)
    try:
        errors = dict(zip(("top1", "top5"), predictions.ensemble(files), strict=True))
    except UserError as error:
        return EnsembleError(done, planned, word=Verdict.INCOMPLETE, reasons=(error.problem,))
    percent = errors[metric.removeprefix(f"{predictions.IN_ENSEMBLES}_")]
    return EnsembleError(done, planned, percent, reasons=measured.flags)
