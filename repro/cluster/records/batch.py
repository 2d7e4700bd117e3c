"""A batch: one array of runs, as a folder that is complete before the scheduler hears of it.

runs.json             the ids of its runs, element by element: one each, or several that share a job
sent.json             the array's number, as soon as SLURM has given one
…_submission.sh       exactly what was sent
JOB_INDEX_RANK_log.out, .err      what SLURM kept of each element; a requeued one appends
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from repro.definition.bounds import check_name
from repro.errors import UserError, quote
from repro.storage.atomic import create_exclusive, read_json, to_json, write_atomic
from repro.storage.paths import Places

SCHEMA = 1
REQUEUE_MARK = "REPRO_REQUEUE_MARK"  # the variable with the file that asks for a requeue
TAIL = 16_384  # bytes of a log in which SLURM's last words are looked for

# slurmstepd writes this line into the job's standard error when SLURM itself ends the job.
_ENDED_BY_SLURM = re.compile(
    r"\*\*\* (?:JOB|STEP) \S+ ON \S+ CANCELLED AT \S+(?: DUE TO ([A-Z ]+?)(?:, [^*]+)?)? \*\*\*"
)
_WHY_ENDED = {
    "": "cancelled",
    "PREEMPTION": "preempted",
    "TIME LIMIT": "time limit reached",
    "NODE FAILURE": "its node failed",
}

# srun writes this line when a task ends in any other way than by itself with exit code 0.
_TASK_ENDED = re.compile(r"^srun: error: \S+: tasks? [\d,-]+: (.+?)(?: \(core dumped\))?$", re.M)
_HOW_ENDED = {
    "Killed": "killed by SIGKILL, probably out of memory",
    "Out Of Memory": "out of memory",
    "Aborted": "aborted (SIGABRT)",
    "Segmentation fault": "segmentation fault (SIGSEGV)",
    "Bus error": "bus error (SIGBUS)",
    "User defined signal 1": "ended by SIGUSR1",
    "User defined signal 2": "ended by SIGUSR2",
}


def jobs_folder(places: Places) -> Path:
    """Return the folder of all batches."""
    return places.results / "jobs"


@dataclass(frozen=True)
class Batch:
    """One array's folder."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def elements(self) -> list[list[str]]:
        """The ids of the runs of each element; none where the batch was withdrawn."""
        record = _read_record(self.path / "runs.json")
        elements = record.get("elements", [])
        if not isinstance(elements, list) or not all(isinstance(some, list) for some in elements):
            raise _damaged(self.path / "runs.json")
        for element in elements:
            for run_id in element:
                check_name(run_id, "a run")
        return elements

    @cached_property
    def slurm_cluster(self) -> str | None:
        """What its scheduler calls its cluster; None where that was not known."""
        name = _read_record(self.path / "runs.json").get("slurm_cluster")
        return name if isinstance(name, str) else None

    @property
    def runs(self) -> list[str]:
        """The ids of its runs."""
        return list(self._indices)

    def index(self, run_id: str) -> int | None:
        """Return the element that has this run."""
        return self._indices.get(run_id)

    def beside(self, run_id: str) -> list[str]:
        """Return the runs that share a job with this one, itself included."""
        index = self.index(run_id)
        return [run_id] if index is None else self.elements[index]

    @cached_property
    def array(self) -> str | None:
        """The array's number; None while it is being sent, or where its sender was killed then."""
        record = _read_record(self.path / "sent.json")
        return str(record["array"]) if "array" in record else None

    def declare(self, elements: Iterable[Iterable[str]], about: dict[str, Any]) -> bool:
        """Write down which runs it has: once, before it is sent."""
        whole = {"schema": SCHEMA, "elements": [list(element) for element in elements]}
        return create_exclusive(self.path / "runs.json", to_json(whole | about))

    def sent(self, array: str) -> None:
        """Write down the number that SLURM gave it."""
        write_atomic(self.path / "sent.json", to_json({"schema": SCHEMA, "array": array}))

    @cached_property
    def was_sent(self) -> bool:
        """Whether SLURM got it, as far as can be seen: its sender may have been killed then."""
        return self.array is not None or any(self.path.glob("*_log.out"))

    def started(self, index: int) -> bool:
        """Whether SLURM ever started this element: it then has a log."""
        return any(self.path.glob(f"*_{index}_0_log.out"))

    def logs(self, index: int, kind: str) -> list[Path]:
        """Return what SLURM kept of one element, all ranks: kind is `out` or `err`."""
        return sorted(self.path.glob(f"*_{index}_*_log.{kind}"))

    def why_slurm_ended(self, index: int) -> str | None:
        """Return why SLURM ended this element's last start; None where it did not say so."""
        endings: list[str] = _ENDED_BY_SLURM.findall(self._last_start(index))
        if not endings:
            return None
        return _WHY_ENDED.get(endings[-1], endings[-1].lower())

    def how_task_ended(self, index: int) -> str | None:
        """Return how the process of this element's last start ended, as srun reported it."""
        endings: list[str] = _TASK_ENDED.findall(self._last_start(index))
        if not endings:
            return None
        return _HOW_ENDED.get(endings[-1], endings[-1].lower())

    def _last_start(self, index: int) -> str:
        """Return what went to standard error since the element's last banner."""
        logs = self.logs(index, "err")
        if not logs:
            return ""
        text = logs[0].read_text(errors="replace")[-TAIL:]
        return text.rpartition("── ")[2]

    @cached_property
    def _indices(self) -> dict[str, int]:
        indices = {}
        for index, element in enumerate(self.elements):
            for run_id in element:
                indices[run_id] = index
        return indices


def _read_record(path: Path) -> dict[str, Any]:
    """Return the record in a batch's folder; empty where there is no such file."""
    record = read_json(path)
    if record is None:
        return {}
    if not isinstance(record, dict):
        raise _damaged(path)
    return record


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{quote(path, 300)} is not the record of a batch",
        "it is damaged: restore it, or remove its folder and submit the runs again",
    )
