"""All runs as tidy frames: what each measured at the end, and what it measured on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import starmap
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from repro.analysis.runs.frame_cache import INTERNAL, CachedRuns, Problem, read_runs, save
from repro.analysis.runs.run_set import RunSet, rows_of
from repro.definition.experiment import Experiment, Skipped, at_scale, runs_of
from repro.definition.run import Run
from repro.definition.scales_and_variants import Scale
from repro.errors import EnvironmentProblem
from repro.protocol import catalog
from repro.storage.access import why_not_kept
from repro.storage.evaluations import Evaluation, evaluations
from repro.storage.labs import OURS
from repro.storage.metrics_file import CURVE
from repro.storage.paths import Folder, Places

# Repeated in every frame, so that a curve can be selected without a join.
_OF_RUN = ("id", "net", "kind", "depth", "family", "recipe", "scale", "seed")


@dataclass(frozen=True)
class Collected:
    """`runs` has a row a run, `points` a row for each point of a curve, `responses` a row a layer;
    `id` joins them.

    runs:      id net kind depth family shortcut recipe dataset scale seed iterations definition ·
               lab place folder state (done, diverged, failed, unfinished) reached failed_at failure
               not_finite · twin, the run of another seed whose curve is the same to the digit ·
               copy_of, another lab that has the same run to the digit ·
               every metric by its name · provenance: started … job, machines, data_name data_hash
               data_origin train_images test_images tested_on_training_images
    points:    id net kind depth family recipe scale seed · iteration rate train_error train_loss
               test_error test_loss gradient_first gradient_last
    responses: id net kind depth family recipe scale seed · layer (from 1) response
    labs:      the same of each other lab, by its name; the frames above are ours alone
    """

    runs: pd.DataFrame
    points: pd.DataFrame
    responses: pd.DataFrame
    places: Places
    problems: tuple[Problem, ...] = ()
    opened: int = 0  # folders read this time; the others had not changed
    strict: bool = False  # runs of different code, or that went on elsewhere, are not averaged
    evaluations: tuple[Evaluation, ...] = ()  # of weights that were not trained here; no runs
    labs: Mapping[str, Collected] = field(default_factory=dict)

    @property
    def finals(self) -> pd.DataFrame:
        """The runs that are done."""
        return self.runs[self.runs["state"] == "done"]

    def of(self, runs: Iterable[Run]) -> RunSet:
        """Return the set of these runs, by seed."""
        records = rows_of(self.runs, [run.id for run in runs])
        return RunSet(records, self.points, self.responses)

    def folder_of(self, run_id: str) -> Folder:
        """Where the run was read from."""
        run = self.runs.loc[self.runs["id"] == run_id].iloc[0]
        parents = {"runs": self.places.runs, "published": self.places.published}
        lab = self.places.labs / run["lab"]
        return Folder(parents.get(run["place"], lab) / run["folder"])


def collect(places: Places, keep: bool = True) -> Collected:
    """The working and the published runs. `keep`: remember what was read, in a folder of ours."""
    gathered = read_runs(places, keep)
    # Of nothing there is nothing to keep: a slip of the pen makes no folder.
    worth_keeping = gathered.folders > 0 or places.frame.exists()
    if keep and worth_keeping and not why_not_kept(places.results):
        with contextlib.suppress(EnvironmentProblem):  # a folder of ours may be read-only
            save(gathered, places)
    measured, unreadable = evaluations(places.results)
    problems = tuple(starmap(Problem, unreadable))
    ours = _of_lab(OURS, gathered, places)
    return replace(
        ours,
        problems=gathered.problems + problems,
        opened=gathered.opened,
        evaluations=tuple(measured),
        labs={lab: _of_lab(lab, gathered, places) for lab in gathered.labs},
    )


def _of_lab(lab: str, gathered: CachedRuns, places: Places) -> Collected:
    """Return the frames of one lab."""
    table = gathered.of_lab(lab)
    runs = _runs(table)
    twins: dict[str, str] = {}
    copies: dict[str, str] = {}
    for (of, run_id), (other_lab, other_run) in gathered.twins.items():
        if of != lab:
            continue
        if other_lab == lab:
            twins[run_id] = other_run
        else:
            copies[run_id] = other_lab
    runs["twin"] = runs["id"].map(twins).astype("object")
    runs["copy_of"] = runs["id"].map(copies).astype("object")
    return Collected(runs, _points(table, runs), _responses(table, runs), places)


def scale_with_results(
    experiments: Iterable[Experiment],
    collected: Collected,
    scales: Mapping[str, Scale] | None = None,
) -> str:
    """Return the most serious scale at which such a run has finished; `paper` where none has."""
    wanted = [experiment for experiment in experiments if not isinstance(experiment, Skipped)]
    done = collected.finals
    for name, scale in (scales or catalog.all_scales()).items():
        if not (done["scale"] == name).any():
            continue
        for experiment in wanted:
            if len(collected.of(runs_of(at_scale(experiment, scale))).finished):
                return name
    return "paper"


def _runs(table: pa.Table) -> pd.DataFrame:
    columns = table.drop_columns(list(INTERNAL)).to_pandas()
    runs: pd.DataFrame = columns.rename(columns=lambda name: name.removeprefix("metric."))
    lengths, iterations = _flat(table, "curve.iteration")
    reached = np.zeros(len(lengths), dtype=np.int64)
    started = lengths > 0
    reached[started] = iterations[np.cumsum(lengths)[started] - 1]
    runs["reached"] = reached
    return runs


def _points(table: pa.Table, runs: pd.DataFrame) -> pd.DataFrame:
    lengths, _ = _flat(table, "curve.iteration")
    columns = _repeated(runs, lengths)
    for name in CURVE:
        columns[name] = _flat(table, f"curve.{name}")[1]
    return pd.DataFrame(columns)


def _responses(table: pa.Table, runs: pd.DataFrame) -> pd.DataFrame:
    lengths, values = _flat(table, "responses")
    # From 1 on in each run: the rows are counted, less those of the runs before.
    layer = np.arange(1, len(values) + 1) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return pd.DataFrame(_repeated(runs, lengths) | {"layer": layer, "response": values})


def _flat(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The lengths of a list column, and its values one after another."""
    column = table[name].combine_chunks()
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return lengths, column.flatten().to_numpy(zero_copy_only=False)


def _repeated(runs: pd.DataFrame, lengths: np.ndarray) -> dict[str, Any]:
    """Return each run's columns, repeated for each of its rows; texts as categories, for memory."""
    repeated: dict[str, Any] = {}
    for name in _OF_RUN:
        if pd.api.types.is_numeric_dtype(runs[name]):
            repeated[name] = np.repeat(runs[name].to_numpy(), lengths)
            continue
        codes, words = pd.factorize(runs[name])
        repeated[name] = pd.Categorical.from_codes(np.repeat(codes, lengths), words)
    return repeated
