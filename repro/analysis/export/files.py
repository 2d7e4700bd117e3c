"""Writing exported runs: each file whole or not at all, and nothing else in the folder touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repro.analysis.export.event_files import FILE_NAME, render_events
from repro.analysis.export.series import Series
from repro.analysis.export.tidy_csv import render_csv
from repro.errors import UserError, quote
from repro.storage.atomic import write_atomic


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
