"""The folder of a batch: its name is also the name of its array in SLURM."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from repro.cluster.records.batch import Batch, jobs_folder
from repro.definition.bounds import check_name
from repro.definition.run import Run
from repro.storage.atomic import allow_group, make_folder, write_errors_explained
from repro.storage.paths import Places


def batch_name(experiment: str, runs: Sequence[Run], code: Path, places: Places) -> str:
    """Return the name of a batch; the same runs of another results folder have another."""
    parts = [str(places.results.resolve()), code.name, *(run.id for run in runs)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return check_name(f"repro-{experiment}-{digest[:8]}", "a batch")


def free_folder(places: Places, name: str) -> Path:
    """Return the folder that a batch of this name would get now."""
    return next(_free_folders(places, name))


def make_batch(places: Places, name: str) -> Batch:
    """Make a folder that nobody else has, though the same runs may be sent at this moment."""
    with write_errors_explained(jobs_folder(places)):
        make_folder(jobs_folder(places))
        for path in _free_folders(places, name):
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
                allow_group(path)
                return Batch(path)
    raise AssertionError("there is always another name")


def _free_folders(places: Places, name: str) -> Iterator[Path]:
    """Yield the folders that a batch of this name may have, without those that are taken."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    for free_name in itertools.chain([name], numbered):
        path = jobs_folder(places) / free_name
        if not path.exists():
            yield path
