"""A job that waits until others have ended, however they end, and then writes the report.

It is an array of one element like those of runs, so that it is found in the queue in the same way,
and its log and its text are in a folder beside theirs. It has no run, so nobody takes it for one.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repro.cluster import slurm
from repro.cluster.profile import Profile
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.status.run_states import State
from repro.cluster.submit.batch_folder import free_folder, make_batch
from repro.cluster.submit.frozen_code import freeze_code, frozen_folder
from repro.cluster.submit.sbatch import ArrayText, command_array
from repro.cluster.submit.sending import Unanswered, send_array
from repro.definition.bounds import check_name
from repro.errors import EnvironmentProblem, UserError
from repro.storage.atomic import read_json, to_json, write_atomic
from repro.storage.paths import Places
from repro.storage.typed_file import SCHEMA

LONGEST = 60  # minutes; a report takes one or two
CPUS = 2
AWAITED = "after.json"  # in the folder of its batch: the arrays that it waits for


@dataclass(frozen=True)
class Waiting:
    """A job that waits for arrays, or that was found waiting."""

    array: str
    after: tuple[str, ...]  # the arrays that it waits for; none where it was found waiting
    batch: str


def report_words(scale: str) -> tuple[str, ...]:
    """Return the command that the job runs: `report` gathers all runs before it writes."""
    return ("report", "--scale", scale)


def arrays_to_wait_for(sent: Iterable[str], left: Iterable[State], cluster: str) -> tuple[str, ...]:
    """Return the arrays that were sent now, and those in which selected runs wait or run.

    An array of another cluster cannot be waited for.
    """
    numbers = list(sent)
    for state in left:
        if state.live and state.job and state.cluster == cluster:
            numbers.append(state.job.partition("_")[0])
    return tuple(dict.fromkeys(numbers))


def report_text(scale: str, places: Places, profile: Profile) -> str:
    """Return what sbatch would be given. Needs no SLURM and writes nothing."""
    folder = free_folder(places, _name(scale, places))
    return _text(scale, folder, places, profile, frozen_folder(places)).text


def send_report(
    scale: str,
    sent: Sequence[str],
    left: Iterable[State],
    places: Places,
    profile: Profile,
) -> Waiting | None:
    """Send the job, and return it; None where there is nothing to wait for.

    Where nothing was sent now and one waits for these arrays already, that one is returned and no
    other is sent.
    """
    after = arrays_to_wait_for(sent, left, profile.name)
    if not after:
        return None
    name = _name(scale, places)
    if not sent and (waiting := _found_waiting(name, after, places, profile)):
        return waiting
    try:
        return _send(scale, name, after, places, profile)
    except UserError as error:
        raise EnvironmentProblem(
            f"the runs are in the queue, and the job that writes the report is not: "
            f"{error.problem}",
            f"`repro report --scale {scale}` writes it when `repro status` says that they ended",
        ) from error


def _send(
    scale: str, name: str, after: tuple[str, ...], places: Places, profile: Profile
) -> Waiting:
    code = freeze_code(places)
    batch = make_batch(places, name)
    try:
        text = _text(scale, batch.path, places, profile, code)
        write_atomic(batch.path / AWAITED, to_json({"schema": SCHEMA, "after": list(after)}))
        array = send_array(text, batch, profile, after)
    except BaseException as error:
        if not isinstance(error, (Unanswered, KeyboardInterrupt)):
            shutil.rmtree(batch.path, ignore_errors=True)
        raise
    batch.sent(array)
    return Waiting(array, after, batch.name)


def _text(scale: str, folder: Path, places: Places, profile: Profile, code: Path) -> ArrayText:
    """Return the text: what the profile asks for, for one small process without a GPU."""
    small = replace(
        profile,
        gpus=0,
        gpu_type=None,
        nodes=1,
        processes=1,
        pack=1,
        cpus=min(profile.cpus, CPUS),
        time=min(profile.time, LONGEST),
    )
    words = " ".join(("repro.cli", *report_words(scale)))
    return command_array(folder, 1, places, small, code, f"-m {words}")


def _name(scale: str, places: Places) -> str:
    """Return the name of the job: that of another results folder is another."""
    digest = hashlib.sha256(f"{places.results.resolve()}\n{scale}".encode()).hexdigest()
    return check_name(f"repro-then-report-{digest[:8]}", "a batch")


def _found_waiting(
    name: str, after: Sequence[str], places: Places, profile: Profile
) -> Waiting | None:
    """Return the job of this name that waits in the queue for all these arrays.

    One that runs already, or waits for earlier arrays only, writes its report without them.
    """
    arrays = {}
    for path in jobs_folder(places).glob(f"{name}*"):
        arrays[path.name] = Batch(path).array
    live = slurm.live_jobs(arrays, profile.slurm_conf) or {}
    for job in live.values():
        awaited = _read_awaited(jobs_folder(places) / job.batch)
        if job.state == "PENDING" and awaited.issuperset(after):
            return Waiting(job.array, (), job.batch)
    return None


def _read_awaited(batch: Path) -> set[str]:
    """Return the arrays that a job waits for; none where its record cannot be read."""
    try:
        return set(read_json(batch / AWAITED)["after"])
    except (UserError, OSError, KeyError, TypeError):
        return set()
