"""Writing exported runs: each file whole or not at all, and nothing else in the folder touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.analysis.export.crate import published_runs, write_crate
from repro.analysis.export.event_files import FILE_NAME, render_events
from repro.analysis.export.run_series import Series, read_series
from repro.analysis.export.tidy_csv import render_csv
from repro.analysis.runs.run_frames import Collected
from repro.definition.run import Run
from repro.errors import UserError, quote
from repro.storage.atomic import write_atomic


@dataclass(frozen=True)
class Exported:
    """The numbers of the selected runs, which of them are published, and what was written."""

    series: tuple[Series, ...]
    published: tuple[Run, ...]
    written: dict[str, Path]  # by the name of the option: csv, tensorboard, ro_crate


def export_runs(
    runs: Sequence[Run], title: str, collected: Collected, wanted: dict[str, Path | None]
) -> Exported:
    """Write what is wanted, as far as there are runs for it; `title` is that of an RO-Crate."""
    series = list(read_series(runs, collected))
    published = published_runs(runs, collected.places)
    targets = {name: path for name, path in wanted.items() if path is not None}
    # A file without a number would look like a run that measured nothing.
    if not series:
        targets.pop("csv", None)
        targets.pop("tensorboard", None)
    if not published:
        targets.pop("ro_crate", None)
    if "ro_crate" in targets:
        write_crate(title, published, collected.places, targets["ro_crate"])
    if "csv" in targets:
        write_csv(series, targets["csv"])
    if "tensorboard" in targets:
        write_event_files(series, targets["tensorboard"])
    return Exported(tuple(series), tuple(published), targets)


def write_csv(series: Sequence[Series], path: Path) -> Path:
    """Write one CSV of all runs."""
    if path.is_dir():
        raise UserError(f"{quote(path)} is a folder", "name a file: `--csv runs.csv`")
    write_atomic(path, render_csv(series).encode())
    return path


def write_event_files(series: Sequence[Series], folder: Path) -> list[Path]:
    """Write an event file for each run, in a folder of the run's id; what was there is replaced."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{quote(folder)} is a file", "name a folder: `--tensorboard events`")
    paths = []
    for one in series:
        path = folder / one.run.id / FILE_NAME
        write_atomic(path, render_events(one))
        paths.append(path)
    return paths
