"""What the scheduler says. One `squeue` call answers for every batch; accounting is never needed.

An array carries its batch's name as its job name, so a job is found again even if whoever sent it was killed before
it could write the number down.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from repro.errors import EnvironmentProblem, UserError, quote

PATIENCE = 20  # seconds for any question to the scheduler
MAX_ARRAY_SIZE = 1001  # SLURM's default

_FORMAT = "%F|%K|%T|%M|%l|%N|%j|%r"  # array, index, state, elapsed, limit, nodes, name, reason
_FOREIGN = (
    "SLURM_",
    "SLURMD_",
    "SRUN_",
    "SBATCH_",
    "SUBMITIT_",
    "SQUEUE_",
    "SCANCEL_",
    "SCONTROL_",
    "SINFO_",
)


@dataclass(frozen=True)
class Job:
    """An element of an array that the scheduler knows."""

    array: str
    index: int
    state: str  # SLURM's word: PENDING, RUNNING, …
    elapsed: str
    limit: str
    node: str
    batch: str
    reason: str

    @property
    def id(self) -> str:
        return f"{self.array}_{self.index}"


Live = Mapping[tuple[str, int], Job]  # by batch and index


def live_jobs(arrays: Mapping[str, str | None], slurm_conf: str | None = None) -> Live | None:
    """The elements of these batches that wait or run; None where the scheduler cannot be asked.

    A batch whose array is known has no other: one of the same name was sent by somebody else, or before.
    """
    if not arrays:
        return {}
    names = ",".join(sorted(arrays))
    try:
        said = run_slurm_command(
            ["squeue", "--noheader", "--array", "--all", "--name", names, "--format", _FORMAT],
            slurm_conf,
        )
    except UserError:
        return None
    jobs = [job for job in map(_job, said.splitlines()) if job and job.state not in _ENDED]
    return {
        (job.batch, job.index): job for job in jobs if arrays.get(job.batch) in (None, job.array)
    }


_ENDED = {
    "CANCELLED",
    "COMPLETED",
    "FAILED",
    "TIMEOUT",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "BOOT_FAIL",
    "DEADLINE",
}


def run_slurm_command(command: list[str], slurm_conf: str | None = None) -> str:
    """What a SLURM command answers, or an error with SLURM's own words."""
    if shutil.which(command[0]) is None:
        raise EnvironmentProblem(
            f"no `{command[0]}` here",
            "this needs SLURM: log in to the cluster, or `slurm/local-cluster up`",
        )
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, env=environment(slurm_conf)
        )
    except subprocess.TimeoutExpired as late:
        said = one_line((late.stderr or b"").decode(errors="replace"))
        problem = f"`{command[0]}` has not answered for {PATIENCE} s" + (
            f", and says: {said}" if said else ""
        )
        raise EnvironmentProblem(problem, advice(said or "timed out", command)) from None
    if done.returncode:
        said = one_line(done.stderr)
        raise EnvironmentProblem(
            f"`{command[0]}` says: {said or quote(done.returncode)}", advice(said, command)
        )
    return done.stdout


def advice(said: str, command: list[str]) -> str:
    """What to do when SLURM refuses to answer, by its own words."""
    low = said.lower()
    for signs, what in _ADVICE:
        if any(sign in low for sign in signs):
            return what
    return f"try `{shlex.join(command)[:100]}` by hand; if that fails too, show its words to your site's support"


_ADVICE = (
    (
        ("unable to contact", "connection refused", "timed out", "connect failure"),
        "the controller does not answer: `scontrol ping` says whether it is up; try again in some minutes",
    ),
    (
        ("configuration source", "slurm.conf", "resolve_ctls", "clustername"),
        "SLURM's configuration is not found here: log in to a node of the cluster, or set `slurm_conf` in the profile",
    ),
    (
        ("authentication", "munge", "auth plugin"),
        "munge does not run here or the clocks differ: try another login node, or tell your site's support",
    ),
    (
        ("invalid partition",),
        "`sinfo --format '%R %a %l %G'` names the partitions: set `partition` to one of them",
    ),
    (
        ("access/permission denied", "invalid user"),
        "it is another user's, or closed to you: ask them, or support",
    ),
    (("invalid job id",), "it has ended in the meantime: `repro status` says how"),
)


def environment(slurm_conf: str | None) -> dict[str, str]:
    """Ours without what belongs to a job we may be in, or changes what SLURM answers: `SQUEUE_STATES` hides jobs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) or name == "SLURM_CONF"
    }
    return kept | ({"SLURM_CONF": os.path.expandvars(slurm_conf)} if slurm_conf else {})


def max_array_size(slurm_conf: str | None = None) -> int:
    """How many elements an array may have here; the default where the scheduler cannot be asked."""
    try:
        size = slurm_config(slurm_conf).get("MaxArraySize", "")
    except UserError:
        size = ""
    return max(1, int(size)) if size.isdigit() else MAX_ARRAY_SIZE


@functools.cache
def jobs_are_private(slurm_conf: str | None = None) -> bool:
    """Whether a user sees no jobs but his own: then another's that is not listed may well be there."""
    try:
        return "jobs" in slurm_config(slurm_conf).get("PrivateData", "").split(",")
    except UserError:
        return True


def slurm_config(slurm_conf: str | None = None) -> dict[str, str]:
    """The scheduler's settings, by name: `KillWait` is `30 sec`."""
    lines = (
        line.partition("=")
        for line in run_slurm_command(["scontrol", "show", "config"], slurm_conf).splitlines()
    )
    return {name.strip(): value.strip() for name, equals, value in lines if equals}


def one_line(text: str) -> str:
    """SLURM's message on one line, without its prefixes."""
    prefix = re.compile(r"^(sbatch|squeue|scancel|scontrol|sinfo): (error: |fatal: )?")
    lines = (prefix.sub("", line.strip()) for line in text.splitlines())
    return "; ".join(line for line in lines if line and line.isprintable())[:500]


def _job(line: str) -> Job | None:
    parts = line.split("|", 7)
    if len(parts) != 8 or not parts[1].isdigit():
        return None
    array, index, state, elapsed, limit, node, batch, reason = parts
    return Job(
        array, int(index), state, elapsed, limit, node, batch, "" if reason == "None" else reason
    )
