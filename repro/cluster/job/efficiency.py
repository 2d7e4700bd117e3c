"""The last line of a job: what it used of what it was given, and what to ask for next time."""

from __future__ import annotations

import math
import os
import re
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from repro.cluster import slurm
from repro.cluster.slurm_time import format_time, parse_time
from repro.cost.memory import GIB
from repro.errors import UserError
from repro.provenance.slurm_job import slurm_job_id
from repro.storage.paths import Places
from repro.storage.run_files import read_final, read_progress

ROOM = 1.25  # times what was used: what to ask for
MUCH = 2.0  # asked for so many times what is needed, it is worth a suggestion
LOW_GPU_PERCENT = 20.0

_STARTED = time.monotonic()
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Usage:
    """What a job used, and what it had; None where that is not known."""

    seconds: float
    memory: float | None  # bytes on one node
    gpu_percent: float | None
    minutes_given: int | None
    memory_given: float | None

    def line(self) -> str:
        """Return one line for the log."""
        parts = [_clock(self.seconds)]
        if self.minutes_given:
            parts[0] += f" of {format_time(self.minutes_given)}"
        if self.memory and self.memory_given:
            parts.append(f"memory {self.memory / GIB:.1f} of {self.memory_given / GIB:.1f} GiB")
        elif self.memory:
            parts.append(f"memory {self.memory / GIB:.1f} GiB")
        if self.gpu_percent is not None:
            parts.append(f"GPU {self.gpu_percent:.0f} % busy")
        suggestions = self.suggestions()
        ending = f"; next time {' '.join(suggestions)}" if suggestions else ""
        return f"efficiency: {', '.join(parts)}{ending}"

    def suggestions(self) -> list[str]:
        """Return the options that fit better, where much more was asked for than is needed."""
        options = []
        minutes = max(10, 10 * math.ceil(ROOM * self.seconds / 600))
        if self.minutes_given and self.minutes_given >= MUCH * minutes:
            options.append(f"--time {format_time(minutes)}")
        if self.memory and self.memory_given:
            gigabytes = max(1, math.ceil(ROOM * self.memory / GIB))
            if self.memory_given >= MUCH * gigabytes * GIB:
                options.append(f"--memory {gigabytes}GB")
        if self.gpu_percent is not None and self.gpu_percent < LOW_GPU_PERCENT:
            options.append("--pack auto")
        return options


def report_efficiency(run_ids: Sequence[str], places: Places, say: Callable[[str], None]) -> None:
    """Say what this job used. Nothing is said where nothing can be known; no run fails by it."""
    try:
        say(usage_of(run_ids, places).line())
    except (UserError, OSError, ValueError):
        return


def usage_of(run_ids: Sequence[str], places: Places) -> Usage:
    """Return what this job and its runs used."""
    seconds = [time.monotonic() - _STARTED]
    percents = []
    for run_id in run_ids:
        final = read_final(places.run(run_id))
        if final is not None and final.provenance.seconds:
            seconds.append(final.provenance.seconds)  # of all attempts: what one job would take
        progress = read_progress(places.run(run_id))
        if progress is not None and progress.gpu_percent is not None:
            percents.append(progress.gpu_percent)
    given = os.environ.get("SLURM_MEM_PER_NODE", "")
    return Usage(
        seconds=max(seconds),
        memory=_memory_used(),
        gpu_percent=sum(percents) / len(percents) if percents else None,
        minutes_given=_time_limit(),
        memory_given=float(given) * 2**20 if given.isdigit() else None,
    )


def _memory_used() -> float | None:
    """Return the most memory that the job had: from `sstat`, else of our own processes."""
    job = slurm_job_id()
    own = [resource.getrusage(who).ru_maxrss for who in _OURS]
    sampled = None
    if job:
        command = ["sstat", "--noheader", "--parsable2", "--allsteps", "--jobs", job]
        try:
            answer = slurm.run_slurm_command([*command, "--format", "MaxRSS"])
        except UserError:  # no accounting here
            answer = ""
        sizes = [_bytes(line) for line in answer.split()]
        sampled = max((size for size in sizes if size is not None), default=None)
    # sstat samples every half minute or so: what we counted ourselves may be more.
    return max(sampled or 0.0, 1024.0 * max(own)) or None


_OURS = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _bytes(text: str) -> float | None:
    match = re.fullmatch(r"([0-9.]+)([KMGT]?)", text.strip())
    return float(match[1]) * _UNITS[match[2]] if match else None


def _time_limit() -> int | None:
    """Return the job's limit in minutes, as the queue has it."""
    job = slurm_job_id()
    if job is None:
        return None
    try:
        answer = slurm.run_slurm_command(["squeue", "--noheader", "--jobs", job, "--format", "%l"])
        return parse_time(answer.split()[0])
    except (UserError, IndexError):
        return None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
