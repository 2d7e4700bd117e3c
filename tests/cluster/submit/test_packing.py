"""Which runs share a job, and how a job with several trains them: each ends as it would alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.recipes import CIFAR10, IMAGENET
from experiments.scales import SCALES
from repro.cluster.job.several_runs import threads, train_all
from repro.cluster.preflight.warnings import memory_in_words, memory_needed
from repro.cluster.profile import Profile, load_profile
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, newest_claim, take_claim
from repro.cluster.submit.packing import MOST, pack_runs
from repro.definition.net import plain, resnet
from repro.definition.run import Run
from repro.errors import UserError
from repro.local.workers import WorkerPool
from repro.stop_request import StopRequest
from repro.storage.atomic import read_json, to_json, write_atomic
from repro.storage.paths import Places, places
from repro.storage.run_files import write_definition

FIVE, OTHER = (
    tuple(Run(resnet(20), CIFAR10).repeated(5)),
    tuple(Run(plain(20), CIFAR10).repeated(2)),
)
MIXED = (FIVE[0], OTHER[0], FIVE[1], OTHER[1], *FIVE[2:])  # seed by seed, as an experiment has them


def short(seed: int, iterations: int = 20) -> Run:
    run = SCALES["smoke"](Run(resnet(8), CIFAR10, seed))
    return replace(
        run, recipe=replace(run.recipe, iterations=iterations, drops=(), evaluate_every=10)
    )


def sizes(profile: Profile, *runs: Run) -> list[int]:
    return [len(element) for element in pack_runs(runs, profile)]


def test_unless_asked_to_each_run_has_a_job_of_its_own_in_the_order_given() -> None:
    assert pack_runs(MIXED, Profile("mine")) == [(run,) for run in MIXED]


def test_only_runs_that_differ_in_their_seed_alone_share_a_job() -> None:
    elements = pack_runs(MIXED, Profile("mine", pack=2))
    assert [[(run.net.name, run.seed) for run in element] for element in elements] == [
        [("resnet-20", 0), ("resnet-20", 1)],
        [("plain-20", 0), ("plain-20", 1)],
        [("resnet-20", 2), ("resnet-20", 3)],
        [("resnet-20", 4)],
    ]


def test_auto_fills_a_gpu_with_small_nets_as_far_as_cores_and_memory_go() -> None:
    many = tuple(Run(resnet(20), CIFAR10).repeated(20))
    assert sizes(Profile("mine", pack="auto", cpus=32), *many)[0] == MOST
    assert sizes(Profile("mine", pack="auto", cpus=3), *many)[0] == 3
    assert sizes(Profile("mine", pack="auto", cpus=32, gpu_type="a100_1g.5gb"), *many)[0] in range(
        2, MOST
    )
    assert set(sizes(Profile("mine", pack="auto", cpus=32, gpus=0), *many)) == {1}
    for several in (
        {"gpus": 4},
        {"processes": 2},
        {"nodes": 2},
    ):  # these belong to one run together
        assert set(sizes(Profile("mine", pack="auto", cpus=32, **several), *many)) == {1}
    large = Run(resnet(50, "B", "imagenet"), IMAGENET).repeated(2)
    assert sizes(Profile("mine", pack="auto", cpus=32), *large) == [1, 1]


def test_a_job_needs_the_memory_of_all_its_runs() -> None:
    profile = Profile("mine")
    alone, both = (memory_needed(FIVE[:count], profile) for count in (1, 2))
    assert (both.host, both.gpu) == (2 * alone.host, 2 * alone.gpu)
    assert memory_in_words([FIVE[:2], FIVE[2:3]], profile).startswith(
        f"up to {both.gpu / 2**30:.1f} GiB"
    )


@pytest.mark.parametrize("pack", [0, 65, "many", "-1", "1.5", True, ""])
def test_a_pack_that_is_none_is_refused(pack: object) -> None:
    with pytest.raises(UserError, match="`pack` is") as caught:
        load_profile("example", places().slurm, {"pack": pack})
    assert caught.value.hint == "it is 1 to 64, or auto"


def test_runs_that_share_a_job_share_one_gpu() -> None:
    with pytest.raises(UserError, match="`pack` is `4`, and a job has 1 processes and 2 GPUs"):
        load_profile("example", places().slurm, {"pack": "4", "gpus": 2})
    assert load_profile("example", places().slurm, {"pack": "4"}).pack == 4


def test_each_run_of_a_job_ends_as_it_would_alone(here: Places, tmp_path: Path) -> None:
    from repro.training import train

    runs, said = [short(0), short(1)], []
    for run in runs:
        write_definition(here.run(run.id), run)
    assert train_all(runs, here, StopRequest(), said.append) == (True, 0)
    assert sorted(said) == [f"{run.id} done" for run in runs]
    apart = Places(tmp_path / "apart", tmp_path / "figures", here.data)
    for run in runs:
        train(run, apart)
        assert here.run(run.id).metrics.read_bytes() == apart.run(run.id).metrics.read_bytes()


def test_asked_to_stop_every_run_of_a_job_saves_and_goes_on_when_the_job_does(here: Places) -> None:
    runs = [short(0, 100_000), short(1, 100_000)]
    for run in runs:
        write_definition(here.run(run.id), run)

    class AsSoonAsBothAreUnderWay(StopRequest):
        @property
        def reason(self) -> str | None:  # type: ignore[override]
            return "SIGUSR2" if all(here.run(run.id).metrics.exists() for run in runs) else None

        @reason.setter
        def reason(self, value: str | None) -> None: ...

    said: list[str] = []
    assert train_all(runs, here, AsSoonAsBothAreUnderWay(), said.append) == (False, 0)
    assert all(" stopped: " in line for line in said)
    assert [read_json(here.run(run.id).progress)["state"] for run in runs] == ["stopped", "stopped"]
    assert all(here.run(run.id).checkpoint.exists() for run in runs)


def test_a_run_that_fails_ends_alone_and_the_job_says_so(here: Places) -> None:
    good = short(0)
    bad = replace(short(1), recipe=replace(short(1).recipe, learning_rate=1e30))
    said: list[str] = []
    for run in (good, bad):
        write_definition(here.run(run.id), run)
    over, code = train_all([good, bad], here, StopRequest(), said.append)
    assert (over, code) == (True, 1)
    assert here.run(good.id).final.exists()
    assert read_json(here.run(bad.id).failed)["state"] == "diverged"


def test_no_process_for_a_run_is_a_failure_and_not_a_success(here: Places, monkeypatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    said: list[str] = []
    assert train_all([short(0), short(1)], here, StopRequest(), said.append) == (True, 1)
    assert len(said) == 2
    assert "no process could be started for it: [Errno 11]" in said[0]


def test_a_process_that_is_told_to_stop_leaves_the_other_runs_to_a_new_one(here: Places) -> None:
    long, brief = short(0, 100_000), short(1)

    def stop_the_first(_: list[str]) -> None:
        if (
            here.run(long.id).metrics.exists()
            and read_json(here.run(long.id).progress)["state"] != "stopped"
        ):
            os.kill(read_json(here.run(long.id).progress)["pid"], signal.SIGTERM)

    events = list(WorkerPool(here, 1, 1).train([long, brief], stop_the_first))
    assert [(event["id"], event["state"]) for event in events] == [
        (long.id, "stopped"),
        (brief.id, "done"),
    ]


def test_what_a_library_prints_is_not_taken_for_an_answer(here: Places, monkeypatch) -> None:
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")
    assert train_all([short(0)], here, StopRequest(), [].append) == (True, 0)
    assert here.run(short(0).id).final.exists()


@pytest.fixture
def in_a_job(monkeypatch: pytest.MonkeyPatch, here: Places) -> Batch:
    """A job with two runs, started again."""
    for name, value in {"ARRAY_JOB_ID": "100", "ARRAY_TASK_ID": "0", "RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    batch = Batch(jobs_folder(here) / "one")
    batch.declare([[short(0).id, short(1).id]], {})
    for seed in (0, 1):
        write_definition(here.run(short(seed).id), short(seed))
        take_claim(here.run(short(seed).id), Claim.ours("one", "mine", None), None)
    return batch


def run_job(batch: Batch) -> str:
    command = [sys.executable, "-m", "repro.cluster.job", str(batch.path)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_job_that_starts_again_leaves_out_what_failed_in_it_and_not_what_failed_before(
    here: Places, in_a_job: Batch
) -> None:
    for seed, job in ((0, "99_0"), (1, "100_0")):
        folder = here.run(short(seed).id)
        write_atomic(
            folder.failed, to_json({"state": "failed", "problem": "a bad day", "attempt": 1})
        )
        write_atomic(folder.attempt(1), to_json({"job": job}))
    said = run_job(in_a_job)
    assert f"{short(0).id} done" in said
    assert not here.run(short(1).id).final.exists()


def test_a_run_that_was_sent_again_since_is_left_to_the_newer_job(
    here: Places, in_a_job: Batch
) -> None:
    for seed in (0, 1):
        folder = here.run(short(seed).id)
        take_claim(folder, Claim.ours("two", "mine", None), newest_claim(folder))
    assert "sent again since, with another job; nothing to do" in run_job(in_a_job)
    assert not here.run(short(0).id).attempts()


@pytest.mark.parametrize(("asked", "each"), [("3", 3), ("", None), ("0", None), ("x", None)])
def test_a_jobs_cores_are_shared_unless_the_profile_says_how_many_threads(
    monkeypatch, asked, each
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads(2) == (each or max(1, len(os.sched_getaffinity(0)) // 2))
