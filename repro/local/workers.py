"""Running on this machine: a few worker processes, each training one run after another.

The parent imports no torch. It tells workers which run is next, hears how each ended, and reads
where they are from the same progress files that `repro status` reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from repro.cost.memory import GIB, memory_here
from repro.definition.run import Run
from repro.errors import FAILED, RunFailed, UserError
from repro.local.death_record import record_failure
from repro.provenance.slurm_job import slurm_job_id
from repro.storage.paths import ROOT, Places
from repro.storage.run_files import KILLED, is_done, read_attempt, read_failure, write_definition
from repro.storage.typed_file import FileProblem

# A step asks for the same few hundred maps again and again: keep them, in huge pages.
KEEPING_MEMORY = {
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
}


class _EndOfRun(TypedDict):
    id: str
    state: str  # done, failed, stopped, superseded, or lost: its process died


class RunEnd(_EndOfRun, total=False):
    """How a run on this machine ended."""

    problem: str
    hint: str
    code: int  # the exit code that belongs to the problem
    last: bool  # the worker ends after this run


@dataclass
class WorkerPool:
    """Worker processes on this machine: `jobs` at once, with `threads` each."""

    places: Places
    jobs: int
    threads: int
    device: str | None = None
    measure_again: bool = False
    _workers: list[subprocess.Popen[str]] = field(default_factory=list)
    _waiting: queue.Queue[str] = field(default_factory=queue.Queue)
    _events: queue.Queue[RunEnd] = field(default_factory=queue.Queue)
    _start_problem: str = ""
    _stopping: bool = False
    _at_work: dict[str, None] = field(default_factory=dict)  # run ids, in the order they began

    def train(self, runs: Sequence[Run], on_tick: Callable[[list[str]], None]) -> Iterator[RunEnd]:
        """Train the runs and yield how each ended.

        `on_tick` is called about twice a second with the ids of the runs at work.
        """
        for run in runs:
            try:
                write_definition(self.places.run(run.id), run)
            except (RunFailed, FileProblem) as problem:
                self._events.put(_refused(run.id, problem))
            else:
                self._waiting.put(run.id)
        minders = []
        for _ in range(min(self.jobs, len(runs))):
            minder = threading.Thread(target=self._mind, daemon=True)
            minder.start()
            minders.append(minder)
        try:
            yield from self._events_until_done(runs, minders, on_tick)
        finally:
            self.stop()
            for minder in minders:
                minder.join()

    def _events_until_done(
        self,
        runs: Sequence[Run],
        minders: Sequence[threading.Thread],
        on_tick: Callable[[list[str]], None],
    ) -> Iterator[RunEnd]:
        ended = set[str]()
        while len(ended) < len(runs):
            if self._events.empty() and not any(minder.is_alive() for minder in minders):
                break
            try:
                event = self._events.get(timeout=0.5)
            except queue.Empty:
                on_tick(list(self._at_work))
                continue
            ended.add(event["id"])
            yield event
        # Without a problem, what has not ended was stopped before it began.
        not_begun = [run.id for run in runs if run.id not in ended and self._start_problem]
        for run_id in not_begun:
            yield self._not_begun(run_id)

    def stop(self) -> None:
        """Let nothing new begin, and have every worker save and end."""
        self._stopping = True
        while not self._waiting.empty():
            self._waiting.get_nowait()
        for worker in self._workers:
            if worker.poll() is None:
                worker.terminate()

    def _mind(self) -> None:
        """Feed one worker; remember what keeps it from starting."""
        try:
            self._feed()
        except OSError as error:  # no process could be started, or none can be reached
            self._start_problem = str(error)

    def _not_begun(self, run_id: str) -> RunEnd:
        """Return what is said of a run for which there was no process, and record it."""
        problem = f"no process could be started for it: {self._start_problem}"
        hint = "the machine is out of processes or memory; fewer runs at once (`--jobs`) need fewer"
        record_failure(self.places.run(run_id), problem, hint, job=slurm_job_id())
        return {"id": run_id, "state": "lost", "problem": problem, "hint": hint, "code": 1}

    def _feed(self) -> None:
        """Give a worker one run after another, and start a new one for the next run if it ends."""
        worker = self._worker()
        while True:
            try:
                run_id = self._waiting.get_nowait()
            except queue.Empty:
                break
            self._at_work[run_id] = None
            order = {"id": run_id, "measure_again": self.measure_again, "device": self.device}
            event = _ask(worker, order)
            self._at_work.pop(run_id)
            self._events.put(event or self._died(worker, run_id))
            if event is None or event["state"] == "stopped" or event.get("last"):
                _close(worker)
                if self._waiting.empty():
                    return
                worker = self._worker()
        _close(worker)

    def _died(self, worker: subprocess.Popen[str], run_id: str) -> RunEnd:
        """Return what is said of a worker that died, and record it where it could not itself."""
        event = _died(worker, run_id)
        # Python itself takes a moment to start, and a signal that early finds no handler.
        if self._stopping and worker.returncode == -signal.SIGTERM:
            return event | {"state": "stopped", "problem": "stopped before it began"}
        folder = self.places.run(run_id)
        with contextlib.suppress(UserError):
            recorded = read_failure(folder)
            attempt = read_attempt(folder, recorded.attempt or 0) if recorded else None
            if recorded and attempt and attempt.pid == worker.pid:
                return event | {"problem": recorded.problem, "hint": recorded.hint}
        record_failure(folder, event["problem"], event["hint"], cause=KILLED)
        return event

    def _worker(self) -> subprocess.Popen[str]:
        own = {
            "REPRO_THREADS": str(self.threads),
            "OMP_NUM_THREADS": str(self.threads),
            "PYTHONUNBUFFERED": "1",
        }
        for name, value in KEEPING_MEMORY.items():
            if name not in os.environ:
                own[name] = value
        own |= {"REPRO_RESULTS": str(self.places.results), "REPRO_DATA": str(self.places.data)}
        worker = subprocess.Popen(
            [sys.executable, "-m", "repro.training.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | own | {"PYTHONPATH": _first_on_path(ROOT)},
            # Ctrl-C reaches the parent alone, which then asks every worker to save.
            start_new_session=True,
        )
        self._workers.append(worker)
        return worker


def runs_to_train(runs: Sequence[Run], places: Places) -> list[Run]:
    """Return the runs that are neither done here nor published."""
    return [run for run in runs if not is_done(run.id, places)]


def _refused(run_id: str, problem: UserError) -> RunEnd:
    """Return the event of a run that was not begun, because its folder is not its own."""
    end: RunEnd = {"id": run_id, "state": "failed", "problem": problem.problem}
    return end | {"hint": problem.hint, "code": FAILED}


def _ask(worker: subprocess.Popen[str], order: dict[str, Any]) -> RunEnd | None:
    """Have the worker train a run; return None if it died over it."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        return None
    for line in worker.stdout:  # a library may print there as well
        with contextlib.suppress(json.JSONDecodeError):
            event: RunEnd = json.loads(line)
            if isinstance(event, dict) and event.get("id") == order["id"]:
                return event
    return None


def _close(worker: subprocess.Popen[str]) -> None:
    """Let the worker end: there is nothing more to do."""
    with contextlib.suppress(BrokenPipeError):
        worker.communicate()


def _died(worker: subprocess.Popen[str], run_id: str) -> RunEnd:
    """Return what is known of a worker that ended without an answer."""
    memory = _peak_memory(worker)
    code = worker.wait()
    cause = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    hint = "the same command carries on from the last checkpoint"
    # Out of memory, the kernel kills by signal 9 and tells nobody here.
    if code == -signal.SIGKILL:
        cause += f", probably out of memory{memory}"
        hint += "; fewer runs at once (`--jobs`) need less memory"
    problem = f"its process {cause}"
    return {"id": run_id, "state": "lost", "problem": problem, "hint": hint, "code": 1}


def _peak_memory(worker: subprocess.Popen[str]) -> str:
    """Return, once it has ended, the most memory that a process had, and what there is."""
    try:
        _, status, used = os.wait4(worker.pid, 0)
    except ChildProcessError:
        return ""
    worker.returncode = os.waitstatus_to_exitcode(status)
    return f": it had {used.ru_maxrss * 1024 / GIB:.1f} of {memory_here() / GIB:.1f} GiB"


def _first_on_path(folder: Path) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
