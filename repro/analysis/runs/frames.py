"""All runs as tidy frames: what each measured at the end, and what it measured on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from repro.analysis.runs.cache import INTERNAL, Problem, read_runs, save
from repro.analysis.runs.run_record import CURVE
from repro.definition.experiment import Experiment, Skipped, at_scale, runs_of
from repro.definition.origin import is_complete
from repro.definition.run import Run
from repro.definition.scales import Scale
from repro.errors import EnvironmentProblem
from repro.protocol import catalog
from repro.protocol.deviations import COMPLETE
from repro.storage.evaluations import Evaluation, evaluations
from repro.storage.paths import Folder, Places

_OF_RUN = (
    "id",
    "net",
    "kind",
    "depth",
    "family",
    "recipe",
    "scale",
    "seed",
)  # repeated in every frame

TRAINING_IMAGES_NOTE = "the test images are the training images"


@dataclass(frozen=True)
class Collected:
    """`runs` has a row a run, `points` a row for each point of a curve, `responses` a row a layer; `id` joins them.

    runs:      id net kind depth family shortcut recipe dataset scale seed iterations definition · place folder state
               (done, diverged, failed, unfinished) reached failed_at failure not_finite · twin, the run of another
               seed whose curve is the same to the digit · every metric by its name ·
               provenance: started … job, machines, data_name data_hash data_origin train_images test_images
               tested_on_training_images
    points:    id net kind depth family recipe scale seed · iteration rate train_error train_loss test_error test_loss
               gradient_first gradient_last
    responses: id net kind depth family recipe scale seed · layer (from 1) response
    """

    runs: pd.DataFrame
    points: pd.DataFrame
    responses: pd.DataFrame
    places: Places
    problems: tuple[Problem, ...] = ()
    opened: int = 0  # folders read this time; the others had not changed
    strict: bool = False  # runs of different code, or that went on elsewhere, are not averaged
    evaluations: tuple[Evaluation, ...] = ()  # of weights that were not trained here; no runs

    @property
    def finals(self) -> pd.DataFrame:
        """The runs that are done."""
        return self.runs[self.runs["state"] == "done"]

    def folder_of(self, run_id: str) -> Folder:
        """Where the run was read from."""
        run = self.runs.loc[self.runs["id"] == run_id].iloc[0]
        parent = {"runs": self.places.runs, "published": self.places.published}[run["place"]]
        return Folder(parent / run["folder"])


def collect(places: Places, keep: bool = True) -> Collected:
    """The working and the published runs. `keep`: remember in `places.frame` what was read."""
    gathered = read_runs(places, keep)
    if keep:
        with contextlib.suppress(EnvironmentProblem):  # somebody else's results may be read-only
            save(gathered, places)
    table = gathered.table
    runs = _runs(table)
    runs["twin"] = runs["id"].map(gathered.twins).astype("object")
    measured, unreadable = evaluations(places.results)
    problems = tuple(Problem(folder, problem) for folder, problem in unreadable)
    return Collected(
        runs,
        _points(table, runs),
        _responses(table, runs),
        places,
        gathered.problems + problems,
        gathered.opened,
        evaluations=tuple(measured),
    )


def rows_of(frame: pd.DataFrame, runs: Iterable[Run]) -> pd.DataFrame:
    """The rows of a frame that belong to these runs, by seed."""
    found = frame[frame["id"].isin([run.id for run in runs])]
    return found.sort_values("seed", kind="stable")


def differing_columns(rows: pd.DataFrame, columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The columns in which runs that ought to be alike differ, with what they say there."""
    values = {
        name: tuple(sorted(map(str, rows[name].dropna().unique())))
        for name in columns
        if name in rows
    }
    return {name: found for name, found in values.items() if len(found) > 1}


def tested_on_training_images(rows: pd.DataFrame) -> bool:
    """Whether a run's test images were those it was trained on; records older than the question do not say."""
    return bool(rows["tested_on_training_images"].eq(True).any())


def training_images_note(rows: pd.DataFrame) -> str:
    """What stands under test errors that are none of images not seen."""
    return (
        f"{TRAINING_IMAGES_NOTE.capitalize()}: their errors say nothing about images not seen."
        if tested_on_training_images(rows)
        else ""
    )


def complete_note(rows: pd.DataFrame) -> str:
    """Return what stands under numbers that are compared though no digest shows the images official."""
    origins = rows["data_origin"].dropna().unique()
    named = ", ".join(sorted(origin for origin in origins if is_complete(origin)))
    return f"Data: {named}; {COMPLETE}." if named else ""


def moved_machine(rows: pd.DataFrame) -> tuple[str, ...]:
    """The runs that went on under other conditions than they began, and what was other."""
    sentence = "seed {} went on elsewhere, so it is not comparable bit for bit: {}"
    return tuple(
        sentence.format(seed, _difference(machines))
        for seed, machines in zip(rows["seed"], rows["machines"], strict=True)
        if machines is not None and len(machines)
    )


def twinned(rows: pd.DataFrame) -> tuple[str, ...]:
    """The seeds among these runs that have one curve between them, so that they are not two samples."""
    doubled = rows[rows["twin"].isin(rows["id"])]
    seeds = dict(zip(rows["id"], rows["seed"], strict=True))
    return tuple(
        f"seeds {seeds[twin]} and {seed} of {net} have the same curve to the digit, so they are not independent"
        for net, seed, twin in zip(doubled["net"], doubled["seed"], doubled["twin"], strict=True)
    )


def _difference(machines: Iterable[str]) -> str:
    """What differs between some machines, or all of each where they do not say the same things."""
    parts = [machine.split(", ") for machine in machines]
    if len(set(map(len, parts))) > 1:
        return " → ".join(machines)
    return ", ".join(" → ".join(facts) for facts in zip(*parts, strict=True) if len(set(facts)) > 1)


def scale_with_results(
    experiments: Iterable[Experiment],
    collected: Collected,
    scales: Mapping[str, Scale] | None = None,
) -> str:
    """The most serious scale at which a run of these experiments has finished; `paper` where none has."""
    wanted = [experiment for experiment in experiments if not isinstance(experiment, Skipped)]
    done = collected.finals
    for name, scale in (scales or catalog.all_scales()).items():
        if (done["scale"] == name).any():
            ids = {run.id for experiment in wanted for run in runs_of(at_scale(experiment, scale))}
            if done["id"].isin(ids).any():
                return name
    return "paper"


def _runs(table: pa.Table) -> pd.DataFrame:
    runs = table.drop_columns(list(INTERNAL)).to_pandas()
    runs = runs.rename(columns=lambda name: name.removeprefix("metric."))
    lengths, iterations = _flat(table, "curve.iteration")
    last = np.cumsum(lengths) - 1
    runs["reached"] = [
        int(iterations[at]) if length else 0 for at, length in zip(last, lengths, strict=True)
    ]
    return runs


def _points(table: pa.Table, runs: pd.DataFrame) -> pd.DataFrame:
    lengths, _ = _flat(table, "curve.iteration")
    return pd.DataFrame(
        _repeated(runs, lengths) | {name: _flat(table, f"curve.{name}")[1] for name in CURVE}
    )


def _responses(table: pa.Table, runs: pd.DataFrame) -> pd.DataFrame:
    lengths, values = _flat(table, "responses")
    layers = [np.arange(1, length + 1) for length in lengths]
    layer = np.concatenate(layers) if layers else np.array([], dtype=np.int64)
    return pd.DataFrame(_repeated(runs, lengths) | {"layer": layer, "response": values})


def _flat(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The lengths of a list column, and its values one after another."""
    column = table[name].combine_chunks()
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return lengths, column.flatten().to_numpy(zero_copy_only=False)


def _repeated(runs: pd.DataFrame, lengths: np.ndarray) -> dict[str, Any]:
    """Each run's columns, once for each of its rows; texts as categories, which cost a byte or two a row."""

    def column(name: str) -> Any:
        if pd.api.types.is_numeric_dtype(runs[name]):
            return np.repeat(runs[name].to_numpy(), lengths)
        codes, words = pd.factorize(runs[name])
        return pd.Categorical.from_codes(np.repeat(codes, lengths), words)

    return {name: column(name) for name in _OF_RUN}
