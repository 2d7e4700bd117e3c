"""Whole runs on the card: killed and resumed, packed, failing; and what the machine is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from repro.cli import main
from repro.cluster.job import several_runs
from repro.cluster.job.mps import mps_daemon
from repro.cost.precisions import layout_of
from repro.definition.run import Run
from repro.errors import EnvironmentProblem, RunFailed
from repro.stop_request import StopRequest
from repro.storage.paths import ROOT, Places
from repro.storage.run_files import read_failure, read_final, write_definition
from repro.training import train
from repro.training.checkpoint import load
from repro.training.device_errors import DeviceFailure
from repro.training.gpu_usage import GpuUsage
from tests.gpu.steps import CARD
from tests.training.test_resume import assert_same, trace
from tests.training.tiny import tiny_run

LONG = {"iterations": 1_200, "drops": (600, 900), "evaluate_every": 100}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder: Path = tmp_path_factory.mktemp("unbroken")
    places = Places(folder, folder, folder / "data")
    train(long_run(), places, device=CARD)
    return places


def long_run(seed: int = 0) -> Run:
    return tiny_run(seed, **LONG)


def process_of(run: Run, here: Places) -> subprocess.Popen[str]:
    """Train the run in a process of its own, which saves all the time."""
    write_definition(here.run(run.id), run)
    environment = os.environ | {"REPRO_SAVE_EVERY": "0", "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen(
        [sys.executable, "-m", "repro.training.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert worker.stdin is not None
    worker.stdin.write(f'{{"id": "{run.id}", "measure_again": false, "device": "{CARD}"}}\n')
    worker.stdin.close()  # so that it ends with this run, however that ends
    worker.stdin = None
    return worker


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR2], ids=lambda sign: sign.name)
def test_a_run_that_is_killed_and_goes_on_in_a_new_process_ends_with_the_same_bytes(
    number: signal.Signals, here: Places, unbroken: Places
) -> None:
    run = long_run()
    worker = process_of(run, here)
    folder = here.run(run.id)
    while not folder.previous_checkpoint.exists():
        assert worker.poll() is None
        time.sleep(0.02)
    worker.send_signal(number)
    worker.communicate()
    saved = load(folder)
    assert saved is not None
    assert 0 < saved["iteration"] < run.recipe.iterations
    worker = process_of(run, here)
    worker.communicate()
    assert read_final(folder) is not None
    assert_same(trace(here, run), trace(unbroken, run))


def test_a_run_packed_beside_three_others_ends_with_the_same_bytes(
    here: Places, unbroken: Places
) -> None:
    runs = [long_run(seed) for seed in range(4)]
    over, code = several_runs.train_all(runs, here, StopRequest(), print)
    assert (over, code) == (True, 0)
    assert_same(trace(here, runs[0]), trace(unbroken, runs[0]))


def test_runs_that_share_the_card_by_mps_end_with_the_same_bytes(
    here: Places, unbroken: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [long_run(seed) for seed in range(4)]
    with mps_daemon() as (sharing, environment):
        if not sharing.mps:
            pytest.skip(f"the card cannot be shared here: {sharing.why}")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        over, code = several_runs.train_all(runs, here, StopRequest(), print)
    assert (over, code) == (True, 0)
    assert_same(trace(here, runs[0]), trace(unbroken, runs[0]))
    final = read_final(here.run(runs[0].id))
    assert final is not None
    assert final.provenance.mps is True


def test_a_record_says_how_the_card_was_used(unbroken: Places) -> None:
    final = read_final(unbroken.run(long_run().id))
    assert final is not None
    assert final.provenance.captured is True
    assert final.provenance.layout == layout_of("cuda", "fp32")
    assert final.provenance.driver
    assert final.provenance.gpu["peak_memory_gib"] > 0


def test_a_card_without_memory_for_it_fails_the_run_and_says_what_to_change(here: Places) -> None:
    run = tiny_run(batch=40_000, iterations=2, drops=(1,), evaluate_every=1)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.01)  # of 141 GB still less than it needs
    try:
        with pytest.raises(DeviceFailure, match="CUDA out of memory: the run needs about"):
            train(run, here, device=CARD)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    failure = read_failure(here.run(run.id))
    assert failure is not None
    assert failure.cause == "memory"


def test_a_loss_that_is_not_finite_ends_the_run(here: Places) -> None:
    with pytest.raises(RunFailed, match="not finite at iteration"):
        train(tiny_run(learning_rate=1e30, warmup=None), here, device=CARD)


def test_a_card_that_is_not_there_is_named(here: Places) -> None:
    with pytest.raises(EnvironmentProblem, match="no GPU here for device `cuda:99`"):
        train(tiny_run(), here, device=torch.device("cuda", 99))


def test_a_group_of_one_process_trains_over_nccl(here: Places, tmp_path: Path) -> None:
    from torch import distributed

    meeting = f"file://{tmp_path}/meeting"
    distributed.init_process_group("nccl", meeting, rank=0, world_size=1, device_id=CARD)
    try:
        final = train(tiny_run(), here, device=CARD)
    finally:
        distributed.destroy_process_group()
    assert final["metrics"]["train_error"] < 90


def test_the_driver_says_how_busy_the_card_is() -> None:
    usage = GpuUsage.of(CARD)
    assert usage is not None
    assert 0 <= usage.percent()["gpu_percent"] <= 100


def test_doctor_finds_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor"])
    printed = capsys.readouterr()
    assert torch.cuda.get_device_name(CARD) in printed.out + printed.err
