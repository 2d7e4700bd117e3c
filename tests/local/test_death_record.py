"""Why a run died is on record: by its process where that could write, else by its parent."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

import pytest

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster.status.run_states import all_states
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.local.death_record import record_failure
from repro.local.workers import WorkerPool
from repro.storage.paths import Places
from repro.storage.run_files import read_failure, read_progress
from repro.training.attempt import MAX_FRUITLESS_ATTEMPTS, previous_progress


def run_of(iterations: int) -> Run:
    run = SCALES["smoke"](Run(resnet(8), CIFAR10))
    recipe = replace(run.recipe, iterations=iterations, drops=(), evaluate_every=10)
    return replace(run, recipe=recipe)


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_a_process_that_was_killed_is_recorded_by_its_parent(
    here: Places, number: signal.Signals
) -> None:
    run = run_of(100_000)
    folder = here.run(run.id)

    def kill(at_work: list[str]) -> None:
        if at_work and folder.metrics.exists() and folder.metrics.stat().st_size:
            progress = read_progress(folder)
            assert progress is not None
            assert progress.pid is not None
            os.kill(progress.pid, number)

    [event] = list(WorkerPool(here, 1, 1).train([run], kill))
    failure = read_failure(folder)
    assert failure is not None
    assert f"killed by signal {number.value}" in failure.problem
    assert f"killed by signal {number.value}" in folder.log.read_text()
    assert event["problem"] == failure.problem
    assert failure.attempt == 1
    [state] = all_states([folder], here)
    assert (state.word, state.retriable) == ("failed", True)
    # It counts as an attempt that got nowhere, for it did not say so itself.
    assert previous_progress(folder)["fruitless"] == 1 <= MAX_FRUITLESS_ATTEMPTS


def test_a_run_for_which_no_process_could_be_started_has_failed_and_says_so(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    run = run_of(10)
    [event] = list(WorkerPool(here, 1, 1).train([run], lambda _: None))
    [state] = all_states([here.run(run.id)], here)
    assert (state.word, state.reason) == ("failed", event["problem"])
    assert "no process could be started for it: [Errno 11]" in state.reason
    assert state.reason in here.run(run.id).log.read_text()


def test_a_run_that_is_stopped_while_its_process_starts_has_not_failed(here: Places) -> None:
    run = run_of(100_000)
    pool = WorkerPool(here, 1, 1)

    def stop_at_once(at_work: list[str]) -> None:
        pool.stop()

    ends = list(pool.train([run], stop_at_once))
    assert {end["state"] for end in ends} <= {"stopped"}
    assert read_failure(here.run(run.id)) is None


def test_a_new_failure_takes_the_place_of_an_old_one(here: Places) -> None:
    folder = here.run(run_of(10).id)
    folder.path.mkdir(parents=True)
    record_failure(folder, "CUDA out of memory", "take a larger card", job="7")
    record_failure(folder, "scratch is not there", "make it", job="8")  # it was sent again
    failure = read_failure(folder)
    assert failure is not None
    assert (failure.problem, failure.job) == ("scratch is not there", "8")
    # Of one job the first reason is the true one: what follows is its consequence.
    record_failure(folder, "exit code 1", "", job="8")
    failure = read_failure(folder)
    assert failure is not None
    assert failure.problem == "scratch is not there"


def test_an_error_of_a_library_is_recorded_with_its_iteration_and_traceback(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repro.training import loop

    class Broken(Exception):
        pass

    def learning_rate(recipe: object, iteration: int, *_: object) -> float:
        if iteration == 15:
            raise Broken("the wires are crossed")
        return 0.1

    monkeypatch.setattr(loop, "learning_rate", learning_rate)
    run = run_of(30)
    with pytest.raises(Broken):
        loop.train(run, here)
    failure = read_failure(here.run(run.id))
    assert failure is not None
    assert (failure.iteration, failure.problem) == (15, "Broken: the wires are crossed")
    log = here.run(run.id).log.read_text()
    assert "Traceback (most recent call last)" in log
    assert "in learning_rate" in log
