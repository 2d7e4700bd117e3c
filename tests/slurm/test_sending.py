"""On the real cluster: what is sent arrives once, and what SLURM refuses is said in its words."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from repro.cluster.status.run_states import all_states
from repro.cluster.submit.report_job import send_report
from repro.cluster.submit.submission import SubmitOptions, make_plan, slurm_verdicts
from repro.errors import UserError
from repro.storage.atomic import read_json
from repro.storage.paths import ROOT
from tests.slurm.conftest import LOCAL, Cluster, long_run, short_run, until

pytestmark = pytest.mark.slurm


def test_an_array_is_trained_and_sending_again_sends_nothing(cluster: Cluster) -> None:
    runs = [short_run(seed) for seed in range(2)]
    (sent,) = cluster.send(*runs)
    assert cluster.state(runs[0]).word in ("queued", "running")
    assert cluster.send(*runs) == []
    cluster.done(*runs)
    assert cluster.send(*runs) == []
    assert read_json(cluster.places.run(runs[0].id).final)["provenance"]["job"] == f"{sent.array}_0"
    batch = cluster.places.results / "jobs" / sent.batch
    (log,) = batch.glob("*_0_0_log.out")
    assert f"code {read_json(batch / 'runs.json')['code']}" in log.read_text()


def test_the_report_is_written_when_the_runs_have_ended_also_those_that_were_requeued(
    cluster: Cluster,
) -> None:
    long, short = long_run(), short_run()
    (sent,) = cluster.send(long, short)
    waiting = send_report("smoke", [sent.array], (), cluster.places, cluster.profile)
    assert waiting is not None
    job = cluster.under_way(long)
    cluster.slurm("scontrol", "requeue", job)  # an end that is none
    cluster.start_now(job)
    cluster.done(long, short)
    report = cluster.places.report
    until(report.exists, 240, "the report")
    finals = [cluster.places.run(run.id).final for run in (long, short)]
    assert all(final.stat().st_mtime <= report.stat().st_mtime for final in finals)
    assert cluster.places.frame.exists()


def test_of_many_submitters_at_once_each_run_gets_one_job(cluster: Cluster) -> None:
    script = """
import sys
from dataclasses import replace
from repro.cluster.profile import load_profile
from repro.storage.paths import ROOT, places
from tests.slurm.conftest import Cluster, short_run
cluster = Cluster(load_profile("local-cluster", ROOT / "slurm"), places())
sys.stdin.readline()
cluster.send(*(short_run(seed) for seed in range(3)), sbatch={"hold": True})
"""
    submitters = [
        subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(6)
    ]
    for submitter in submitters:
        submitter.communicate("go\n", timeout=120)
    names = [path.parent.name for path in cluster.places.results.glob("jobs/*/sent.json")]
    said = cluster.slurm("squeue", "-h", "--array", "--name", ",".join(names), "-o", "%i")
    assert len(said.split()) == 3
    assert {cluster.state(short_run(seed)).word for seed in range(3)} == {"queued"}


def test_the_same_runs_sent_from_two_folders_are_two_jobs_and_each_knows_its_own(
    cluster: Cluster,
) -> None:
    run, elsewhere = (
        short_run(),
        replace(cluster.places, results=cluster.places.results / "elsewhere"),
    )
    both = [cluster, replace(cluster, places=elsewhere)]
    jobs = [folder.send(run, sbatch={"hold": True})[0] for folder in both]
    assert jobs[0].batch != jobs[1].batch
    assert [folder.state(run).job for folder in both] == [f"{job.array}_0" for job in jobs]
    cluster.slurm("scancel", jobs[0].array)
    assert [folder.state(run).word for folder in both] == ["lacking", "queued"]
    cluster.slurm("scancel", jobs[1].array)


def test_a_job_of_the_same_name_is_not_taken_for_ours(cluster: Cluster) -> None:
    (sent,) = cluster.send(short_run(), sbatch={"hold": True})
    another = [
        "--parsable",
        "--hold",
        "--array=0-0",
        "--output=/dev/null",
        f"--job-name={sent.batch}",
    ]
    array = cluster.slurm("sbatch", *another, "--wrap", "true").strip()
    assert cluster.state(short_run()).job == f"{sent.array}_0"
    cluster.slurm("scancel", sent.array)
    assert cluster.state(short_run()).word == "lacking"
    assert array in cluster.slurm("squeue", "-h", "--array", "--name", sent.batch, "-o", "%F")


def test_a_bad_partition_fails_at_submission_in_slurms_words(cluster: Cluster) -> None:
    with pytest.raises(
        UserError, match=r"SLURM refuses it: .*invalid partition specified: nowhere"
    ):
        cluster.send(short_run(), partition="nowhere")
    assert not list(cluster.places.runs.iterdir())
    assert not list(cluster.places.results.glob("jobs/*"))


def test_test_only_relays_slurms_verdict_and_sends_nothing(cluster: Cluster) -> None:
    planned = make_plan(
        {"table6": [short_run()]}, cluster.places, cluster.profile, SubmitOptions(), 1001
    )
    (said,) = slurm_verdicts(planned, cluster.places, cluster.profile)
    assert "to start at" in said
    assert not cluster.places.results.exists()


def test_a_thousand_runs_are_one_sbatch_and_one_squeue(cluster: Cluster) -> None:
    runs = [short_run(seed) for seed in range(1000)]
    began = time.monotonic()
    (sent,) = cluster.send(*runs, sbatch={"hold": True}, max_parallel=3)
    sending = time.monotonic() - began
    began = time.monotonic()
    found = all_states([cluster.places.run(run.id) for run in runs], cluster.places)
    looking = time.monotonic() - began
    assert len(sent.runs) == 1000
    assert {state.word for state in found} == {"queued"}
    assert "%3" in cluster.slurm("squeue", "-h", "--name", sent.batch, "-o", "%i")
    assert sending < 60, f"{sending:.1f} s to send, {looking:.1f} s to look"
    assert looking < 10
    print(f"1,000 runs: {sending:.1f} s to send, {looking:.2f} s for the state of all")


def test_without_accounting_everything_works_and_down_ends_its_own_alone(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_LOCAL_CLUSTER", str(tmp_path / "second"))
    monkeypatch.setenv("REPRO_LOCAL_CLUSTER_PORT", "18100")
    conf = str(tmp_path / "second" / "slurm.conf")
    try:
        for _ in range(2):  # the second time finds it up
            up = subprocess.run(
                [LOCAL, "up", "--no-accounting"], capture_output=True, text=True, check=True
            )
            assert f"export SLURM_CONF={conf}" in up.stdout
        sacct = subprocess.run(
            ["sacct"],
            env={"SLURM_CONF": conf, "PATH": "/usr/bin"},
            capture_output=True,
            check=False,
        )
        assert sacct.returncode != 0
        cluster.send(short_run(), slurm_conf=conf)
        cluster.done(short_run())
    finally:
        subprocess.run([LOCAL, "down"], capture_output=True, check=True)
    assert not (tmp_path / "second").exists()
    assert subprocess.run([LOCAL, "down"], capture_output=True, check=True).returncode == 0
    monkeypatch.delenv("REPRO_LOCAL_CLUSTER")
    assert subprocess.run([LOCAL, "status"], capture_output=True, check=False).returncode == 0
