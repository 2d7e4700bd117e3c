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
from repro.storage.atomic import create_exclusive, read_json, to_json, write_atomic
from repro.storage.paths import Places

SCHEMA = 1

_ENDED = re.compile(
    r"\*\*\* (?:JOB|STEP) \S+ ON \S+ CANCELLED AT \S+(?: DUE TO ([A-Z ]+?)(?:, [^*]+)?)? \*\*\*"
)
_WORDS = {
    "": "cancelled",
    "PREEMPTION": "preempted",
    "TIME LIMIT": "time limit reached",
    "NODE FAILURE": "its node failed",
}


def jobs_folder(places: Places) -> Path:
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
        record = read_json(self.path / "runs.json") or {}
        single = [
            [run] for run in record.get("runs", [])
        ]  # how it was written before runs could share a job
        elements = record.get("elements", single)
        return [[check_name(run, "a run") for run in element] for element in elements]

    @property
    def runs(self) -> list[str]:
        """The ids of its runs."""
        return list(self._indices)

    def index(self, run_id: str) -> int | None:
        """The element that has this run."""
        return self._indices.get(run_id)

    def beside(self, run_id: str) -> list[str]:
        """The runs that share a job with this one, itself included."""
        index = self.index(run_id)
        return [run_id] if index is None else self.elements[index]

    @cached_property
    def array(self) -> str | None:
        """The array's number; None while it is being sent, or if whoever sent it was killed in that moment."""
        record = read_json(self.path / "sent.json")
        return str(record["array"]) if record else None

    def declare(self, elements: Iterable[Iterable[str]], about: dict[str, Any]) -> bool:
        """Write down which runs it has: once, before it is sent."""
        whole = {"schema": SCHEMA, "elements": [list(element) for element in elements]}
        return create_exclusive(self.path / "runs.json", to_json(whole | about))

    def sent(self, array: str) -> None:
        write_atomic(self.path / "sent.json", to_json({"schema": SCHEMA, "array": array}))

    def started(self, index: int) -> bool:
        """Whether SLURM ever started this element: it then has a log."""
        return any(self.path.glob(f"*_{index}_0_log.out"))

    def logs(self, index: int, kind: str) -> list[Path]:
        """What SLURM kept of one element, all ranks: kind is `out` or `err`."""
        return sorted(self.path.glob(f"*_{index}_*_log.{kind}"))

    def slurm_says(self, index: int) -> str | None:
        """SLURM's word on how the last start of this element was ended: cancelled, preempted; None if it said none."""
        text = "".join(
            path.read_text(errors="replace")[-16_384:] for path in self.logs(index, "err")[:1]
        )
        found = _ENDED.findall(text.rpartition("── ")[2])
        return _WORDS.get(found[-1], found[-1].lower()) if found else None

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {run: index for index, element in enumerate(self.elements) for run in element}
