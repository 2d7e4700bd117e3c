"""What a run said: its own log, and what SLURM kept of its job.

A log is followed by looking again: network disks tell nobody that a file has grown.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import newest_claim
from repro.cluster.status.run_states import State
from repro.errors import UserError
from repro.storage.paths import Places


def logs_of(run_id: str, places: Places, errors: bool = False) -> list[Path]:
    """Return the run's log files, the one to read first: its own, then SLURM's.

    With `errors` they are what went to standard error.
    """
    if errors:
        return _slurm_logs(run_id, places, "err")
    logs = [places.run(run_id).log, *_slurm_logs(run_id, places, "out")]
    return [path for path in logs if path.is_file()]


def last_lines(run_id: str, places: Places, lines: int = 20) -> list[str]:
    """Return the last lines of each log that has any, errors last."""
    last = tail(places.run(run_id).log, lines)
    own = set(last)
    for path in _slurm_logs(run_id, places, "out"):
        last += [line for line in tail(path, lines) if line not in own]
    for path in _slurm_logs(run_id, places, "err"):
        last += tail(path, lines)
    return last[-lines:]


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines that are not empty; none where no file can be read."""
    try:
        # A pipe would wait for somebody to write.
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    full = [line for line in text.splitlines() if line.strip()]
    # A log may hold whatever a library printed: nothing of it may drive the terminal.
    return ["".join(filter(str.isprintable, line)) for line in full[-lines:]]


def follow(path: Path, every: float = 1.0) -> Iterator[str]:
    """Yield the file's text, and what is appended to it, for as long as one listens."""
    position = 0
    while True:
        if path.exists():
            if path.stat().st_size < position:
                position = 0
            with path.open("rb") as file:
                file.seek(position)
                new = file.read()
            position += len(new)
            if new:
                yield new.decode(errors="replace")
        time.sleep(every)


def likely_cause(state: State, words: Iterable[str]) -> str:
    """Return the likely cause of a failure, from the last words of a run."""
    text = "\n".join([state.reason, *words]).lower()
    for signs, cause in _CAUSES:
        if any(sign in text for sign in signs):
            return cause
    return state.reason or "the log does not say"


_CAUSES = (
    (
        ("cuda out of memory", "outofmemoryerror"),
        "the GPU's memory was too small: ask for a larger GPU",
    ),
    (
        ("oom-kill", "oom_kill", "out of memory", "memoryerror"),
        "out of memory: ask for more with `--memory`",
    ),
    (
        ("due to time limit",),
        "the time limit: it carries on when sent again; `--time` asks for longer",
    ),
    (("due to preemption",), "preempted: it carries on when sent again"),
    (
        ("due to node failure", "node_fail", "node failure"),
        "its node failed: it carries on when sent again",
    ),
    (
        ("data set", "repro data prepare"),
        "the data set is missing or damaged: `repro data check` says which",
    ),
    (
        ("no space left", "disk quota", "disk full"),
        "the disk is full: free some space and send it again",
    ),
    (
        ("not finite", "non-finite", "is nan", "became nan"),
        "training diverged: the loss became NaN or infinite",
    ),
    (
        ("uncorrectable ecc",),
        "its GPU has broken memory: tell the cluster's staff, use another node",
    ),
    (("busy or unavailable",), "its GPU admits one process only: `--pack 1`, or CUDA's MPS"),
    (("nccl", "gloo", "first process of this job"), "the processes could not reach each other"),
    (
        ("modulenotfounderror", "command not found"),
        "the job's environment lacks something: see `setup` in the profile",
    ),
    (
        ("nvidia driver", "no kernel image"),
        "this torch does not fit the GPU or its driver: see `repro doctor`",
    ),
    (("cancelled at",), "it was cancelled"),
    (("killed", "signal 9"), "killed, probably for memory: ask for more with `--memory`"),
)


def _slurm_logs(run_id: str, places: Places, kind: str) -> list[Path]:
    """Return what SLURM kept of the job in which the run was last sent."""
    # Where the records of the job are damaged, which `status` says, the run's own log is left.
    with contextlib.suppress(UserError):
        claim = newest_claim(places.run(run_id))
        if claim is None:
            return []
        batch = Batch(jobs_folder(places) / claim.batch)
        index = batch.index(run_id)
        return [] if index is None else batch.logs(index, kind)
    return []
