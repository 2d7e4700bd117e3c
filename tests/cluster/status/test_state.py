"""States: our files are the truth, one squeue call adds what waits and runs, and no SLURM is needed to read them."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import asdict, replace
from typing import Any

import pytest

from repro.cluster import slurm as slurm_queue
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim
from repro.cluster.status.state import State, all_states
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Places
from tests.cluster.fake_slurm import FakeSlurm

RUN = "resnet-20.cifar10.smoke.s0-0123456789"
PROGRESS = {
    "state": "running",
    "attempt": 2,
    "iteration": 40,
    "iterations": 200,
    "host": "gpu1",
    "pid": 1,
    "job": "100_0",
}


def state(here: Places) -> State:
    (found,) = all_states([here.run(RUN)], here)
    return found


def submitted(
    here: Places, slurm: FakeSlurm | None = None, state: str = "PENDING", started: bool = False
) -> Batch:
    """The run in a batch of one, known to SLURM as 100_0."""
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[RUN]], {"experiment": "table6"})
    batch.sent("100")
    take_claim(here.run(RUN), Claim.ours("one", "mine", None), None)
    if slurm:
        job = {"array": "100", "index": 0, "batch": "one", "state": state, "reason": "Priority"}
        (slurm.folder / "array-100.json").write_bytes(to_json(job).replace(b"\n", b"") + b"\n")
    if started:
        (batch.path / "100_0_0_log.out").touch()
    return batch


def progress(here: Places, **facts: Any) -> None:
    write_atomic(here.run(RUN).progress, to_json(PROGRESS | facts))


def test_a_run_with_a_final_record_is_done(here: Places) -> None:
    final = {
        "metrics": {"test_error": 8.75},
        "run": {"recipe": {"iterations": 200}},
        "provenance": {"attempts": 3},
    }
    write_atomic(here.run(RUN).final, to_json(final))
    found = state(here)
    assert (found.word, found.test_error, found.iteration, found.attempt) == ("done", 8.75, 200, 3)


def test_a_pending_job_is_queued_and_says_why(here: Places, slurm: FakeSlurm) -> None:
    submitted(here, slurm)
    found = state(here)
    assert (found.word, found.reason, found.job, found.cluster) == (
        "queued",
        "Priority",
        "100_0",
        "mine",
    )


def test_a_running_job_says_where_it_is(here: Places, slurm: FakeSlurm) -> None:
    submitted(here, slurm, "RUNNING")
    progress(here, eta_seconds=12.0, test_error=50.0)
    found = state(here)
    assert (found.word, found.iteration, found.iterations, found.eta_seconds) == (
        "running",
        40,
        200,
        12.0,
    )
    assert (found.host, found.elapsed, found.limit, found.attempt) == ("gpu1", "1:00", "30:00", 2)


def test_a_suspended_job_has_not_failed(here: Places, slurm: FakeSlurm) -> None:
    submitted(here, slurm, "SUSPENDED")
    assert state(here).word == "suspended"


def test_a_requeued_job_is_queued_though_it_once_failed(here: Places, slurm: FakeSlurm) -> None:
    submitted(here, slurm)
    write_atomic(here.run(RUN).failed, to_json({"state": "failed", "problem": "no data"}))
    assert state(here).word == "queued"


@pytest.mark.usefixtures("slurm")
def test_a_stopped_run_without_a_job_is_interrupted(here: Places) -> None:
    submitted(here, started=True)
    progress(here, state="stopped")
    assert (state(here).word, state(here).reason) == ("interrupted", "saved at iteration 40")


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("CANCELLED AT 2030-01-01T00:00:00", "cancelled"),
        ("CANCELLED AT 2030-01-01T00:00:00 DUE TO PREEMPTION", "preempted"),
        ("CANCELLED AT 2030-01-01T00:00:00 DUE TO TIME LIMIT", "time limit reached"),
    ],
)
def test_a_job_that_slurm_ended_is_interrupted(here: Places, said: str, reason: str) -> None:
    batch = submitted(here, started=True)
    progress(here)
    (batch.path / "100_0_0_log.err").write_text(
        f"── start 1\nslurmstepd-gpu1: error: *** JOB 3 ON gpu1 {said} ***\n"
    )
    assert (state(here).word, state(here).reason) == ("interrupted", reason)


@pytest.mark.usefixtures("slurm")
def test_a_job_that_died_without_a_word_is_lost(here: Places) -> None:
    batch = submitted(here, started=True)
    progress(here)
    early = "── start 1\nslurmstepd: error: *** JOB 3 ON gpu1 CANCELLED AT 2030 DUE TO PREEMPTION ***\n── start 2\n"
    (batch.path / "100_0_0_log.err").write_text(early)
    assert (state(here).word, state(here).reason[:14]) == ("lost", "its job ended ")


@pytest.mark.usefixtures("slurm")
def test_a_job_that_never_started_leaves_its_run_lacking(here: Places) -> None:
    submitted(here)
    assert state(here).word == "lacking"


def test_failures_keep_their_word_and_reason(here: Places) -> None:
    write_atomic(here.run(RUN).failed, to_json({"state": "diverged", "problem": "the loss is NaN"}))
    assert (state(here).word, state(here).reason) == ("diverged", "the loss is NaN")


@pytest.mark.usefixtures("no_slurm")
def test_without_a_scheduler_the_files_are_shown_and_it_says_so(here: Places) -> None:
    submitted(here)
    assert (state(here).word, state(here).reason) == ("queued", "scheduler unknown")
    progress(here)
    assert (state(here).word, state(here).iteration) == ("running", 40)


@pytest.mark.usefixtures("slurm")
def test_a_run_that_is_being_sent_says_by_whom(here: Places) -> None:
    Batch(jobs_folder(here) / "one").declare([[RUN]], {})
    take_claim(here.run(RUN), Claim.ours("one", "mine", None), None)
    assert state(here).word == "queued"
    assert f"process {os.getpid()}" in state(here).reason


def test_a_run_on_this_machine_lives_as_long_as_its_process(here: Places) -> None:
    progress(here, job=None, host=socket.gethostname(), pid=os.getpid())
    assert state(here).word == "running"
    progress(here, job=None, host=socket.gethostname(), pid=2**22 + 1)
    assert state(here).word == "interrupted"
    progress(here, job=None, host=socket.gethostname(), pid=os.getpid(), born="1")
    assert state(here).word == "interrupted"  # another process has its number now


def test_a_run_in_a_job_that_somebody_made_himself_is_known_by_its_process(here: Places) -> None:
    progress(here, job="77", host=socket.gethostname(), pid=os.getpid())
    assert (state(here).word, state(here).retriable) == ("running", False)


def test_what_a_machine_that_cannot_be_asked_once_said_is_sent_again_only_if_asked_to(
    here: Places,
) -> None:
    progress(here, job=None, host="gone")
    assert (state(here).word, state(here).retriable) == ("running", True)


def test_a_run_that_gave_up_has_failed_while_its_job_goes_on_with_others(
    here: Places, slurm: FakeSlurm
) -> None:
    submitted(here, slurm, "RUNNING")
    progress(here)
    write_atomic(
        here.run(RUN).failed, to_json({"state": "diverged", "problem": "NaN", "attempt": 2})
    )
    write_atomic(here.run(RUN).attempt(2), to_json({"job": "99_0"}))
    assert state(here).word == "running"  # the failure is of an earlier job
    write_atomic(here.run(RUN).attempt(2), to_json({"job": "100_0"}))
    assert (state(here).word, state(here).retriable) == ("diverged", True)


def test_where_users_see_their_own_jobs_only_anothers_is_not_taken_for_ended(
    here: Places, slurm: FakeSlurm
) -> None:
    batch = submitted(here, started=True)
    write_atomic(
        here.run(RUN).submitted,
        to_json(asdict(replace(Claim.ours(batch.name, "mine", None), user="ann"))),
    )
    slurm_queue.jobs_are_private.cache_clear()
    assert state(here).word == "lost"
    (slurm.folder / "config").write_text("PrivateData = accounts,jobs")
    slurm_queue.jobs_are_private.cache_clear()
    assert (state(here).word, state(here).reason) == ("queued", "scheduler unknown")
    slurm_queue.jobs_are_private.cache_clear()


def test_a_node_that_failed_is_what_ended_its_run(here: Places, slurm: FakeSlurm) -> None:
    batch = submitted(here, slurm, started=True)
    (slurm.folder / "array-100.json").unlink()
    why = "*** JOB 100 ON gpu1 CANCELLED AT 2026-11-21T17:07:02 DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***"
    (batch.path / "100_0_0_log.err").write_text(f"slurmstepd: error: {why}\n")
    assert (state(here).word, state(here).reason) == ("interrupted", "its node failed")


def test_a_damaged_record_is_named_and_the_others_are_shown(here: Places) -> None:
    write_atomic(here.run(RUN).final, b"{")
    other = here.run(RUN.replace("s0", "s1"))
    write_atomic(other.final, to_json({}))
    damaged, whole = all_states([here.run(RUN), other], here)
    assert (damaged.word, whole.word) == ("failed", "done")
    assert "cannot read" in damaged.reason


def test_two_clusters_are_asked_once_each(here: Places, slurm: FakeSlurm) -> None:
    for number, conf in enumerate((None, "/elsewhere/slurm.conf", "/elsewhere/slurm.conf")):
        run = RUN.replace("s0", f"s{number}")
        batch = Batch(jobs_folder(here) / f"batch-{number}")
        batch.declare([[run]], {})
        batch.sent(str(number))
        take_claim(here.run(run), replace(Claim.ours(batch.name, "mine", conf)), None)
    all_states([here.run(RUN.replace("s0", f"s{number}")) for number in range(3)], here)
    assert slurm.calls() == ["squeue", "squeue"]


def test_ten_thousand_runs_take_about_the_time_of_reading_them_once(here: Places) -> None:
    final = to_json(
        {
            "metrics": {"test_error": 8.75},
            "run": {"recipe": {"iterations": 200}},
            "responses": [0.5] * 19,
        }
    )
    folders = [here.run(RUN.replace("s0", f"s{number}")) for number in range(10_000)]
    for folder in folders:
        folder.path.mkdir(parents=True)
        folder.final.write_bytes(final)
    began = time.perf_counter()
    for folder in folders:
        folder.final.read_bytes()
    reading = time.perf_counter() - began
    began = time.perf_counter()
    assert len(all_states(folders, here)) == 10_000
    looking = time.perf_counter() - began
    assert looking < 0.5 + 10 * reading, (
        f"{looking:.2f} s, where reading alone takes {reading:.2f} s"
    )
