"""Publishing: the small record of a finished run, copied to a folder that is tracked.

A published run is its definition, its curve and its final record: what every table, figure, verdict and report is made
from. Checkpoints and per-image predictions stay behind. The record appears whole, or not at all.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from repro.errors import UserError, shown
from repro.folders import Folder, Places
from repro.reading import records
from repro.whole import explained, make_folder, sync_folder, write_whole


def publish(run_id: str, places: Places, again: bool = False, uncommitted: bool = False) -> str:
    """Publish the run; answer `published`, `as before` or `not done`. Raises where the record may not be published."""
    working, public = places.run(run_id), Folder(places.published / run_id)
    if not working.final.exists():
        return "as before" if public.final.exists() else "not done"
    _check(working, uncommitted)
    content = {path.name: path.read_bytes() for path in _small(working) if path.exists()}
    if public.path.exists():
        if content == {path.name: path.read_bytes() for path in _small(public) if path.exists()}:
            return "as before"
        if not again:
            raise UserError(f"{shown(run_id, 100)} differs from what is published", "`--again` replaces the record")
    _place(content, public)
    return "published"


def _small(folder: Folder) -> tuple[Path, ...]:
    return folder.definition, folder.metrics, folder.final


def _check(working: Folder, uncommitted: bool) -> None:
    """A record is published only if it can be read in full, and if the code that made it can be found again."""
    record, name = records.read(working), working.path.name
    if record["problem"]:
        raise UserError(f"{shown(name, 100)}: {record['problem']}", "only whole records are published")
    if record.get("dirty") is not False and not uncommitted:
        raise UserError(
            f"{shown(name, 100)} was trained by code that no commit has",
            "train it from a clean checkout, or say `--uncommitted` and mind that nobody can check it out",
        )


def _place(content: dict[str, bytes], public: Folder) -> None:
    """Put the files in place together: in a folder that no reader takes for a run, then renamed."""
    begun = public.path.with_name(f".{public.path.name}.tmp")
    with explained(public.path):
        shutil.rmtree(begun, ignore_errors=True)
        make_folder(begun)
        for name, file in content.items():
            write_whole(begun / name, file)
        if public.path.exists():
            shutil.rmtree(public.path)  # what it was is in the history of the repository
        begun.rename(public.path)
        sync_folder(public.path.parent)
