"""Where folders of runs are: the working and the published ones, and those of each other lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from repro.analysis.runs.run_record import folder_stamp
from repro.storage.labs import OURS, lab_folders, lab_problems
from repro.storage.paths import Folder, Places, run_folders, unprintable_names

# A folder, and its place, name and stamp.
Found: TypeAlias = tuple[Folder, tuple[str, str, str]]


def stamped_folders(places: Places) -> Iterator[Found]:
    """Yield every folder that may be a run, with what changes when its files change."""
    for place, parent in _parents(places):
        for folder in run_folders(parent):
            yield folder, (place, folder.path.name, folder_stamp(folder))


def lab_of(place: str) -> str:
    """Return whose the runs in a place are."""
    kind, _, name = place.partition("/")
    return name if kind == "labs" else OURS


def unread_folders(places: Places) -> Iterator[tuple[str, str]]:
    """Yield the folders that are not read, and why."""
    problem = "not read: its name has characters that cannot be shown; rename it"
    for place, parent in _parents(places):
        for name in unprintable_names(parent):
            yield f"{place}/{name}", problem
    for name, problem in lab_problems(places.labs):
        yield f"labs/{name}", f"not read: {problem}"


def _parents(places: Places) -> Iterator[tuple[str, Path]]:
    """Yield the folders of folders of runs, each with the name that `place` has for it."""
    yield "published", places.published
    yield "runs", places.runs
    for folder in lab_folders(places.labs):
        yield f"labs/{folder.name}", folder
