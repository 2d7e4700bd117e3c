"""Several processes of one job: they find each other, split a batch exactly, and only the first one
writes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster.job.process_group import join_group
from repro.definition.net import resnet
from repro.definition.recipe import Plateau
from repro.definition.run import Run, to_definition
from repro.storage.atomic import create_exclusive, read_json, to_json
from repro.storage.paths import Places

ROOT = Path(__file__).parents[3]


def one_step() -> Run:
    """One iteration; batch norm over groups of 16, so that two processes of 16 images normalise as
    one of 32 does."""
    run = SCALES["smoke"](Run(resnet(8), CIFAR10))
    recipe = replace(
        run.recipe, name="one-step", iterations=1, drops=(), evaluate_every=1, batch_norm_group=16
    )
    return replace(run, recipe=recipe)


def eventful() -> Run:
    """A run whose rate drops where its error plateaus, and whose error goes below 90 %."""
    run = SCALES["smoke"](Run(resnet(8), CIFAR10))
    rule = Plateau(patience=1, threshold=50.0)  # every point after the first is a plateau
    recipe = replace(
        run.recipe, name="eventful", drops=(), plateau=rule, evaluate_every=40, batch_norm_group=16
    )
    return replace(run, recipe=recipe)


def train_in(here: Places, processes: int, make: Callable[[], Run] = one_step) -> None:
    """Train the run in so many processes, as srun would start them."""
    run = make()
    create_exclusive(here.run(run.id).definition, to_json(to_definition(run)))
    here.results.joinpath("jobs").mkdir(parents=True)
    script = f"""
import sys, torch
from pathlib import Path
from repro.cluster.job.process_group import join_group
from repro.storage.paths import places
from repro.training import train
from tests.cluster.job.test_process_group import {make.__name__}
torch.set_num_threads(1)
with join_group(places().results / "jobs", 0) as rank:
    train({make.__name__}(), places())
"""
    for code, errors in processes_of(here, processes, script):
        assert code == 0, errors


def processes_of(here: Places, count: int, script: str, *words: str) -> list[tuple[int, str]]:
    """Run the script in so many processes, as srun would; return how each ended and its errors."""
    slurm = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": str(count), "SLURM_JOB_NUM_NODES": "1"}
    slurm |= {"SLURM_JOB_NODELIST": socket.gethostname(), "SUBMITIT_EXECUTOR": "slurm"}
    slurm |= {"GLOO_SOCKET_IFNAME": "lo", "REPRO_DEVICE": "cpu", "PYTHONPATH": str(ROOT)}
    slurm |= {"REPRO_RESULTS": str(here.results)}
    started = []
    for rank in range(count):
        own = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
        command = [sys.executable, "-c", script, *words]
        environment = os.environ | slurm | own
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
    ended = []
    for process in started:
        errors = process.communicate(timeout=240)[1]
        ended.append((process.returncode, errors.decode()))
    return ended


def test_one_process_needs_no_group(tmp_path: Path) -> None:
    with join_group(tmp_path, 0) as rank:
        assert rank == 0


@pytest.mark.slow
def test_one_process_and_two_agree_in_the_gradients_of_a_step(here: Places, tmp_path: Path) -> None:
    import torch

    from repro.training.checkpoint import load

    two = replace(here, results=tmp_path / "two")
    train_in(here, 1)
    train_in(two, 2)
    folders = [place.run(one_step().id) for place in (here, two)]
    states = [load(folder) for folder in folders]
    momenta = [
        [s["momentum_buffer"] for s in state["optimizer"]["state"].values()]
        for state in states
        if state
    ]
    for one, other in zip(
        *momenta, strict=True
    ):  # after one step the momentum is the gradient and the decay
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    assert len(folders[1].attempts()) == 1
    assert not list((two.results / "jobs").glob("*.meeting-*"))


@pytest.mark.slow
def test_two_processes_record_the_same_events_as_one(here: Places, tmp_path: Path) -> None:
    two = replace(here, results=tmp_path / "two")
    train_in(here, 1, eventful)
    train_in(two, 2, eventful)
    one, other = (read_json(places.run(eventful().id).final)["metrics"] for places in (here, two))
    assert one["rate_drop_1"] == other["rate_drop_1"] == 80
    assert one["first_iteration_below_90"] == other["first_iteration_below_90"] == 100


@pytest.mark.slow
def test_a_port_that_is_taken_is_passed_over(here: Places) -> None:
    import random

    with socket.socket() as taken:  # the port that submitit derives from job 7
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = random.Random("7").randint(20000, 60000)
        # Where a test beside this one has the port at this moment, it is taken already.
        with contextlib.suppress(OSError):
            taken.bind(("0.0.0.0", port))
            taken.listen()
        with socket.socket() as caller:
            assert caller.connect_ex(("127.0.0.1", port)) == 0
        train_in(here, 2)
    assert here.run(one_step().id).final.exists()


SLOW_COPY = """
import os, sys, time, torch
from datetime import timedelta
from repro.cluster.job import __main__ as job
from repro.cluster.job import process_group, staging
from repro.cluster.records.batch import Batch
from repro.stop_request import StopRequest
from repro.storage.paths import places

torch.set_num_threads(1)
process_group.SLOWEST_STEP = timedelta(seconds=15)
stage = staging.staged_data

def slowly(here, dataset):
    time.sleep(20 * int(os.environ["SLURM_PROCID"]))
    return stage(here, dataset)

staging.staged_data = slowly
batch = Batch(places().results / "jobs")
sys.exit(job.train(sys.argv[1], batch, 0, StopRequest()))
"""


@pytest.mark.slow
def test_a_copy_slower_than_the_groups_timeout_aborts_no_process(here: Places) -> None:
    run = one_step()
    create_exclusive(here.run(run.id).definition, to_json(to_definition(run)))
    here.results.joinpath("jobs").mkdir(parents=True)
    ended = processes_of(here, 2, SLOW_COPY, run.id)
    assert [code for code, _ in ended] == [0, 0], ended
    assert here.run(run.id).final.exists()
