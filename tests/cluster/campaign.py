"""A week of a cluster in minutes: `python -m tests.cluster.campaign [RUNS [SEED]]`.

A thousand runs of two experiments that share some are sent by two people at once, and trained on a
fake SLURM by simulated jobs: real claims, batches, plans, records and words; simulated are time,
nodes and training. Jobs are preempted, requeued, cancelled, suspended, killed without a word and
failed; nodes die; the controller goes down; submitters are killed in the middle.

Then it is counted how many runs were lost, how many had two jobs at once, and how often `status`
said another word than what was so.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster import slurm
from repro.cluster.profile import Profile
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.status.run_states import State, all_states
from repro.cluster.submit import sending, submission
from repro.cluster.submit.submission import SubmitOptions, make_plan, send
from repro.definition.net import resnet
from repro.definition.run import Run, to_definition
from repro.definition.verdicts_and_states import RunState
from repro.errors import UserError
from repro.storage.atomic import create_exclusive, to_json, write_atomic
from repro.storage.paths import Folder, Places
from tests.cluster.fake_slurm import FakeSlurm

HOURS = 7 * 24
NODES = 30  # jobs that run at once, of two runs each
HOURS_TO_TRAIN = 10
PATIENCE_S = 3600  # real seconds for a fake program to answer
LIVE = (RunState.QUEUED, RunState.RUNNING, RunState.SUSPENDED)

# What may happen to a running job within an hour, and how likely it is.
FATES = {
    "preempted and requeued": 0.04,
    "preempted and cancelled": 0.02,
    "at its time limit": 0.03,
    "on a node that dies, requeued": 0.02,
    "on a node that dies, not requeued": 0.01,
    "killed without a word": 0.02,
    "failed": 0.01,
    "suspended": 0.02,
}


@dataclass
class Job:
    """An element of an array, as the scheduler knows it."""

    array: str
    index: int
    batch: Batch
    run_ids: list[str]
    state: str = "PENDING"
    hours: dict[str, int] = field(default_factory=dict)  # trained, by run
    failed: set[str] = field(default_factory=set)  # runs that failed in this job

    @property
    def id(self) -> str:
        return f"{self.array}_{self.index}"

    def log(self, kind: str, text: str) -> None:
        with (self.batch.path / f"{self.id}_0_log.{kind}").open("a") as file:
            file.write(text)


@dataclass
class Figures:
    """What was counted."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Campaign:
    """The week."""

    def __init__(self, folder: Path, runs: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.slurm = FakeSlurm.install(folder / "fake-slurm")
        self.places = Places(folder / "results", folder / "figures", folder / "data")
        some = list(SCALES["smoke"](Run(resnet(8), CIFAR10)).repeated(runs))
        # Two experiments share a fifth of the runs.
        self.experiments = {"table6": some[: 3 * runs // 5], "figure6": some[2 * runs // 5 :]}
        self.runs = {run.id: run for run in some}
        self.jobs: dict[str, Job] = {}
        self.words: dict[str, RunState] = dict.fromkeys(self.runs, RunState.LACKING)
        self.down = False
        self.figures = Figures()

    def play(self) -> None:
        """Let the week pass, and then as much time as the last runs need."""
        for hour in range(4 * HOURS):
            self._controller()
            if hour % 5 == 0 or hour > HOURS:
                self._submit()
            self._take_in_arrays()
            self._start_jobs()
            for job in list(self.jobs.values()):
                if job.state == "RUNNING":
                    self._one_hour(job)
                elif job.state == "SUSPENDED" and self.random.random() < 0.5:
                    self._set(job, "RUNNING")
            self._tell_slurm()
            if hour % 4 == 0 or self.down:
                self._look()
            self.figures.counts["hours"] = hour + 1
            if all(word == RunState.DONE for word in self.words.values()):
                break
        self.down = False
        self.slurm.goes_down(False)
        self._look()

    def _controller(self) -> None:
        if self.random.random() < (0.4 if self.down else 0.04):
            self.down = not self.down
            self.slurm.goes_down(self.down)
            self.figures.counts["outages"] += self.down

    # ---- two people ----

    def _submit(self) -> None:
        """Two people submit at the same moment; now and then one is killed in the middle."""
        unsure = not self.down and self.random.random() < 0.1
        if unsure:
            self.slurm.fails("sbatch", "sbatch: error: Socket timed out on send/recv operation")
        killed_in = None
        if self.random.random() < 0.15:
            killed_in = self.random.choice(["send_array", "array_for", "Batch.sent"])
        names = list(self.experiments)
        self.random.shuffle(names)
        retry = self.random.random() < 0.5
        children = [
            self._fork(names, retry, killed_in),
            self._fork(list(reversed(names)), retry, None),
        ]
        for child in children:
            os.waitpid(child, 0)
        self.slurm.works()
        self.figures.counts["submitters"] += 2
        self.figures.counts["submitters killed"] += killed_in is not None

    def _fork(self, names: list[str], retry: bool, killed_in: str | None) -> int:
        child = os.fork()
        if child:
            return child
        code = 0
        try:
            if killed_in == "Batch.sent":
                submission.Batch.sent = _die  # type: ignore[method-assign]
            elif killed_in:
                setattr(submission, killed_in, _die)
            wanted = SubmitOptions(retry=retry)
            profile = Profile("mine", pack=2)
            experiments = {name: self.experiments[name] for name in names}
            # A few at a time, as people do: the rest waits for the next round.
            plan = make_plan(experiments, self.places, profile, wanted, 40)
            for _ in send(replace(plan, arrays=plan.arrays[:4]), self.places, profile, wanted):
                pass
        except UserError:
            code = 4
        except BaseException:
            import traceback

            traceback.print_exc()
            code = 99
        os._exit(code)

    def _take_in_arrays(self) -> None:
        """Take the arrays that SLURM has got since, and see that no run has two jobs."""
        known = {job.array for job in self.jobs.values()}
        for elements in self.slurm.arrays():
            if not elements or elements[0]["array"] in known:
                continue
            batch = Batch(jobs_folder(self.places) / elements[0]["batch"])
            self.figures.counts["arrays"] += 1
            for element in elements:
                index = element["index"]
                job = Job(element["array"], index, batch, batch.elements[index])
                self.jobs[job.id] = job
                self.figures.counts["jobs"] += 1
                for run_id in job.run_ids:
                    if self.words[run_id] == RunState.DONE:
                        self.figures.counts["sent though done"] += 1
                    self.words[run_id] = RunState.QUEUED
        holders: Counter[str] = Counter()
        for job in self.jobs.values():
            holders.update(self._unfinished(job))
        self.figures.counts["doubled"] += sum(number > 1 for number in holders.values())

    # ---- the nodes ----

    def _start_jobs(self) -> None:
        free = NODES - sum(job.state != "PENDING" for job in self.jobs.values())
        waiting = [job for job in self.jobs.values() if job.state == "PENDING"]
        for job in waiting[: max(0, free)]:
            self._set(job, "RUNNING")
            for kind in ("out", "err"):
                job.log(kind, f"── start on {self.random.randrange(NODES)} ──\n")
            for run_id in self._unfinished(job):
                folder = self.places.run(run_id)
                number = max(folder.attempts(), default=0) + 1
                record = {"attempt": number, "job": job.id, "host": f"node{number}"}
                if not create_exclusive(folder.attempt(number), to_json(record)):
                    self.figures.counts["doubled"] += 1
                folder.failed.unlink(missing_ok=True)
                self._progress(job, run_id, "running")

    def _one_hour(self, job: Job) -> None:
        for run_id in self._unfinished(job):
            job.hours[run_id] = job.hours.get(run_id, 0) + 1
            if job.hours[run_id] >= HOURS_TO_TRAIN:
                self._finish(run_id)
            else:
                self._progress(job, run_id, "running")
        if not self._unfinished(job):
            self._leave(job)
            return
        chance = self.random.random()
        for fate, likely in FATES.items():
            chance -= likely
            if chance < 0:
                self.figures.counts[fate] += 1
                self._befalls(job, fate)
                return

    def _befalls(self, job: Job, fate: str) -> None:
        """Let a fate befall a running job, and note which word is right from now on."""
        runs = self._unfinished(job)
        if fate == "suspended":
            self._set(job, "SUSPENDED")
        elif fate == "failed":
            run_id = self.random.choice(runs)
            attempt = max(self.places.run(run_id).attempts())
            record = {"state": "failed", "attempt": attempt, "problem": "the disk is full"}
            write_atomic(self.places.run(run_id).failed, to_json(record))
            self.words[run_id] = RunState.FAILED
            job.failed.add(run_id)
            if not self._unfinished(job):
                self._leave(job)
        elif fate.endswith(" requeued") and not fate.endswith("not requeued"):
            self._note(job, "PREEMPTION" if "preempted" in fate else "NODE FAILURE")
            if "preempted" in fate:
                self._stopped(job)
            self._set(job, "PENDING")
        elif fate == "at its time limit":
            self._stopped(job)
            self._set(job, "PENDING")
        else:
            self._gone(job, fate)

    def _gone(self, job: Job, fate: str) -> None:
        """End a job that does not come back by itself."""
        word = RunState.INTERRUPTED
        if fate == "preempted and cancelled":
            self._stopped(job)
            self._note(job, "PREEMPTION")
        elif fate == "killed without a word":
            word = RunState.LOST
        else:
            self._note(job, "NODE FAILURE")
        for run_id in self._unfinished(job):
            self.words[run_id] = word
        self._leave(job)

    def _note(self, job: Job, why: str) -> None:
        job.log("err", f"slurmstepd: *** JOB 1 ON n CANCELLED AT 2030-01-01 DUE TO {why} ***\n")

    def _stopped(self, job: Job) -> None:
        for run_id in self._unfinished(job):
            self._progress(job, run_id, "stopped")

    def _finish(self, run_id: str) -> None:
        run, folder = self.runs[run_id], self.places.run(run_id)
        if folder.final.exists():
            self.figures.counts["trained twice"] += 1
        record = {"id": run.id, "run": to_definition(run), "metrics": {"test_error": 50.0}}
        write_atomic(folder.final, to_json(record))
        self.words[run_id] = RunState.DONE

    def _progress(self, job: Job, run_id: str, state: str) -> None:
        folder: Folder = self.places.run(run_id)
        about: dict[str, Any] = {"state": state, "attempt": max(folder.attempts()), "pid": 1}
        about |= {"iteration": 10 * job.hours.get(run_id, 0), "host": "a-node", "job": job.id}
        write_atomic(folder.progress, to_json(about))

    def _unfinished(self, job: Job) -> list[str]:
        """Return the runs that the job still has to train: those that did not fail in it."""
        left = [run_id for run_id in job.run_ids if run_id not in job.failed]
        return [run_id for run_id in left if self.words[run_id] != RunState.DONE]

    def _set(self, job: Job, state: str) -> None:
        job.state = state
        word = {"PENDING": RunState.QUEUED, "RUNNING": RunState.RUNNING}
        for run_id in self._unfinished(job):
            self.words[run_id] = word.get(state, RunState.SUSPENDED)

    def _leave(self, job: Job) -> None:
        del self.jobs[job.id]

    def _tell_slurm(self) -> None:
        """Write down for the fake programs what waits and runs."""
        lines: dict[str, list[str]] = {}
        for path in self.slurm.folder.glob("array-*.json"):
            lines[path.stem.removeprefix("array-")] = []
        for job in self.jobs.values():
            about = {"array": job.array, "index": job.index, "batch": job.batch.name}
            line = json.dumps(about | {"state": job.state, "reason": ""})
            lines.setdefault(job.array, []).append(line)
        for array, some in lines.items():
            text = "".join(f"{line}\n" for line in some)
            (self.slurm.folder / f"array-{array}.json").write_text(text)

    # ---- what is said of it ----

    def _look(self) -> None:
        """Compare what `status` says of each run with what is so."""
        states = all_states([self.places.run(run_id) for run_id in self.runs], self.places)
        for state in states:
            self.figures.counts["words"] += 1
            if not self._is_right(state):
                truth = self.words[state.id]
                self.figures.wrong.append(f"{state.id}: {state.word} ({state.reason}), not {truth}")

    def _is_right(self, state: State) -> bool:
        if state.word == self.words[state.id]:
            return True
        # What nobody can be asked about is said to be in the queue as far as is known.
        unsure = state.word in LIVE and state.reason.endswith("scheduler unknown")
        return self.down and unsure and self.words[state.id] != RunState.DONE

    def result(self) -> dict[str, Any]:
        """Return the figures of the week."""
        counts = self.figures.counts
        lost = [run_id for run_id, word in self.words.items() if word != RunState.DONE]
        return {
            "runs": len(self.runs),
            "hours": counts["hours"],
            "arrays": counts["arrays"],
            "jobs": counts["jobs"],
            "submitters": counts["submitters"],
            "submitters_killed": counts["submitters killed"],
            "outages": counts["outages"],
            "preempted": sum(number for fate, number in counts.items() if "preempted" in fate),
            "node_deaths": sum(number for fate, number in counts.items() if "node" in fate),
            "killed": counts["killed without a word"],
            "failed": counts["failed"],
            "lost": len(lost),
            "doubled": counts["doubled"] + counts["trained twice"] + counts["sent though done"],
            "words": counts["words"],
            "wrong_words": len(self.figures.wrong),
        }


def _die(*_: object) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def campaign(runs: int = 1000, seed: int = 0, folder: Path | None = None) -> dict[str, Any]:
    """Play a week; return its figures."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="repro-campaign-") as own:
            return campaign(runs, seed, Path(own))
    kept, patience = os.environ["PATH"], (slurm.PATIENCE, sending.PATIENCE_S)
    # The fake programs always answer: one that is late on a busy machine is no controller outage.
    slurm.PATIENCE = sending.PATIENCE_S = PATIENCE_S
    sync, os.fsync = os.fsync, lambda handle: None  # no power fails in this week
    try:
        played = Campaign(folder, runs, seed)
        os.environ["PATH"] = f"{played.slurm.folder}{os.pathsep}{kept}"
        began = time.monotonic()
        played.play()
    finally:
        os.environ["PATH"], os.fsync = kept, sync
        slurm.PATIENCE, sending.PATIENCE_S = patience
    for line in played.figures.wrong[:20]:
        print(line, file=sys.stderr)
    return played.result() | {"seconds": round(time.monotonic() - began)}


def numbers(arguments: list[str]) -> Iterator[int]:
    yield from map(int, arguments)


if __name__ == "__main__":
    assert socket.gethostname() != "a-node"
    print(json.dumps(campaign(*numbers(sys.argv[1:])), indent=1))
