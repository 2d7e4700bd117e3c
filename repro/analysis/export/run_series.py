"""What each run measured, number by number: read from its folder, so that every digit is there.

The data frames cannot tell a number that was not measured from one that was NaN. Here the first
has no entry, and the second has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from repro.analysis.runs.run_frames import Collected
from repro.definition.run import Run
from repro.storage import metrics_file
from repro.storage.metrics_file import CURVE
from repro.storage.paths import Folder
from repro.storage.run_files import Final, read_final
from repro.storage.typed_file import read_regular

FINAL = "final/"  # goes before the name of a metric that was measured once, at the end
CURVE_METRICS = tuple(name for name in CURVE if name != "iteration")


@dataclass(frozen=True)
class Measured:
    """One number of a run."""

    iteration: int
    metric: str
    value: float


@dataclass(frozen=True)
class Series:
    """One run's numbers, by iteration; those that were measured once come last."""

    run: Run
    state: str  # done, diverged, failed or unfinished
    ended: float | None  # seconds since 1970; None where the run has not ended, or did not say
    numbers: tuple[Measured, ...]


def read_series(runs: Iterable[Run], collected: Collected) -> Iterator[Series]:
    """Yield the numbers of those runs that have any, in the order given."""
    states = dict(zip(collected.runs["id"], collected.runs["state"], strict=True))
    for run in runs:
        if run.id in states:
            series = read_folder(run, states[run.id], collected.folder_of(run.id))
            if series.numbers:
                yield series


def read_folder(run: Run, state: str, folder: Folder) -> Series:
    """Return the numbers of a run that is in this folder."""
    numbers = [*_curve(folder)]
    ended = None
    final = read_final(folder, run)
    if final is not None:
        numbers += _measured_once(final, run)
        ended = _seconds(final.provenance.ended)
    return Series(run, state, ended, tuple(numbers))


def _curve(folder: Folder) -> Iterator[Measured]:
    """Yield the numbers of the curve, without the lines that cannot be believed."""
    content = read_regular(folder.metrics) or b""
    for line in content.splitlines(keepends=True):
        row = metrics_file.decode(line)
        if row is None:
            continue  # collecting the runs has named it
        for metric in CURVE_METRICS:
            value = getattr(row, metric)
            if value is not None:
                yield Measured(row.iteration, metric, value)


def _measured_once(final: Final, run: Run) -> list[Measured]:
    numbers = []
    # At the last iteration, so that a tool which sorts by iteration shows them after the curve.
    for name in final.metrics:
        value = final.metric(name)
        if value is not None:
            numbers.append(Measured(run.recipe.iterations, f"{FINAL}{name}", float(value)))
    return numbers


def _seconds(time: str | None) -> float | None:
    try:
        return datetime.fromisoformat(time or "").timestamp()
    except ValueError:  # none, or none that can be read: the numbers are worth exporting anyway
        return None
