"""Sending runs to a cluster: one array for each experiment, each run once, however often asked.

submitit writes the sbatch text and sends it. Its pickles and its signal handling are left out: an
element reads its run's id from the batch's folder (see `repro.cluster.job`), which is complete
before the scheduler hears of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from repro.cluster import slurm
from repro.cluster.profile import Profile
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim, withdraw_claim
from repro.cluster.status.run_states import Seen, State, look_at
from repro.cluster.status.status_rules import Submits
from repro.cluster.submit.batch_folder import batch_name, free_folder, make_batch
from repro.cluster.submit.frozen_code import freeze_code, frozen_folder
from repro.cluster.submit.packing import pack_runs
from repro.cluster.submit.sbatch import array_for
from repro.cluster.submit.sending import Unanswered, send_array, test_array
from repro.definition.run import Run
from repro.definition.verdicts_and_states import RunState
from repro.errors import EnvironmentProblem
from repro.storage.paths import Places
from repro.storage.run_files import is_done, write_definition

__all__ = [
    "Plan",
    "Sent",
    "SubmitOptions",
    "Unanswered",
    "make_plan",
    "sbatch_texts",
    "send",
    "slurm_verdicts",
]


@dataclass(frozen=True)
class SubmitOptions:
    """What to do about runs that are not simply lacking."""

    retry: bool = False  # send again what failed
    again: bool = False  # redo what is done
    options: tuple[str, ...] = ()  # what selected these runs, for the command that retries


@dataclass(frozen=True)
class Plan:
    """Which runs would be sent, as arrays, and which are left alone and why."""

    arrays: tuple[tuple[str, tuple[Run, ...]], ...]  # experiment, runs
    left: tuple[State, ...]
    claims: Mapping[str, Claim | None]

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(run for _, runs in self.arrays for run in runs)


@dataclass(frozen=True)
class Sent:
    """An array that SLURM accepted."""

    batch: str
    array: str
    runs: tuple[str, ...]
    jobs: int
    taken: tuple[str, ...]  # runs that somebody else sent in the meantime


def make_plan(
    experiments: Mapping[str, Sequence[Run]],
    places: Places,
    profile: Profile,
    wanted: SubmitOptions,
    size: int,
) -> Plan:
    """Return what is left to send: a run that several experiments share goes with the first.

    Arrays are cut at `size` elements, which is as many as the scheduler takes.
    """
    runs = list(dict.fromkeys(run for some in experiments.values() for run in some))
    looked = look_at([places.run(run.id) for run in runs], places)
    seen = dict(zip(runs, looked, strict=True))
    to_send = {run for run in runs if _is_sent(seen[run], places, wanted)}
    arrays: list[tuple[str, tuple[Run, ...]]] = []
    planned: set[Run] = set()
    for name, some in experiments.items():
        own = [run for run in dict.fromkeys(some) if run in to_send and run not in planned]
        planned.update(own)
        for start in range(0, len(own), size):
            arrays.append((name, tuple(own[start : start + size])))
    left = [_with_published(seen[run].state, places) for run in runs if run not in planned]
    claims = {run.id: seen[run].files.claim for run in runs}
    return Plan(tuple(arrays), tuple(left), claims)


def sbatch_texts(plan: Plan, places: Places, profile: Profile) -> Iterator[str]:
    """Yield what sbatch would be given for each array. Needs no SLURM and writes nothing."""
    code = frozen_folder(places)
    for experiment, runs in plan.arrays:
        folder = free_folder(places, batch_name(experiment, runs, code, places))
        jobs = len(pack_runs(runs, profile))
        yield array_for(folder, jobs, places, profile, code).text


def slurm_verdicts(plan: Plan, places: Places, profile: Profile) -> Iterator[str]:
    """Yield SLURM's own verdict on each array, and when it would start; nothing is sent."""
    for text in sbatch_texts(plan, places, profile):
        yield test_array(text, profile)


def send(plan: Plan, places: Places, profile: Profile, wanted: SubmitOptions) -> Iterator[Sent]:
    """Send each array: claim its runs, write everything down, and only then tell SLURM."""
    if shutil.which("sbatch") is None:
        raise EnvironmentProblem(
            "no `sbatch` here", "log in to the cluster, or see what would be sent with `--dry-run`"
        )
    if not plan.arrays:
        return
    code = freeze_code(places)
    for experiment, runs in plan.arrays:
        submission = _Submission(places, profile, wanted, code, experiment)
        yield submission.send(runs, plan.claims)


@dataclass
class _Submission:
    """One array on its way to SLURM, and what must be undone if it does not get there."""

    places: Places
    profile: Profile
    wanted: SubmitOptions
    code: Path
    experiment: str
    claimed: dict[str, Claim] = field(default_factory=dict)
    aside: dict[str, Path] = field(default_factory=dict)  # old records of runs to do again
    slurm_may_have_it: bool = False

    def send(self, runs: Sequence[Run], old_claims: Mapping[str, Claim | None]) -> Sent:
        """Send the runs that nobody else has claimed."""
        batch = make_batch(self.places, batch_name(self.experiment, runs, self.code, self.places))
        try:
            for run in runs:
                self._claim(run, old_claims[run.id], batch)
            taken = tuple(run.id for run in runs if run.id not in self.claimed)
            if not self.claimed:
                shutil.rmtree(batch.path)
                return Sent(batch.name, "", (), 0, taken)
            jobs, array = self._send_claimed(runs, batch)
        except BaseException as error:
            # What SLURM may have got must find its runs: then everything is left as it is.
            unsure = isinstance(error, (Unanswered, KeyboardInterrupt))
            if not (self.slurm_may_have_it and unsure):
                self._undo(batch)
            raise
        batch.sent(array)
        return Sent(batch.name, array, tuple(self.claimed), jobs, taken)

    def _claim(self, run: Run, old: Claim | None, batch: Batch) -> None:
        """Claim one run, unless somebody else was faster."""
        folder = self.places.run(run.id)
        if self.wanted.again and (folder.final.exists() or folder.failed.exists()):
            if aside := folder.set_aside():
                self.aside[run.id] = aside
            old = None
        claim = Claim.ours(batch.name, self.profile.name, self.profile.slurm_conf)
        claim = structs.replace(claim, before=_last_sent(old, self.places))
        taken = take_claim(folder, claim, old)
        if taken is not None:
            self.claimed[run.id] = taken
            write_definition(folder, run)

    def _send_claimed(self, runs: Sequence[Run], batch: Batch) -> tuple[int, str]:
        """Write the batch down and give it to SLURM; return its number of jobs and its array."""
        elements = pack_runs([run for run in runs if run.id in self.claimed], self.profile)
        batch.declare(map(_ids, elements), self._about())
        sbatch = array_for(batch.path, len(elements), self.places, self.profile, self.code)
        self.slurm_may_have_it = True
        return len(elements), send_array(sbatch, batch, self.profile)

    def _about(self) -> dict[str, Any]:
        return {
            "slurm_cluster": slurm.cluster_name(self.profile.slurm_conf),
            "experiment": self.experiment,
            "cluster": self.profile.name,
            "code": self.code.name,
            "options": self.wanted.options,
        }

    def _undo(self, batch: Batch) -> None:
        """Nothing was sent: give the runs back, with the records that were put aside for them."""
        for run_id, claim in self.claimed.items():
            withdraw_claim(self.places.run(run_id), claim)
        for run_id, path in self.aside.items():
            self.places.run(run_id).put_back(path)
        shutil.rmtree(batch.path, ignore_errors=True)


def _last_sent(old: Claim | None, places: Places) -> str | None:
    """Return the batch in which the run was last sent: if this submission fails, it says why."""
    if old is None:
        return None
    return old.batch if Batch(jobs_folder(places) / old.batch).was_sent else old.before


def _ids(element: Sequence[Run]) -> list[str]:
    return [run.id for run in element]


def _is_sent(seen: Seen, places: Places, wanted: SubmitOptions) -> bool:
    """Whether the run is to be sent, given its state and what was asked for."""
    state = _with_published(seen.state, places)
    damaged = seen.rule.name == "damaged" and seen.files.folder.final.exists()
    if state.word == RunState.DONE or damaged:
        return wanted.again
    if seen.rule.submit == Submits.RETRIES:
        return wanted.retry or wanted.again
    return seen.rule.submit == Submits.SENDS


def _with_published(state: State, places: Places) -> State:
    """Return the state; a run that is published is done, whether or not it has a folder here."""
    if state.word == RunState.DONE or state.live or not is_done(state.id, places):
        return state
    return replace(state, word=RunState.DONE, reason="published")
