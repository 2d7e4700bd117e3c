"""States: our files are the truth, one squeue call adds what waits and runs, and no SLURM is needed
to read them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import Any

import pytest
from msgspec import structs

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster import slurm as slurm_queue
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim
from repro.cluster.status.run_records import read_records
from repro.cluster.status.run_states import State, all_states, judge
from repro.definition.net import resnet
from repro.definition.run import Run, to_definition
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Places
from repro.storage.pid import started_at
from repro.storage.run_files import write_definition
from tests.cluster.fake_slurm import FakeSlurm

RUNS = list(SCALES["smoke"](Run(resnet(20), CIFAR10)).repeated(3))
RUN = RUNS[0].id
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


def finish(here: Places, run: Run, test_error: float = 8.75) -> None:
    """Leave the final record of a run."""
    write_definition(here.run(run.id), run)
    metrics = {"test_error": test_error}
    final = {"id": run.id, "run": to_definition(run), "metrics": metrics}
    write_atomic(here.run(run.id).final, to_json(final | {"provenance": {"attempts": 3}}))


def test_a_run_with_a_final_record_is_done(here: Places) -> None:
    finish(here, RUNS[0])
    found = state(here)
    iterations = RUNS[0].recipe.iterations
    assert (found.word, found.test_error, found.iteration, found.attempt) == (
        "done",
        8.75,
        iterations,
        3,
    )


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


def test_a_run_on_another_cluster_is_not_taken_for_ended_by_the_scheduler_here(
    here: Places, slurm: FakeSlurm
) -> None:
    """Two clusters share a folder of results, and each scheduler knows its own jobs only."""
    slurm_queue.cluster_name.cache_clear()
    (slurm.folder / "config").write_text("ClusterName = hopper")
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[RUN]], {"experiment": "table6", "slurm_cluster": "alps"})
    batch.sent("100")
    take_claim(here.run(RUN), Claim.ours("one", "mine", None), None)
    assert (state(here).word, state(here).reason) == ("queued", "scheduler unknown")
    slurm_queue.cluster_name.cache_clear()
    (slurm.folder / "config").write_text("ClusterName = alps")
    assert state(here).word == "lacking"
    slurm_queue.cluster_name.cache_clear()


@pytest.mark.usefixtures("slurm")
def test_a_sender_on_another_machine_is_told_with_what_frees_the_run(here: Places) -> None:
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[RUN]], {"experiment": "table6"})
    take_claim(here.run(RUN), structs.replace(Claim.ours("one", "mine", None), host="login2"), None)
    assert "if that process has ended, `repro submit` on login2 sends" in state(here).reason


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
        to_json(structs.asdict(structs.replace(Claim.ours(batch.name, "mine", None), user="ann"))),
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
    finish(here, RUNS[1])
    damaged, whole = all_states([here.run(RUN), here.run(RUNS[1].id)], here)
    assert (damaged.word, whole.word) == ("failed", "done")
    assert "final.json is damaged" in damaged.reason


@pytest.mark.parametrize("content", [b"[]", b"[" * 100_000, b'{"metrics": -5}', b"null", b"\xff"])
@pytest.mark.parametrize("name", ["final", "failed", "progress", "submitted"])
def test_no_content_of_a_record_hides_the_other_runs(
    here: Places, name: str, content: bytes
) -> None:
    write_definition(here.run(RUN), RUNS[0])
    write_atomic(getattr(here.run(RUN), name), content)
    finish(here, RUNS[1])
    damaged, whole = all_states([here.run(RUN), here.run(RUNS[1].id)], here)
    assert whole.word == "done"
    assert damaged.word in ("failed", "running")


def test_two_clusters_are_asked_once_each(here: Places, slurm: FakeSlurm) -> None:
    for number, conf in enumerate((None, "/elsewhere/slurm.conf", "/elsewhere/slurm.conf")):
        run = RUNS[number].id
        batch = Batch(jobs_folder(here) / f"batch-{number}")
        batch.declare([[run]], {})
        batch.sent(str(number))
        take_claim(here.run(run), Claim.ours(batch.name, "mine", conf), None)
    all_states([here.run(run.id) for run in RUNS], here)
    assert slurm.calls() == ["squeue", "squeue"]


def test_two_thousand_runs_are_read_in_seconds(here: Places) -> None:
    runs = list(RUNS[0].repeated(2000))
    for run in runs:
        finish(here, run)
    began = time.process_time()
    assert len(all_states([here.run(run.id) for run in runs], here)) == 2000
    assert time.process_time() - began < 6


@pytest.mark.usefixtures("slurm")
def test_a_process_of_this_machine_is_believed_before_the_scheduler(here: Places) -> None:
    """A run whose process is alive here is running, though its job is said to be over."""
    submitted(here, started=True)
    progress(here, host=socket.gethostname(), pid=os.getpid())
    assert (state(here).word, state(here).retriable) == ("running", False)


@pytest.mark.usefixtures("no_slurm")
def test_a_process_that_has_ended_is_not_running_though_nobody_can_be_asked(here: Places) -> None:
    submitted(here)
    progress(here, host=socket.gethostname(), pid=2**22 + 1)
    assert state(here).word == "queued"
    assert state(here).reason == "its process has ended; scheduler unknown"


def test_a_zombie_is_not_alive(here: Places) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended and nobody has asked
    progress(here, job=None, host=socket.gethostname(), pid=child.pid)
    assert (state(here).word, state(here).reason) == ("interrupted", "its process has ended")
    child.wait()


def test_a_stopped_process_is_suspended_and_says_what_lets_it_go_on(here: Places) -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        progress(here, job=None, host=socket.gethostname(), pid=child.pid)
        assert state(here).word == "suspended"
        assert f"`kill -CONT {child.pid}`" in state(here).reason
    finally:
        child.kill()
        child.wait()


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize(
    ("ending", "how"),
    [
        ("User defined signal 1", "ended by SIGUSR1"),
        ("Killed", "killed by SIGKILL, probably out of memory"),
        ("Aborted (core dumped)", "aborted (SIGABRT)"),
        ("Exited with exit code 3", "exited with exit code 3"),
    ],
)
def test_how_the_process_of_a_job_ended_is_said_in_srun_s_words(
    here: Places, ending: str, how: str
) -> None:
    batch = submitted(here, started=True)
    progress(here)
    log = f"── start 1 ──\nsrun: error: gpu1: task 0: {ending}\n"
    (batch.path / "100_0_0_log.err").write_text(log)
    assert (state(here).word, state(here).reason) == ("lost", f"its job ended: {how}")


def test_a_sender_that_sends_and_is_killed_after_the_queue_was_asked_has_sent(here: Places) -> None:
    """Sent a second time, the run would have two jobs: nobody would look at the queue again."""
    sender = subprocess.Popen(["sleep", "60"])
    try:
        batch = Batch(jobs_folder(here) / "one")
        batch.path.mkdir(parents=True)
        claim = Claim.ours("one", "mine", None)
        claim = structs.replace(claim, pid=sender.pid, born=started_at(sender.pid))
        take_claim(here.run(RUN), claim, None)
        for declared in (False, True):
            if declared:
                batch.declare([[RUN]], {"experiment": "table6"})
            files = read_records(here.run(RUN), here, {})
            live: slurm_queue.Live = {}  # the queue is asked, and then the sender sends
            if declared:
                (batch.path / "100_0_0_log.out").touch()
                sender.kill()
                sender.wait()
            seen = judge(files, live)
            assert (seen.rule.name, seen.state.word) == ("being sent", "queued")
    finally:
        sender.kill()
        sender.wait()
    assert judge(read_records(here.run(RUN), here, {}), {}).state.word == "lost"
