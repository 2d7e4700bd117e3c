"""Running on this machine: a few worker processes, each training one run after another.

The parent imports no torch. It tells workers which run is next, hears how each ended, and reads where they are from the
same progress files that `repro status` reads.
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
from typing import Any

from repro.definition.run import Run
from repro.errors import FAILED, RunFailed, UserError
from repro.local.last_words import record_failure
from repro.storage.atomic import read_json
from repro.storage.paths import ROOT, Places
from repro.storage.run_files import (
    KILLED,
    FileProblem,
    is_done,
    read_attempt,
    read_failure,
    write_definition,
)

KEEPING_MEMORY = {  # a step asks for the same few hundred maps again and again: keep them, in huge pages
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
}


@dataclass
class WorkerPool:
    """Worker processes on this machine, `jobs` at once; `threads` for each."""

    places: Places
    jobs: int
    threads: int
    device: str | None = None
    measure_again: bool = False
    _workers: list[subprocess.Popen[str]] = field(default_factory=list)
    _waiting: queue.Queue[str] = field(default_factory=queue.Queue)
    _events: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    _trouble: str = ""
    _at_work: dict[str, str] = field(
        default_factory=dict
    )  # run id → run id, in the order they began

    def train(
        self, runs: Sequence[Run], look: Callable[[list[str]], None]
    ) -> Iterator[dict[str, Any]]:
        """Train the runs, yielding how each ended. `look` is called about twice a second with the runs at work."""
        for run in runs:
            try:
                write_definition(self.places.run(run.id), run)
            except (RunFailed, FileProblem) as problem:
                self._events.put(_refused(run.id, problem))
            else:
                self._waiting.put(run.id)
        minders = [
            threading.Thread(target=self._mind, daemon=True)
            for _ in range(min(self.jobs, len(runs)))
        ]
        for minder in minders:
            minder.start()
        ended = set[str]()
        try:
            while len(ended) < len(runs) and (
                any(m.is_alive() for m in minders) or not self._events.empty()
            ):
                try:
                    event = self._events.get(timeout=0.5)
                except queue.Empty:
                    look(list(self._at_work))
                    continue
                ended.add(event["id"])
                yield event
            yield from (
                self._not_begun(run.id) for run in runs if self._trouble and run.id not in ended
            )
        finally:
            self.stop()
            for minder in minders:
                minder.join()

    def stop(self) -> None:
        """Let nothing new begin, and have every worker save and end."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        for worker in self._workers:
            if worker.poll() is None:
                worker.terminate()

    def _mind(self) -> None:
        """Feed one worker; what keeps it from starting is told by the others' end."""
        try:
            self._feed()
        except OSError as error:  # no process could be started, or none can be spoken with
            self._trouble = str(error)

    def _not_begun(self, run_id: str) -> dict[str, Any]:
        problem = f"no process could be started for it: {self._trouble}"
        hint = "the machine is out of processes or memory; fewer runs at once (`--jobs`) need fewer"
        return {"id": run_id, "state": "lost", "problem": problem, "hint": hint, "code": 1}

    def _feed(self) -> None:
        """Give a worker one run after another, and start a new one for the next run if it ends."""
        worker = self._worker()
        while True:
            try:
                run_id = self._waiting.get_nowait()
            except queue.Empty:
                break
            self._at_work[run_id] = run_id
            event = _ask(
                worker, {"id": run_id, "measure_again": self.measure_again, "device": self.device}
            )
            self._at_work.pop(run_id)
            self._events.put(event or self._died(worker, run_id))
            if event is None or event["state"] == "stopped" or event.get("last"):
                _close(worker)
                if self._waiting.empty():
                    return
                worker = self._worker()
        _close(worker)

    def _died(self, worker: subprocess.Popen[str], run_id: str) -> dict[str, Any]:
        """Return what is said of a worker that died, and record it where it could not itself."""
        event = _died(worker, run_id)
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
        own |= {name: value for name, value in KEEPING_MEMORY.items() if name not in os.environ}
        own |= {"REPRO_RESULTS": str(self.places.results), "REPRO_DATA": str(self.places.data)}
        worker = subprocess.Popen(
            [sys.executable, "-m", "repro.training.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | own | {"PYTHONPATH": _first(ROOT)},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then asks every worker to save
        )
        self._workers.append(worker)
        return worker


def runs_to_train(runs: Sequence[Run], places: Places) -> list[Run]:
    """The runs that are neither done here nor published."""
    return [run for run in runs if not is_done(run.id, places)]


def read_progress(run_id: str, places: Places) -> dict[str, Any]:
    """Where a run says it is; empty before its first word."""
    found: dict[str, Any] = read_json(places.run(run_id).progress) or {}
    return found


def _refused(run_id: str, problem: UserError) -> dict[str, Any]:
    """Return the event of a run that was not begun, because its folder is not its own."""
    about = {"problem": problem.problem, "hint": problem.hint, "code": FAILED}
    return {"id": run_id, "state": "failed"} | about


def _ask(worker: subprocess.Popen[str], asked: dict[str, Any]) -> dict[str, Any] | None:
    """Have the worker train a run; None if it died over it."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(asked) + "\n")
        worker.stdin.flush()
    except BrokenPipeError:
        return None
    for line in worker.stdout:  # a library may print there as well
        with contextlib.suppress(json.JSONDecodeError):
            event = json.loads(line)
            if isinstance(event, dict) and event.get("id") == asked["id"]:
                return event
    return None


def _close(worker: subprocess.Popen[str]) -> None:
    """Let it end: there is nothing more to do."""
    with contextlib.suppress(BrokenPipeError):
        worker.communicate()


def _died(worker: subprocess.Popen[str], run_id: str) -> dict[str, Any]:
    """What is said of a worker that ended without a word. The kernel kills by signal 9, and says so to nobody here."""
    resident = _resident(worker)
    code = worker.wait()
    killed = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    hint = "the same command carries on from the last checkpoint"
    if code == -signal.SIGKILL:
        killed += f", probably out of memory{resident}"
        hint += "; fewer runs at once (`--jobs`) need less memory"
    return {
        "id": run_id,
        "state": "lost",
        "problem": f"its process {killed}",
        "hint": hint,
        "code": 1,
    }


def _resident(worker: subprocess.Popen[str]) -> str:
    """The most memory that the process had, and what there is, once it has ended; nothing where nobody counted."""
    try:
        _, status, used = os.wait4(worker.pid, 0)
    except ChildProcessError:
        return ""
    worker.returncode = os.waitstatus_to_exitcode(status)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(
        OSError, ValueError
    ):  # of a container, or of a job; `max` where there is no limit
        there = min(there, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return f": it had {used.ru_maxrss * 1024 / 2**30:.1f} of {there / 2**30:.1f} GiB"


def _first(folder: Path) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
