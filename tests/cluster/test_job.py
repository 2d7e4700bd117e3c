"""The job itself: what it does about signals, about a withdrawn batch, and about a run that makes no progress."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repro.cluster import job
from repro.cluster.batch import Batch
from repro.cluster.job import RESUMABLE, STALLED, Signals, requeue, stalled


@pytest.fixture
def _handlers_restored():
    before = {each: signal.getsignal(each) for each in (signal.SIGUSR2, signal.SIGTERM)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("_handlers_restored")
def test_a_signal_raises_a_flag_and_the_first_one_counts() -> None:
    signals = Signals()
    os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGTERM)
    assert signals.reason == "SIGUSR2"


@pytest.mark.usefixtures("_handlers_restored")
def test_a_forked_child_does_not_raise_it() -> None:
    signals = Signals()
    signals._owner += 1
    os.kill(os.getpid(), signal.SIGUSR2)
    assert signals.reason is None


def test_a_run_that_finds_the_same_checkpoint_again_and_again_is_stalled(tmp_path: Path) -> None:
    starts, checkpoint = tmp_path / "0.starts", tmp_path / "checkpoint.pt"
    found = [stalled(starts, checkpoint) for _ in range(STALLED + 1)]
    assert found == [False] * STALLED + [True]
    checkpoint.write_bytes(b"weights" + b"d" * 32)
    assert not stalled(starts, checkpoint)


def test_a_run_that_moves_may_start_for_ever(tmp_path: Path) -> None:
    starts, checkpoint = tmp_path / "0.starts", tmp_path / "checkpoint.pt"
    for number in range(20):
        checkpoint.write_bytes(b"weights" + f"{number:032}".encode())
        assert not stalled(starts, checkpoint)


def scontrol(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "scontrol").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_requeueing_means_this_element_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scontrol(tmp_path, f'echo "$@" > {tmp_path}/said', monkeypatch)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    assert requeue() == 0
    assert (tmp_path / "said").read_text() == "requeue 12_3\n"


@pytest.mark.parametrize("script", ["echo Requeue of this job is disabled >&2; exit 1", None])
def test_where_requeueing_fails_the_run_is_resumable_and_says_so(
    script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    if script:
        scontrol(tmp_path, script, monkeypatch)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    assert requeue() == RESUMABLE
    assert "saved, resumable, but not requeued" in capsys.readouterr().out


def test_a_withdrawn_batch_has_nothing_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "repro.cluster.job", str(tmp_path / "gone")],
        env=os.environ | {"SLURM_ARRAY_TASK_ID": "0"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this batch was withdrawn" in done.stdout


def test_handlers_are_there_before_torch_is(tmp_path: Path) -> None:
    script = f"import sys; sys.argv = ['job', {str(tmp_path)!r}]; from repro.cluster import job; job.Signals(); "
    script += "print('torch' in sys.modules, 'submitit' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_a_stalled_run_fails_and_says_why(here, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from experiments.recipes import CIFAR10, SCALES
    from repro.spec import Run, definition, resnet
    from repro.whole import create, read_json, to_json

    run = SCALES["smoke"](Run(resnet(8), CIFAR10))
    create(here.run(run.id).definition, to_json(definition(run)))
    batch = Batch(here.results / "jobs" / "one")
    batch.declare([run.id], {})
    batch.starts(0).write_text("none\n" * STALLED)
    assert job.train(run.id, batch, 0, object.__new__(Signals)) == 1
    assert read_json(here.run(run.id).failed)["cause"] == "stalled"
    assert "no progress in 5 starts" in capsys.readouterr().out
