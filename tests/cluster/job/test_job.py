"""The job itself: what it does about signals, about a withdrawn batch, and about requeueing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster.job.job_endings import RESUMABLE, requeue
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim
from repro.cluster.status.run_states import all_states
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.stop_request import StopRequest
from repro.storage.atomic import read_json
from repro.storage.paths import Places
from repro.storage.run_files import write_definition
from tests.cluster.fake_slurm import FakeSlurm


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


def test_in_a_container_a_file_asks_the_batch_script_to_requeue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPRO_REQUEUE_MARK", str(tmp_path / "3.requeue"))
    scontrol(tmp_path / "bin", "exit 0", monkeypatch)
    assert requeue() == 0
    assert not (tmp_path / "3.requeue").exists()  # it can do so itself
    monkeypatch.setenv("PATH", str(tmp_path))
    assert requeue() == RESUMABLE
    assert (tmp_path / "3.requeue").exists()
    assert "the batch script puts it back into the queue" in capsys.readouterr().out


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


@pytest.fixture
def job(here: Places, monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.Popen[str]]:
    """A job of one run that somebody sent, as SLURM starts it."""
    run = short_run()
    write_definition(here.run(run.id), run)
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[run.id]], {})
    batch.sent("100")
    take_claim(here.run(run.id), Claim.ours("one", "mine", None), None)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "100")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")

    def start(**environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "repro.cluster.job", str(batch.path)],
            env=os.environ | environment,
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def short_run() -> Run:
    run = SCALES["smoke"](Run(resnet(8), CIFAR10))
    recipe = replace(run.recipe, iterations=20, drops=(), evaluate_every=10)
    return replace(run, recipe=recipe)


def test_a_job_that_ends_before_its_attempt_begins_leaves_its_reason(
    here: Places, slurm: FakeSlurm, job: Callable[..., subprocess.Popen[str]]
) -> None:
    started = job(REPRO_SCRATCH=str(here.results / "no-such-disk"))
    started.communicate(timeout=120)
    assert started.returncode == 4
    (found,) = all_states([here.run(short_run().id)], here)
    assert found.word == "failed"
    assert "the scratch folder" in found.reason
    assert "the scratch folder" in here.run(short_run().id).log.read_text()
    assert read_json(here.run(short_run().id).failed)["job"] == "100_0"


def test_a_job_with_a_gpu_that_torch_cannot_use_fails_and_does_not_train_on_the_processor(
    here: Places, slurm: FakeSlurm, job: Callable[..., subprocess.Popen[str]]
) -> None:
    started = job(CUDA_VISIBLE_DEVICES="GPU-00000000-0000-0000-0000-000000000000")
    started.communicate(timeout=120)
    assert started.returncode == 4
    failed = read_json(here.run(short_run().id).failed)
    assert failed["problem"] == "no GPU here for device `cuda`"
    assert "`repro doctor`, on that node" in failed["hint"]


def test_a_job_that_ends_in_a_traceback_leaves_it_in_the_log(
    here: Places, slurm: FakeSlurm, job: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import repro.cluster.job.staging as staging\n"
        "def staged_data(*_): raise RuntimeError('the cable fell out')\n"
        "staging.staged_data = staged_data\n"
    )
    started = job(PYTHONPATH=f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}")
    started.communicate(timeout=120)
    assert started.returncode == 1
    log = here.run(short_run().id).log.read_text()
    assert "Traceback (most recent call last)" in log
    (found,) = all_states([here.run(short_run().id)], here)
    assert (found.word, found.reason) == ("failed", "RuntimeError: the cable fell out")


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_usr1_saves_and_requeues_as_usr2_does_and_is_not_out_of_memory(
    here: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: Callable[..., subprocess.Popen[str]],
    number: signal.Signals,
) -> None:
    scontrol(tmp_path / "bin", f'echo "$@" > {tmp_path}/said', monkeypatch)
    started = job()
    assert started.stdout is not None
    started.stdout.readline()  # its banner: from now on it listens
    started.send_signal(number)
    out, err = started.communicate(timeout=120)
    assert started.returncode == 0, err
    assert "saved and requeued" in out
    assert (tmp_path / "said").read_text() == "requeue 100_0\n"


def test_a_job_that_is_done_says_what_it_used_and_what_to_ask_for(
    here: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: Callable[..., subprocess.Popen[str]],
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, answer in {"sstat": "100K\n3000M\n", "squeue": "1-00:00:00\n"}.items():
        (tools / name).write_text(f"#!/bin/sh\nprintf '{answer}'\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    started = job(SLURM_MEM_PER_NODE="32768")
    out, err = started.communicate(timeout=200)
    assert started.returncode == 0, err
    [line] = [line for line in out.splitlines() if line.startswith("efficiency: ")]
    assert " of 1-00:00:00, memory 2.9 of 32.0 GiB; next time " in line
    assert line.endswith("--time 00:10:00 --memory 4GB")
