"""What earlier runs recorded that differ in the seed alone: the best ground for an estimate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from statistics import median
from typing import Literal

from repro.definition.run import Run, from_definition
from repro.errors import UserError
from repro.storage.paths import Places, run_folders
from repro.storage.run_files import Final, read_final

Recorded = Callable[[Run], float | None]
Fact = Literal["seconds", "save_seconds"]


def recorded_seconds(fact: Fact, places: Places, on_gpu: bool) -> Recorded:
    """Return a reader of one fact: its median over the runs that had such a device, or None."""
    device = "cuda" if on_gpu else "cpu"

    @cache
    def of_first_seed(run: Run) -> float | None:
        values = []
        for final in _alike(run, places):
            seconds = getattr(final.provenance, fact)
            if seconds is not None and (final.provenance.device or "").startswith(device):
                values.append(seconds)
        return median(values) if values else None

    return lambda run: of_first_seed(replace(run, seed=0))


def _alike(run: Run, places: Places) -> Iterator[Final]:
    """Yield the final records of the runs that differ from this one in nothing but the seed."""
    # Most folders are of other runs: their names, which begin with the net's, save reading them.
    start = f"{run.net.name}.{run.recipe.name}.{run.scale}."
    for parent in (places.runs, places.published):
        for folder in run_folders(parent):
            if not folder.path.name.startswith(start):
                continue
            with contextlib.suppress(UserError):
                final = read_final(folder)
                if final and replace(from_definition(final.definition), seed=run.seed) == run:
                    yield final
