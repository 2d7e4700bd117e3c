"""The job itself: what it does about signals, about a withdrawn batch, and about requeueing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repro.cluster.job.__main__ import RESUMABLE, requeue
from repro.stop_request import StopRequest


@pytest.fixture
def _handlers_restored():
    before = {each: signal.getsignal(each) for each in (signal.SIGUSR2, signal.SIGTERM)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("_handlers_restored")
def test_a_signal_raises_a_flag_and_the_first_one_counts() -> None:
    stop = StopRequest().install(signal.SIGUSR2, signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.reason == "SIGUSR2"


@pytest.mark.usefixtures("_handlers_restored")
def test_a_forked_child_does_not_raise_it() -> None:
    stop = StopRequest().install(signal.SIGUSR2)
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGUSR2)
        os._exit(stop.reason is not None)
    assert os.waitpid(child, 0)[1] == 0
    assert stop.reason is None


def scontrol(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "scontrol").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_requeueing_means_this_element_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol(tmp_path, f'echo "$@" > {tmp_path}/said', monkeypatch)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    assert requeue() == 0
    assert (tmp_path / "said").read_text() == "requeue 12_3\n"


@pytest.mark.parametrize("script", ["echo Requeue of this job is disabled >&2; exit 1", None])
def test_where_requeueing_fails_the_run_is_resumable_and_says_so(
    script: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
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
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "this batch was withdrawn" in done.stdout


def test_handlers_are_there_before_torch_is(tmp_path: Path) -> None:
    script = "import sys; import repro.cluster.job; "
    script += "print('torch' in sys.modules, 'submitit' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
