"""The runs of a question, filtered once from all that were collected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from repro.definition.origin import is_complete
from repro.protocol.deviations import COMPLETE

RANKED = "response_rank_"  # of a metric that is derived: the tenth largest response and so on
TRAINING_IMAGES_NOTE = "the test images are the training images"


@dataclass(frozen=True)
class RunSet:
    """Some runs, by seed. `records` has a row a run; Collected names the columns.

    Questions about what runs have in common (`differing`, `twinned` …) are about the finished ones,
    since only they are averaged.
    """

    records: pd.DataFrame
    all_points: pd.DataFrame  # of these runs and others; filtered when they are first asked for
    all_responses: pd.DataFrame

    @property
    def ids(self) -> tuple[str, ...]:
        """Every run that has a folder."""
        return tuple(self.records["id"])

    @cached_property
    def finished(self) -> pd.DataFrame:
        """The records of the runs that are done."""
        return self._in_state("done")

    @cached_property
    def diverged(self) -> pd.DataFrame:
        return self._in_state("diverged")

    @cached_property
    def failed(self) -> pd.DataFrame:
        return self._in_state("failed")

    @property
    def over(self) -> tuple[str, ...]:
        """The runs that will measure nothing more: finished or diverged."""
        return tuple(self.records.loc[self.records["state"].isin(["done", "diverged"]), "id"])

    @cached_property
    def points(self) -> pd.DataFrame:
        """Their curves, a row for each point."""
        return rows_of(self.all_points, self.ids)

    @cached_property
    def responses(self) -> pd.DataFrame:
        """Their layer responses, a row for each layer."""
        return rows_of(self.all_responses, self.ids)

    @cached_property
    def of_finished(self) -> RunSet:
        """The same set without the runs that are not done."""
        return RunSet(self.finished, self.all_points, self.all_responses)

    def values(self, metric: str) -> pd.Series:
        """Return the finished runs' values of a metric, by id; NaN where it was not measured."""
        known = self.finished.set_index("id")
        if metric.startswith(RANKED):
            rank = int(metric.removeprefix(RANKED))
            return self._response_at_rank(rank).reindex(known.index)
        if metric not in known:
            return pd.Series(float("nan"), known.index)
        values: pd.Series = known[metric].astype(float)
        return values

    def measured(self, metric: str) -> pd.Series:
        """Return the values of the finished runs that measured a metric; some are not finite."""
        values = self.values(metric)
        names = self.finished["not_finite"]
        # In the frame a diverged loss and a metric that nobody measured are both NaN.
        not_finite = np.array([some is not None and metric in some for some in names], dtype=bool)
        measured: pd.Series = values[values.notna().to_numpy() | not_finite]
        return measured

    def differing(self, columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the columns in which finished runs differ, with what they have there."""
        return differing_columns(self.finished, columns)

    def moved_machine(self) -> tuple[str, ...]:
        """Return the runs that went on elsewhere than they began, and what was different there."""
        sentence = "seed {} went on elsewhere, so it is not comparable bit for bit: {}"
        moved = []
        for seed, machines in zip(self.finished["seed"], self.finished["machines"], strict=True):
            if machines is not None and len(machines):
                moved.append(sentence.format(seed, _differing_parts(machines)))
        return tuple(moved)

    def twinned(self) -> tuple[str, ...]:
        """Return the seeds that have one curve between them, so that they are not two samples."""
        runs = self.finished
        doubled = runs[runs["twin"].isin(runs["id"])]
        seeds = dict(zip(runs["id"], runs["seed"], strict=True))
        sentence = (
            "seeds {} and {} of {} have the same curve to the digit, so they are not independent"
        )
        reasons = []
        for run in doubled.itertuples():
            reasons.append(sentence.format(seeds[run.twin], run.seed, run.net))
        return tuple(reasons)

    def tested_on_training_images(self) -> bool:
        """Return whether a run's test images were its training images; old records do not say."""
        return bool(self.finished["tested_on_training_images"].eq(True).any())

    def training_images_note(self) -> str:
        """Return what stands under test errors that are none of images not seen."""
        if not self.tested_on_training_images():
            return ""
        note = TRAINING_IMAGES_NOTE.capitalize()
        return f"{note}: their errors say nothing about images not seen."

    def complete_note(self) -> str:
        """Return what stands under numbers of images that no digest shows to be official."""
        origins = self.finished["data_origin"].dropna().unique()
        complete = sorted(filter(is_complete, origins))
        return f"Data: {', '.join(complete)}; {COMPLETE}." if complete else ""

    def _response_at_rank(self, rank: int) -> pd.Series:
        """Return each run's largest, second largest … layer response, by id."""
        loudest_first = self.responses.sort_values("response", ascending=False)
        at_rank = loudest_first.groupby("id", observed=True)["response"].nth(rank - 1)
        ids = loudest_first.loc[at_rank.index, "id"].astype(str)
        return pd.Series(at_rank.to_numpy(float), ids)

    def _in_state(self, state: str) -> pd.DataFrame:
        return self.records[self.records["state"] == state]


def differing_columns(rows: pd.DataFrame, columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns in which rows that ought to be alike differ, with what they have there."""
    differing = {}
    for name in columns:
        if name not in rows:
            continue
        values = tuple(sorted(map(str, rows[name].dropna().unique())))
        if len(values) > 1:
            differing[name] = values
    return differing


def rows_of(frame: pd.DataFrame, ids: Iterable[str]) -> pd.DataFrame:
    """Return the rows of a frame that belong to these runs, by seed."""
    return frame[frame["id"].isin(list(ids))].sort_values("seed", kind="stable")


def _differing_parts(machines: Iterable[str]) -> str:
    """Return what differs between some machines; all of each where they do not name the same."""
    parts = [machine.split(", ") for machine in machines]
    if len(set(map(len, parts))) > 1:
        return " → ".join(machines)
    differing = []
    for names in zip(*parts, strict=True):
        if len(set(names)) > 1:
            differing.append(" → ".join(names))
    return ", ".join(differing)
