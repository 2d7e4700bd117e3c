"""Sending runs to a cluster: one array for each experiment, each run once, whoever asks and however often.

submitit writes the sbatch text and sends it. Its pickles and its signal handling are left out: an element reads its
run's id from the batch's folder, which is complete before the scheduler hears of it (see `repro.cluster.job`).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from repro.cluster import slurm
from repro.cluster.profile import Profile
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim, withdraw_claim
from repro.cluster.status.state import State, conf_of, read_files, state_of
from repro.cluster.status.state import ask_schedulers as ask_for
from repro.cluster.submit.frozen_code import freeze_code, frozen_folder
from repro.cluster.submit.packing import pack_runs
from repro.cluster.submit.sbatch import ArrayText, array_for
from repro.definition.bounds import check_name
from repro.definition.run import Run
from repro.errors import EnvironmentProblem
from repro.storage.atomic import (
    allow_group,
    make_folder,
    write_errors_explained,
)
from repro.storage.paths import Places
from repro.storage.run_files import write_definition

_LONG = 60  # seconds for SLURM's verdict


@dataclass(frozen=True)
class SubmitOptions:
    """What to do about runs that are not simply lacking."""

    retry: bool = False  # send again what failed
    again: bool = False  # redo what is done
    options: tuple[
        str, ...
    ] = ()  # what else selected these runs on the command line, for the command that retries


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
    """What is left to send. A run that several experiments share goes with the first; arrays are cut at `size`."""
    unique = list(dict.fromkeys(run for runs in experiments.values() for run in runs))
    batches: dict[str, Batch] = {}
    seen = {run.id: read_files(places.run(run.id), places, batches) for run in unique}
    live = ask_for(list(seen.values()))
    states = {
        name: _with_published(state_of(each, live.get(conf_of(each))), places)
        for name, each in seen.items()
    }
    sendable = {run for run in unique if _sendable(states[run.id], wanted)}
    arrays: list[tuple[str, tuple[Run, ...]]] = []
    for name, runs in experiments.items():
        mine = tuple(dict.fromkeys(run for run in runs if run in sendable))
        sendable.difference_update(mine)
        arrays += [(name, mine[start : start + size]) for start in range(0, len(mine), size)]
    sent = {run.id for _, runs in arrays for run in runs}
    left = tuple(states[run.id] for run in unique if run.id not in sent)
    return Plan(tuple(arrays), left, {name: each.claim for name, each in seen.items()})


def sbatch_texts(planned: Plan, places: Places, profile: Profile) -> Iterator[str]:
    """What sbatch would be given for each array. Needs no SLURM and writes nothing."""
    code = frozen_folder(places)
    for experiment, runs in planned.arrays:
        folder = next(_batch_folders(places, _batch_name(experiment, runs, code, places)))
        yield array_for(folder, len(pack_runs(runs, profile)), places, profile, code).text


def slurm_verdicts(planned: Plan, places: Places, profile: Profile) -> Iterator[str]:
    """SLURM's own verdict on each array, and when it would start; nothing is sent."""
    for text in sbatch_texts(planned, places, profile):
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
            # The code is not frozen for a question, so the folder it would run in may not be there yet.
            script.write(
                "\n".join(
                    line for line in text.splitlines() if not line.startswith("#SBATCH --chdir")
                )
            )
            script.flush()
            environment = slurm.environment(profile.slurm_conf)
            command = ["sbatch", "--test-only", script.name]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, env=environment, timeout=_LONG
                )
            except subprocess.TimeoutExpired:
                raise EnvironmentProblem(
                    f"`sbatch` has not answered for {_LONG} s", "try again in some minutes"
                ) from None
        if done.returncode:
            raise _refused(done.stderr)
        yield slurm.one_line(done.stderr or done.stdout)


def send(planned: Plan, places: Places, profile: Profile, wanted: SubmitOptions) -> Iterator[Sent]:
    """Claim the runs of each array, write everything down, and only then tell SLURM."""
    if shutil.which("sbatch") is None:
        raise EnvironmentProblem(
            "no `sbatch` here", "log in to the cluster, or see what would be sent with `--dry-run`"
        )
    if not planned.arrays:
        return
    code = freeze_code(places)
    for experiment, runs in planned.arrays:
        batch = _new_batch(places, _batch_name(experiment, runs, code, places))
        claimed, aside, told = dict[str, Claim](), dict[str, Path](), False
        try:
            _claim(runs, claimed, aside, planned, places, profile, wanted, batch)
            taken = tuple(run.id for run in runs if run.id not in claimed)
            if not claimed:
                shutil.rmtree(batch.path)
                yield Sent(batch.name, "", (), 0, taken)
                continue
            elements = pack_runs([run for run in runs if run.id in claimed], profile)
            batch.declare(
                ([run.id for run in each] for each in elements),
                _about(experiment, profile, code, wanted),
            )
            sbatch = array_for(batch.path, len(elements), places, profile, code)
            told = True
            array = _submit(sbatch, batch, profile)
        except BaseException as error:
            if not told or not isinstance(error, (Unanswered, KeyboardInterrupt)):
                _undo(claimed, aside, places, batch)
            raise
        batch.sent(array)
        yield Sent(batch.name, array, tuple(claimed), len(elements), taken)


def _about(experiment: str, profile: Profile, code: Path, wanted: SubmitOptions) -> dict[str, Any]:
    return {
        "experiment": experiment,
        "cluster": profile.name,
        "code": code.name,
        "options": wanted.options,
    }


def _sendable(state: State, wanted: SubmitOptions) -> bool:
    if state.word == "done":
        return wanted.again
    if state.retriable:
        return wanted.retry or wanted.again
    return state.word in ("lacking", "interrupted")


def _with_published(state: State, places: Places) -> State:
    """A run that is published is done, whether or not it has a folder here."""
    published = state.word != "done" and not state.live and places.finished(state.id)
    return replace(state, word="done", reason="published") if published else state


def _claim(
    runs: Sequence[Run],
    claimed: dict[str, Claim],
    aside: dict[str, Path],
    planned: Plan,
    places: Places,
    profile: Profile,
    wanted: SubmitOptions,
    batch: Batch,
) -> None:
    for run in runs:
        folder, old = places.run(run.id), planned.claims[run.id]
        if wanted.again and (folder.final.exists() or folder.failed.exists()):
            if moved := folder.set_aside():
                aside[run.id] = moved
            old = None
        claim = take_claim(folder, Claim.ours(batch.name, profile.name, profile.slurm_conf), old)
        if claim is not None:
            claimed[run.id] = claim
            write_definition(folder, run)


def _undo(
    claimed: Mapping[str, Claim], aside: Mapping[str, Path], places: Places, batch: Batch
) -> None:
    """Nothing was sent: give the runs back, with the records that were put aside for them."""
    for run_id, claim in claimed.items():
        withdraw_claim(places.run(run_id), claim)
    for run_id, path in aside.items():
        places.run(run_id).put_back(path)
    shutil.rmtree(batch.path, ignore_errors=True)


def _batch_name(experiment: str, runs: Sequence[Run], code: Path, places: Places) -> str:
    """It is also the job's name: another results folder's batch of the same runs has another."""
    words = (str(places.results.resolve()), code.name, *(run.id for run in runs))
    return check_name(f"repro-{experiment}-{_digest(*words)}", "a batch")


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def _new_batch(places: Places, name: str) -> Batch:
    """A folder that nobody else has: the same runs may have been sent before, or be sent at this moment."""
    with write_errors_explained(jobs_folder(places)):
        make_folder(jobs_folder(places))
        for path in _batch_folders(places, name):
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
                allow_group(path)
                return Batch(path)
    raise AssertionError("there is always another name")


def _batch_folders(places: Places, name: str) -> Iterator[Path]:
    """The folders that a batch of this name may have, but for those that are taken."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return (path for path in (jobs_folder(places) / each for each in names) if not path.exists())


class Unanswered(EnvironmentProblem):
    """SLURM has not said whether it has the array."""


_NO_ANSWER = (
    "timed out",
    "zero bytes",
    "communication",
    "connection reset",
)  # it may have heard us nevertheless


def _submit(sbatch: ArrayText, batch: Batch, profile: Profile) -> str:
    """The array's number. Where SLURM did not answer, it may have the array nevertheless: then all is left as it is.

    Its elements find their runs if it has. If not, the claim is void, and they are sent again when somebody asks.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError
    from submitit.helpers import clean_env, environment_variables

    conf = (
        {"SLURM_CONF": value}
        if (value := slurm.environment(profile.slurm_conf).get("SLURM_CONF"))
        else {}
    )
    try:
        # submitit prints SLURM's words and raises them as well; they are said once, by us.
        with clean_env(), environment_variables(**conf), contextlib.redirect_stderr(io.StringIO()):
            return str(sbatch.send())
    except (FailedJobError, FailedSubmissionError) as error:
        words = slurm.one_line(str(error))
    if not any(sign in words.lower() for sign in _NO_ANSWER):
        raise _refused(words)
    arrived = slurm.live_jobs({batch.name: None}, profile.slurm_conf)
    if arrived:
        return next(iter(arrived.values())).array
    raise Unanswered(
        f"SLURM does not say whether it has the jobs: {words}",
        f"in some minutes `squeue --name {batch.name}` shows what it has; `repro submit` then sends the others",
    )


def _refused(words: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"SLURM refuses it: {slurm.one_line(words)}",
        "nothing was sent; `sinfo` names the partitions, `sacctmgr show assoc user=$USER` the accounts; correct "
        "`slurm/<cluster>.toml` or say it on the command line",
    )
