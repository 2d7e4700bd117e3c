"""`repro logs`: what a run said, chosen by its id or a pattern that means one run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from experiments.cifar10 import RESNET
from repro.cli import main
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim
from repro.cluster.status.logs import likely_cause
from repro.cluster.status.run_states import State
from repro.protocol.catalog import load_scale
from repro.storage.atomic import write_atomic
from repro.storage.paths import Folder, Places

RUN = "resnet-20.cifar10.smoke.s0-0123456789"


@pytest.fixture(autouse=True)
def _a_run(here: Places) -> None:
    write_atomic(here.run(RUN).log, b"one\ntwo\nthree\n")
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[RUN]], {"experiment": "table6"})
    take_claim(here.run(RUN), Claim.ours("one", "mine", None), None)
    (batch.path / "100_0_0_log.out").write_text("started\n")
    (batch.path / "100_0_0_log.err").write_text("slurmstepd: error\n")
    (batch.path / "100_0_1_log.err").write_text("from the second process\n")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["logs", *words])
    assert not ended.value.code
    return capsys.readouterr().out


def test_a_runs_log_and_what_slurm_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, RUN) == "one\ntwo\nthree\nstarted\n"


def test_the_last_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, RUN, "-n", "1") == "three\nstarted\n"


def test_standard_error_of_every_process_or_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, RUN, "--err") == "slurmstepd: error\nfrom the second process\n"
    assert said(capsys, RUN, "--err", "--rank", "1") == "from the second process\n"


def test_a_finished_run_ends_with_one_line_of_what_it_used(
    here: Places, finished: Callable[..., Folder], capsys: pytest.CaptureFixture[str]
) -> None:
    run = load_scale("smoke")(RESNET[20].run)
    folder = finished(run, test_error=9.0, provenance={"gpu": {"mean_percent": 91.0}})
    folder.log.write_text("one\n")
    with pytest.raises(SystemExit):
        main(["logs", run.id])
    shown = capsys.readouterr()
    assert shown.out == "one\n"
    used = "1:00:00 on cpu, 1 thread, GPU 91 % busy, 1 attempt"
    assert shown.err == f"efficiency: {used}\n"
    folder.final.write_text("[]")
    assert said(capsys, run.id) == "one\n"


def test_a_pattern_or_a_job_may_mean_one_run(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    Batch(jobs_folder(here) / "one").sent("100")
    assert said(capsys, "resnet-20*") == said(capsys, "100_0") == said(capsys, RUN)


def test_a_pattern_that_means_several_runs_is_refused(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    write_atomic(here.run(RUN.replace("s0", "s1")).log, b"")
    with pytest.raises(SystemExit) as ended:
        main(["logs", "resnet*"])
    assert ended.value.code == 2
    assert "means 2 runs" in capsys.readouterr().err


def test_an_unknown_run_is_named_with_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["logs", RUN.replace("resnet", "resent")])
    assert ended.value.code == 2
    assert f"did you mean `{RUN}`?" in capsys.readouterr().err


def test_a_run_that_has_said_nothing_says_so(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    write_atomic(here.run("quiet").definition, b"{}")
    with pytest.raises(SystemExit) as ended:
        main(["logs", "quiet"])
    assert ended.value.code == 3
    assert "has said nothing yet" in capsys.readouterr().err


def test_following_shows_what_is_appended(here: Places) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "repro.cli", "logs", RUN, "-f"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert process.stdout is not None
    try:
        assert [process.stdout.readline() for _ in range(4)] == [
            "started\n",
            "one\n",
            "two\n",
            "three\n",
        ]
        with here.run(RUN).log.open("a") as log:
            log.write("four\n")
        assert process.stdout.readline() == "four\n"
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize(
    ("words", "likely"),
    [
        (["torch.OutOfMemoryError: CUDA out of memory"], "the GPU's memory was too small"),
        (["slurmstepd: error: Detected 1 oom-kill event(s)"], "out of memory"),
        (["*** JOB 3 ON gpu1 CANCELLED AT … DUE TO TIME LIMIT ***"], "the time limit"),
        (["Error: no data set `cifar10`"], "the data set is missing"),
        (["OSError: No space left on device"], "the disk is full"),
        (["the training loss is not finite at iteration 3"], "training diverged"),
        (["CUDA-capable device(s) is/are busy or unavailable"], "its GPU admits one process only"),
        (["NCCL error: unhandled system error"], "could not reach each other"),
        (["ModuleNotFoundError: No module named 'torch'"], "environment lacks something"),
        (["srun: error: gpu1: task 0: Killed"], "killed, probably for memory"),
        (["all was well"], "its job is gone"),
    ],
)
def test_the_likely_cause_is_read_from_the_last_words(words: list[str], likely: str) -> None:
    assert likely in likely_cause(State(RUN, "lost", "its job is gone"), words)
