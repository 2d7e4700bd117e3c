"""Every path, and writes that are whole or absent. The two wings meet here and nowhere else.

A run's folder has at most a dozen files, each with one writer:

    run.json              the definition; written once, by whoever asked for the run
    submitted.json        the claim of the submitter who sent it to a queue
    attempt-0001.json     who ran it: claimed by exclusive create; the newest one only may publish
    progress.json         where it is: state, iteration, rate; replaced by the newest attempt
    metrics.jsonl         the curves, one digested line a point
    checkpoint.pt         weights, momentum, iteration; and checkpoint.previous.pt
    predictions.npz       per-image predictions, where a table needs them
    final.json            what was measured once; written last: its presence is "done"
    failed.json           why the newest attempt gave up; the next attempt removes it
    log.txt               what the attempts said, appended
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.errors import Lacking, UserError, shown
from repro.spec import checked_name

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Places:
    """Where everything is. `REPRO_RESULTS`, `REPRO_FIGURES` and `REPRO_DATA` move the three folders."""

    results: Path
    figures: Path
    data: Path
    slurm: Path = ROOT / "slurm"

    @property
    def runs(self) -> Path:
        return self.results / "runs"

    @property
    def published(self) -> Path:
        return self.results / "published"

    @property
    def frame(self) -> Path:
        return self.results / "runs.parquet"

    @property
    def report(self) -> Path:
        return self.results / "report.html"

    def run(self, run_id: str) -> Folder:
        return Folder(self.runs / checked_name(run_id, "a run"))

    def finished(self, run_id: str) -> bool:
        """Whether the run is done here, or published."""
        return self.run(run_id).final.exists() or Folder(self.published / run_id).final.exists()

    def tables_at(self, scale: str) -> Path:
        return self.results if scale == "paper" else self.results / scale

    def figures_at(self, scale: str) -> Path:
        return self.figures if scale == "paper" else self.figures / scale


def places() -> Places:
    """The folders in force: the environment's, or those beside this code."""

    def place(variable: str, name: str) -> Path:
        return Path(os.environ.get(variable) or ROOT / name).expanduser().absolute()

    return Places(place("REPRO_RESULTS", "results"), place("REPRO_FIGURES", "figures"), place("REPRO_DATA", "data"))


@dataclass(frozen=True)
class Folder:
    """One run's folder. Knows the names; holds nothing."""

    path: Path

    @property
    def definition(self) -> Path:
        return self.path / "run.json"

    @property
    def submitted(self) -> Path:
        return self.path / "submitted.json"

    @property
    def progress(self) -> Path:
        return self.path / "progress.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def previous_checkpoint(self) -> Path:
        return self.path / "checkpoint.previous.pt"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.npz"

    @property
    def final(self) -> Path:
        return self.path / "final.json"

    @property
    def failed(self) -> Path:
        return self.path / "failed.json"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    def attempt(self, number: int) -> Path:
        return self.path / f"attempt-{number:04d}.json"

    def attempts(self) -> list[int]:
        """The numbers of the attempts on record, oldest first."""
        found = (path.stem.removeprefix("attempt-") for path in self.path.glob("attempt-*.json"))
        return sorted(int(number) for number in found if number.isdigit())


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file by this content, or leave it as it was: temporary, fsync, rename, fsync of the folder."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def create(path: Path, content: bytes) -> bool:
    """Create the file with this content, or answer False because it is there: whole, and exactly one creator wins.

    The content is written under a temporary name and linked to the real one, so no reader ever sees a part of it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(name, path)
            except FileExistsError:
                return False
            sync_folder(path.parent)
            return True
        finally:
            Path(name).unlink()
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_folder(path: Path) -> None:
    """Make a rename in this folder last through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> UserError:
    """What to tell the user when the disk says no."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return Lacking(
        f"cannot write {shown(path, 300)}: {reason}",
        "free some space, or choose another folder with `REPRO_RESULTS`; what was saved before is intact",
    )


def to_json(value: Any) -> bytes:
    """JSON as we write it: readable, stable, and without the NaN that other readers refuse."""
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """The file's value, or None where there is no such file."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise UserError(
            f"cannot read {shown(path, 300)}: {error}", "the file is damaged; remove it or restore it"
        ) from None


def run_folders(parent: Path) -> Iterator[Folder]:
    """The run folders in `parent`, by name: a folder is a run's if it has a definition."""
    try:
        names = sorted(entry.name for entry in os.scandir(parent) if entry.is_dir() and not entry.name.startswith("."))
    except FileNotFoundError:
        return
    for name in names:
        yield Folder(parent / name)
