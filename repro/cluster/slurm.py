"""What the scheduler says. One `squeue` call answers for every batch; accounting is never needed.

An array carries its batch's name as its job name, so a job is found again even if its sender was
killed before it could write the number down.
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

# Variables of a job that we may be in; `SQUEUE_STATES` and its like change what SLURM answers.
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
    """Return the elements of these batches that wait or run; None where nobody can be asked.

    A batch whose array is known has no other: one of the same name was sent by somebody else, or
    before.
    """
    if not arrays:
        return {}
    names = ",".join(sorted(arrays))
    command = ["squeue", "--noheader", "--array", "--all", "--name", names, "--format", _FORMAT]
    try:
        answer = run_slurm_command(command, slurm_conf)
    except UserError:
        return None
    live = {}
    for line in answer.splitlines():
        job = _job(line)
        if job is None or job.state in _ENDED:
            continue
        if arrays.get(job.batch) in (None, job.array):
            live[job.batch, job.index] = job
    return live


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
    """Return what a SLURM command answers, or raise an error with SLURM's own words."""
    if shutil.which(command[0]) is None:
        raise EnvironmentProblem(
            f"no `{command[0]}` here",
            "this needs SLURM: log in to the cluster, or `slurm/local-cluster up`",
        )
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=environment(slurm_conf),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        words = one_line((late.stderr or b"").decode(errors="replace"))
        problem = f"`{command[0]}` has not answered for {PATIENCE} s"
        if words:
            problem += f", and says: {words}"
        raise EnvironmentProblem(problem, advice(words or "timed out", command)) from None
    if done.returncode:
        words = one_line(done.stderr)
        raise EnvironmentProblem(
            f"`{command[0]}` says: {words or quote(done.returncode)}", advice(words, command)
        )
    return done.stdout


@dataclass(frozen=True)
class Advice:
    """What to do about an answer of SLURM."""

    signs: tuple[str, ...]  # words of SLURM that it is for
    text: str
    about_slurm: bool = False  # SLURM itself does not work here, whatever was asked


_ADVICE = (
    Advice(
        ("unable to contact", "connection refused", "timed out", "connect failure"),
        "the controller does not answer: `scontrol ping` says whether it is up; "
        "try again in some minutes",
        about_slurm=True,
    ),
    Advice(
        ("configuration source", "slurm.conf", "resolve_ctls", "clustername"),
        "SLURM's configuration is not found here: log in to a node of the cluster, "
        "or set `slurm_conf` in the profile",
        about_slurm=True,
    ),
    Advice(
        ("authentication", "munge", "auth plugin"),
        "munge does not run here or the clocks differ: try another login node, "
        "or tell your site's support",
        about_slurm=True,
    ),
    Advice(
        ("invalid partition",),
        "`sinfo --format '%R %a %l %G'` names the partitions: set `partition` to one of them",
    ),
    Advice(
        ("access/permission denied", "invalid user"),
        "it is another user's, or closed to you: ask them, or support",
    ),
    Advice(("invalid job id",), "it has ended in the meantime: `repro status` says how"),
)


def known_advice(answer: str) -> Advice | None:
    """Return the advice for SLURM's own words; None where none is known."""
    words = answer.lower()
    for candidate in _ADVICE:
        if any(sign in words for sign in candidate.signs):
            return candidate
    return None


def advice(answer: str, command: list[str]) -> str:
    """Return what to do when SLURM refuses to answer, by its own words."""
    known = known_advice(answer)
    if known is not None:
        return known.text
    by_hand = f"try `{shlex.join(command)[:100]}` by hand"
    return f"{by_hand}; if that fails too, show its words to your site's support"


def environment(slurm_conf: str | None) -> dict[str, str]:
    """Return our environment without what belongs to a job that we may be in."""
    kept = {}
    for name, value in os.environ.items():
        if name == "SLURM_CONF" or not name.startswith(_FOREIGN):
            kept[name] = value
    if slurm_conf:
        kept["SLURM_CONF"] = os.path.expandvars(slurm_conf)
    return kept


def max_array_size(slurm_conf: str | None = None) -> int:
    """Return how many elements an array may have; the default where nobody can be asked."""
    try:
        size = slurm_config(slurm_conf).get("MaxArraySize", "")
    except UserError:
        return MAX_ARRAY_SIZE
    return max(1, int(size)) if size.isdigit() else MAX_ARRAY_SIZE


@functools.cache
def jobs_are_private(slurm_conf: str | None = None) -> bool:
    """Whether users see only their own jobs: another's that is not listed may well be there."""
    try:
        return "jobs" in slurm_config(slurm_conf).get("PrivateData", "").split(",")
    except UserError:
        return True


@functools.cache
def cluster_name(slurm_conf: str | None = None) -> str | None:
    """Return what the scheduler calls its cluster; None where it cannot be asked."""
    try:
        return slurm_config(slurm_conf).get("ClusterName")
    except UserError:
        return None


def slurm_config(slurm_conf: str | None = None) -> dict[str, str]:
    """Return the scheduler's settings, by name: `KillWait` is `30 sec`."""
    settings = {}
    for line in run_slurm_command(["scontrol", "show", "config"], slurm_conf).splitlines():
        name, equals, value = line.partition("=")
        if equals:
            settings[name.strip()] = value.strip()
    return settings


_PREFIX = re.compile(r"^(sbatch|squeue|scancel|scontrol|sinfo): (error: |fatal: )?")


def one_line(text: str) -> str:
    """Return SLURM's message on one line, without its prefixes."""
    lines = [_PREFIX.sub("", line.strip()) for line in text.splitlines()]
    return "; ".join(line for line in lines if line and line.isprintable())[:500]


def _job(line: str) -> Job | None:
    parts = line.split("|", 7)
    if len(parts) != 8 or not parts[1].isdigit():
        return None
    array, index, state, elapsed, limit, node, batch, reason = parts
    if reason == "None":
        reason = ""
    return Job(array, int(index), state, elapsed, limit, node, batch, reason)
