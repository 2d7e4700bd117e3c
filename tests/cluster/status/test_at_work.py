"""`repro run` takes nothing away from a process that is at work, here or on another machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from typing import Any

import pytest

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim
from repro.cluster.status import at_work
from repro.cluster.status.at_work import refuse_if_at_work
from repro.cluster.status.run_states import all_states
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.errors import RunFailed
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Places
from repro.storage.pid import started_at
from tests.cluster.fake_slurm import FakeSlurm

RUN = SCALES["smoke"](Run(resnet(8), CIFAR10)).id
DOWN = "squeue: error: Unable to contact slurm controller (connect failure)"


@pytest.fixture(autouse=True)
def _short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "WATCH_S", 0.6)
    monkeypatch.setattr(at_work, "LOOK_EVERY_S", 0.05)


def progress(here: Places, **facts: Any) -> None:
    about = {"state": "running", "attempt": 1, "iteration": 40, "beat": 1, "job": None}
    here_and_now = {"host": socket.gethostname(), "pid": os.getpid()}
    here_and_now |= {"born": started_at(os.getpid())}
    write_atomic(here.run(RUN).progress, to_json(about | here_and_now | facts))


def told(here: Places) -> list[str]:
    lines: list[str] = []
    refuse_if_at_work([RUN], here, lines.append)
    return lines


def test_a_living_process_is_refused_though_the_scheduler_does_not_answer(
    here: Places, slurm: FakeSlurm
) -> None:
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[RUN]], {})
    batch.sent("100")
    take_claim(here.run(RUN), Claim.ours("one", "mine", None), None)
    progress(here, job="100_0")
    slurm.fails("squeue", DOWN)
    with pytest.raises(RunFailed, match="is running: ") as refused:
        told(here)
    assert f"`repro cancel {RUN}`" in refused.value.hint


def test_a_local_process_is_not_taken_for_the_job_in_which_the_run_was_once_sent(
    here: Places, slurm: FakeSlurm
) -> None:
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[RUN]], {})
    batch.sent("100")
    take_claim(here.run(RUN), Claim.ours("one", "mine", None), None)
    progress(here)  # `repro run` trains it now
    with pytest.raises(RunFailed, match=f"process {os.getpid()} on ") as refused:
        told(here)
    assert "repro cancel" not in refused.value.hint
    (state,) = all_states([here.run(RUN)], here)
    assert (state.job, state.cluster) == (None, None)


def test_a_job_that_has_just_started_is_refused_before_it_wrote_a_word(
    here: Places, slurm: FakeSlurm
) -> None:
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[RUN]], {})
    batch.sent("100")
    take_claim(here.run(RUN), Claim.ours("one", "mine", None), None)
    job = {"array": "100", "index": 0, "batch": "one", "state": "RUNNING", "reason": "None"}
    (slurm.folder / "array-100.json").write_bytes(to_json(job).replace(b"\n", b"") + b"\n")
    with pytest.raises(RunFailed, match="is running: "):
        told(here)


def test_a_stopped_process_is_told_to_go_on_before_it_is_ended(here: Places) -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        progress(here, pid=child.pid, born=started_at(child.pid))
        with pytest.raises(RunFailed, match="is suspended") as refused:
            told(here)
        assert f"`kill {child.pid}; kill -CONT {child.pid}`" in refused.value.hint
    finally:
        child.kill()
        child.wait()


def test_a_run_on_another_host_whose_beat_moves_is_refused(here: Places) -> None:
    progress(here, host="elsewhere", beat=1)
    beat = threading.Timer(0.2, progress, [here], {"host": "elsewhere", "beat": 2})
    beat.start()
    try:
        with pytest.raises(RunFailed, match="is running on elsewhere: its beat moves"):
            told(here)
    finally:
        beat.join()


def test_a_run_on_another_host_that_does_not_move_is_taken_over_and_that_is_said(
    here: Places,
) -> None:
    progress(here, host="elsewhere")
    first, last = told(here)
    assert "1 run is said to be running on elsewhere" in first
    assert last == f"taking over {RUN}: nothing moved on elsewhere"


def test_what_has_ended_or_never_began_is_taken_at_once(here: Places) -> None:
    assert told(here) == []
    progress(here, pid=2**22 + 1)
    assert told(here) == []
    progress(here, state="stopped", host="elsewhere")
    assert told(here) == []
