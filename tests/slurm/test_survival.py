"""On the real cluster: whatever ends a job, its run ends bit for bit like an unbroken one, or says
why it did not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from repro.cluster.submit.submission import SubmitOptions
from repro.storage.atomic import read_json
from tests.slurm.conftest import LOCAL, Cluster, Unbroken, long_run, short_run, until

pytestmark = pytest.mark.slurm


def test_preempted_requeued_resumed_and_equal_to_an_unbroken_run(
    cluster: Cluster, unbroken: Unbroken
) -> None:
    run = long_run()
    cluster.send(run)
    job = cluster.under_way(run)
    command = [
        "--partition=high",
        "--nodes=2",
        "--exclusive",
        "--output=/dev/null",
        "--wrap",
        "sleep 1",
    ]
    higher = cluster.slurm("sbatch", "--parsable", *command).strip()
    until(
        lambda: not cluster.slurm("squeue", "-h", "-j", higher).strip(),
        60,
        "the higher job to pass",
    )
    cluster.start_now(job)
    cluster.done(run)
    assert read_json(cluster.places.run(run.id).final)["provenance"]["attempts"] == 2
    assert "DUE TO PREEMPTION" in logs(cluster, "err")
    assert unbroken.equals(cluster.places)


def test_usr2_saves_requeues_and_ends_at_once(cluster: Cluster, unbroken: Unbroken) -> None:
    run = long_run()
    cluster.send(run)
    job = cluster.under_way(run)
    cluster.slurm("scancel", "--signal=USR2", job)
    until(
        lambda: cluster.state(run).word == "queued", 30, "the job to be queued again", cluster, run
    )
    assert "saved and requeued" in logs(cluster, "out")
    stopped = read_json(cluster.places.run(run.id).progress)
    assert stopped["state"] == "stopped"
    cluster.start_now(job)
    cluster.done(run)
    assert unbroken.equals(cluster.places)


def test_where_a_job_cannot_call_scontrol_as_in_a_container_the_script_requeues_it(
    cluster: Cluster, unbroken: Unbroken
) -> None:
    run = long_run()
    cluster.send(run, container=("env", "PATH=/nowhere"))
    job = cluster.under_way(run)
    cluster.slurm("scancel", "--signal=USR2", job)
    until(
        lambda: cluster.state(run).word == "queued", 30, "the job to be queued again", cluster, run
    )
    assert "the batch script puts it back into the queue" in logs(cluster, "out")
    cluster.start_now(job)
    cluster.done(run)
    assert unbroken.equals(cluster.places)


def test_sigterm_saves_and_waits_and_a_cancelled_run_never_comes_back_by_itself(
    cluster: Cluster, unbroken: Unbroken
) -> None:
    run = long_run()
    (sent,) = cluster.send(run)
    job = cluster.under_way(run)
    cluster.slurm("scancel", "--signal=TERM", job)
    until(lambda: "waiting for SLURM" in logs(cluster, "out"), 20, "the job to save")
    assert cluster.slurm("squeue", "-h", "-j", job, "-o", "%T").strip() == "RUNNING"
    cluster.slurm("scancel", job)
    until(lambda: cluster.state(run).word == "interrupted", 30, "the job to end", cluster, run)
    time.sleep(3)
    assert not cluster.slurm("squeue", "-h", "--name", sent.batch)
    cluster.send(run)  # asked for again, it carries on
    cluster.done(run)
    assert unbroken.equals(cluster.places)


def test_runs_that_share_a_job_save_and_carry_on_together(
    cluster: Cluster, unbroken: Unbroken
) -> None:
    runs = [long_run(seed) for seed in (0, 1)]
    (sent,) = cluster.send(*runs, pack=2)
    assert (len(sent.runs), sent.jobs) == (2, 1)
    (job,) = {cluster.under_way(run) for run in runs}
    cluster.slurm("scancel", "--signal=USR2", job)
    for run in runs:
        until(
            lambda run=run: cluster.state(run).word == "queued",
            20,
            "the job to be queued again",
            cluster,
            run,
        )
        assert read_json(cluster.places.run(run.id).progress)["state"] == "stopped"
    cluster.start_now(job)
    cluster.done(*runs)
    assert {
        read_json(cluster.places.run(run.id).final)["provenance"]["attempts"] for run in runs
    } == {2}
    assert unbroken.equals(cluster.places)


def test_killed_without_a_word_it_is_lost_not_requeued_and_carries_on_with_retry(
    cluster: Cluster, unbroken: Unbroken
) -> None:
    run = long_run()
    cluster.send(run, environment=cluster.profile.environment | {"REPRO_SAVE_EVERY": "1"})
    cluster.under_way(run)
    os.kill(read_json(cluster.places.run(run.id).progress)["pid"], signal.SIGKILL)
    until(lambda: cluster.state(run).word == "lost", 30, "the run to be lost", cluster, run)
    assert "out of memory" in cluster.state(run).reason
    assert cluster.send(run) == []
    cluster.send(run, wanted=SubmitOptions(retry=True))
    cluster.done(run)
    assert unbroken.equals(cluster.places)


def test_at_its_time_limit_a_run_is_requeued(cluster: Cluster, unbroken: Unbroken) -> None:
    run = long_run()
    cluster.send(run)
    job = cluster.under_way(run)
    # The signal comes `grace` seconds before the limit: with a limit that is nearer than that, it is due now, which is
    # when the scheduler next looks. The run holds its breath till then, so that it cannot end before.
    pid = read_json(cluster.places.run(run.id).progress)["pid"]
    os.kill(pid, signal.SIGSTOP)
    cluster.slurm("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    until(lambda: _pending(pid, signal.SIGUSR2), 90, "SLURM to send USR2", cluster, run)
    with contextlib.suppress(
        ProcessLookupError
    ):  # where SLURM woke it itself, and it has ended already
        os.kill(pid, signal.SIGCONT)
    until(
        lambda: cluster.state(run).word in ("queued", "done"),
        90,
        "the job to be queued again",
        cluster,
        run,
    )
    assert "saved and requeued" in logs(cluster, "out")
    cluster.slurm("scontrol", "update", f"JobId={job}", "TimeLimit=30")
    cluster.start_now(job)
    cluster.done(run)
    assert unbroken.equals(cluster.places)


def test_a_dead_node_loses_its_run_to_another_node_and_the_old_process_cannot_publish(
    cluster: Cluster, unbroken: Unbroken
) -> None:
    run = long_run()
    cluster.send(run, environment=cluster.profile.environment | {"REPRO_SAVE_EVERY": "1"})
    job = cluster.under_way(run)
    node = cluster.state(run).host
    folder = cluster.profile.slurm_conf.removesuffix("/slurm.conf")  # type: ignore[union-attr]
    old = read_json(cluster.places.run(run.id).progress)["pid"]
    os.kill(old, signal.SIGSTOP)  # it lives on, unreachable, and wakes up when another has its run
    try:
        with open(f"{folder}/pid/slurmd.{node}") as file:  # noqa: PTH123
            os.kill(int(file.read().split()[0]), signal.SIGKILL)
        cluster.slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        cluster.start_now(job)
        until(
            lambda: read_json(cluster.places.run(run.id).progress)["attempt"] == 2,
            60,
            "the second attempt",
        )
        os.kill(old, signal.SIGCONT)
        cluster.done(run)
    finally:
        subprocess.run([LOCAL, "up"], check=True, capture_output=True)
    assert read_json(cluster.places.run(run.id).progress)["attempt"] == 2
    assert unbroken.equals(cluster.places)


def test_a_suspended_run_is_suspended_and_completes_after_it(cluster: Cluster) -> None:
    run = long_run(seed=1)
    cluster.send(run)
    job = cluster.under_way(run)
    cluster.slurm("scontrol", "suspend", job)
    # SLURM stops the processes some seconds after it has said so; until then the run does run.
    until(lambda: cluster.state(run).word == "suspended", 30, f"{run.id} to be suspended")
    cluster.slurm("scontrol", "resume", job)
    cluster.done(run)


def test_two_nodes_train_one_run_together(cluster: Cluster) -> None:
    run = short_run()
    (sent,) = cluster.send(
        run, nodes=2, environment=cluster.profile.environment | {"GLOO_SOCKET_IFNAME": "lo"}
    )
    cluster.done(run)
    final = read_json(cluster.places.run(run.id).final)
    ranks = {
        path.name.split("_")[2]
        for path in (cluster.places.results / "jobs" / sent.batch).glob("*_log.out")
    }
    assert ranks == {"0", "1"}
    assert final["metrics"]["test_error"] <= 100
    assert len(list(cluster.places.run(run.id).path.glob("attempt-*.json"))) == 1


def test_two_nodes_requeue_together_and_carry_on(cluster: Cluster) -> None:
    run = long_run(seed=2)
    cluster.send(
        run, nodes=2, environment=cluster.profile.environment | {"GLOO_SOCKET_IFNAME": "lo"}
    )
    job = cluster.under_way(run)
    cluster.slurm("scancel", "--signal=USR2", job)
    until(
        lambda: cluster.state(run).word == "queued", 20, "the job to be queued again", cluster, run
    )
    cluster.start_now(job)
    cluster.done(run)
    assert read_json(cluster.places.run(run.id).final)["provenance"]["attempts"] == 2


def logs(cluster: Cluster, kind: str) -> str:
    return "".join(path.read_text() for path in cluster.places.results.glob(f"jobs/*/*_log.{kind}"))


def _pending(pid: int, number: signal.Signals) -> bool:
    """Whether a stopped process has been sent the signal, or was woken by it and has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    masks = [
        int(line.split()[1], 16)
        for line in status.splitlines()
        if line.startswith(("SigPnd", "ShdPnd"))
    ]
    return any(mask >> (number - 1) & 1 for mask in masks)
