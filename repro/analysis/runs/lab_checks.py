"""Records that somebody offers, checked by themselves: a record, a lab's folder, or all labs'.

What a pull request adds is checked as it lies there: its files and their digests, the lab's own
file, each record in itself, and all of them against each other. Nothing is trained or collected.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro.analysis.runs.contradictions import digest_of
from repro.analysis.runs.record_checks import record_problems
from repro.definition.run import Run, looks_like_run_id
from repro.errors import UserError, quote
from repro.storage.labs import FILE, problem_of
from repro.storage.paths import Folder, run_folders
from repro.storage.run_files import read_definition

_ANY = Folder(Path())
RECORD = tuple(
    path.name for path in (_ANY.definition, _ANY.metrics, _ANY.final, _ANY.published_digests)
)
WEIGHTS = (_ANY.weights.name, _ANY.weights_record.name)  # beside our own records only
LARGEST = 4_000_000  # bytes of a file of a record; a long curve has 50,000


@dataclass
class Checked:
    """What was looked at, what is wrong, and what a reviewer may want to ask about."""

    records: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)  # of which folder, and what
    notes: list[tuple[str, str]] = field(default_factory=list)


def check_path(path: Path) -> Checked:
    """Check a record, a lab's folder, a folder of labs, or the published records."""
    checked = Checked()
    # `resolve` would follow a link, which is a fault here.
    path = Path(os.path.abspath(path))  # noqa: PTH100
    # `Path.is_dir` raises where a name is too long for the disk.
    if not os.path.isdir(path):  # noqa: PTH112
        raise UserError(f"no folder {quote(path)}", "name a record or a lab's folder")
    if _is_record(path):
        _check_lab_file(path.parent, checked)
        _check_record(path, checked)
        _check_copies(path.parent, [path], checked)
    elif path.name == "labs":
        for folder in _folders_in(path):
            _check_lab(folder, checked)
    elif path.name == "published":
        for folder in _folders_in(path):
            _check_record(folder, checked, of_lab=False)
    elif (path / FILE).exists() or path.parent.name == "labs":
        _check_lab(path, checked)
    else:
        raise UserError(
            f"{quote(path)} is neither a record nor a lab's folder",
            "name results/labs, a lab's folder in it, or one record",
        )
    return checked


def _folders_in(path: Path) -> list[Path]:
    return sorted(filter(Path.is_dir, path.iterdir()))


def _is_record(path: Path) -> bool:
    return (path / _ANY.definition.name).exists() or looks_like_run_id(path.name)


def _check_lab(folder: Path, checked: Checked) -> None:
    """Check a lab's file, each of its records, and what its folder must not have."""
    _check_lab_file(folder, checked)
    records = _folders_in(folder)
    for path in records:
        _check_record(path, checked)
    for path in sorted(folder.iterdir()):
        if path.name != FILE and path not in records:
            problem = f"{quote(path.name)} is no record; a lab has {FILE} and folders of records"
            checked.problems.append((folder.name, problem))
    _check_copies(folder, records, checked)
    _note_gaps(folder, records, checked)


def _check_lab_file(folder: Path, checked: Checked) -> None:
    if problem := problem_of(folder):
        checked.problems.append((folder.name, problem))


def _check_record(path: Path, checked: Checked, of_lab: bool = True) -> None:
    """Check the files of a record, and what they say together."""
    checked.records += 1
    name = f"{path.parent.name}/{path.name}"
    problems = list(_file_problems(path, of_lab))
    # What is no file of its own is not read: a link may lead anywhere.
    problems = problems or record_problems(Folder(path))
    run = _run_of(path)
    if not problems and run and run.id != path.name:
        problems = [f"its folder must be called {quote(run.id, 150)}"]
    for problem in problems:
        checked.problems.append((name, problem))


def _file_problems(path: Path, of_lab: bool) -> Iterator[str]:
    """Yield which files are missing, strange, too large, or without a digest."""
    if path.is_symlink():
        yield "it is a link, and not a folder"
        return
    names = {entry.name for entry in os.scandir(path)}
    allowed, needed = {*RECORD}, {*RECORD}
    if not of_lab:
        # Our own may have weights, and the oldest were published before digests were.
        allowed |= {*WEIGHTS}
        needed -= {_ANY.published_digests.name}
    for name in sorted(names - allowed):
        yield f"{quote(name)} is no file of a record"
    for name in sorted(needed - names):
        yield f"it has no {name}"
    for name in sorted(names & {*RECORD}):
        yield from _strange_file(path / name)
    if of_lab and needed <= names:
        yield from _other_digests(Folder(path))


def _strange_file(path: Path) -> Iterator[str]:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        yield f"{path.name} is no regular file"
    elif status.st_size > LARGEST:
        yield f"{path.name} has {status.st_size:,} bytes, more than any record has"


def _other_digests(folder: Folder) -> Iterator[str]:
    """Yield where there is no digest of a file; wrong ones are seen when the record is read."""
    try:
        digests = json.loads(folder.published_digests.read_bytes())["sha256"]
        named = set(digests)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        yield "its digests cannot be read"
        return
    if named != set(RECORD[:3]):
        yield f"published.json has digests of {', '.join(sorted(map(quote, named)))}"


def _check_copies(folder: Path, records: list[Path], checked: Checked) -> None:
    """Name records with the final record or the curve of another one, of whatever lab."""
    if folder.parent.name != "labs":
        return
    known: dict[str, str] = {}
    for path in _other_records(folder):
        known |= dict.fromkeys(_digests(path), f"{path.parent.name}/{path.name}")
    for path in records:
        name = f"{folder.name}/{path.name}"
        final, metrics = _digests(path)
        if original := known.get(final):
            checked.problems.append((name, f"it is a copy of {original}"))
        elif original := known.get(metrics):
            _told_twin(name, original, checked)
        known |= dict.fromkeys((final, metrics), name)
        known.pop("", None)  # of a file that is not there


def _told_twin(name: str, original: str, checked: Checked) -> None:
    """Say what an equal curve means: of another lab, that machines agree; of one's own, a fault."""
    if name.partition("/")[0] == original.partition("/")[0]:
        checked.problems.append((name, f"it has the curve of {original}"))
    else:
        note = f"its curve is that of {original} to the digit: the two count once"
        checked.notes.append((name, note))


def _digests(path: Path) -> tuple[str, str]:
    """Return the digests of the final record and of the curve."""
    folder = Folder(path)
    return digest_of(folder, folder.final.name), digest_of(folder, folder.metrics.name)


def _other_records(folder: Path) -> Iterator[Path]:
    """Yield our published records and those of the labs before this one."""
    parents = [folder.parent.parent / "published"]
    # Of two labs that have one record, only the later one by name is told that it has a copy.
    for lab in sorted(folder.parent.iterdir()):
        if lab.name < folder.name:
            parents.append(lab)
    for parent in parents:
        if parent.is_dir():
            for record in run_folders(parent):
                yield record.path


def _note_gaps(folder: Path, records: list[Path], checked: Checked) -> None:
    """Note seeds that are not there, though later ones are: nobody is to choose the best."""
    seeds: dict[Run, set[int]] = {}
    for path in records:
        if run := _run_of(path):
            seeds.setdefault(replace(run, seed=0), set()).add(run.seed)
    for run, there in seeds.items():
        missing = sorted(set(range(max(there))) - there)
        if missing:
            numbers = ", ".join(map(str, missing[:10]))
            name = run.id.rpartition(".s")[0]
            checked.notes.append((folder.name, f"{name} has no seed {numbers}: say why"))


def _run_of(path: Path) -> Run | None:
    """Return the run that a folder says it is of; None where it does not."""
    try:
        return read_definition(Folder(path))
    except UserError:
        return None
