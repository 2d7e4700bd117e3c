"""Which runs share a job, and how a job with several trains them: each ends as it would alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.recipes import CIFAR10, IMAGENET, SCALES
from repro.cluster.batch import Batch
from repro.cluster.foresight import most_memory, needs
from repro.cluster.packed import threads, train_all
from repro.cluster.packs import MOST, packs
from repro.cluster.profile import Profile, load
from repro.errors import UserError
from repro.folders import Places, places
from repro.here import declare
from repro.net import plain, resnet
from repro.spec import Run
from repro.stop import Stop
from repro.whole import create, read_json, to_json

FIVE, OTHER = tuple(Run(resnet(20), CIFAR10).repeated(5)), tuple(Run(plain(20), CIFAR10).repeated(2))
MIXED = (FIVE[0], OTHER[0], FIVE[1], OTHER[1], *FIVE[2:])  # seed by seed, as an experiment has them


def short(seed: int, iterations: int = 20) -> Run:
    run = SCALES["smoke"](Run(resnet(8), CIFAR10, seed))
    return replace(run, recipe=replace(run.recipe, iterations=iterations, drops=(), evaluate_every=10))


def sizes(profile: Profile, *runs: Run) -> list[int]:
    return [len(element) for element in packs(runs, profile)]


def test_unless_asked_to_each_run_has_a_job_of_its_own_in_the_order_given() -> None:
    assert packs(MIXED, Profile("mine")) == [(run,) for run in MIXED]


def test_only_runs_that_differ_in_their_seed_alone_share_a_job() -> None:
    elements = packs(MIXED, Profile("mine", pack=2))
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
    assert sizes(Profile("mine", pack="auto", cpus=32, gpu_type="a100_1g.5gb"), *many)[0] in range(2, MOST)
    assert set(sizes(Profile("mine", pack="auto", cpus=32, gpus=0), *many)) == {1}
    large = Run(resnet(50, "B", "imagenet"), IMAGENET).repeated(2)
    assert sizes(Profile("mine", pack="auto", cpus=32), *large) == [1, 1]


def test_a_job_needs_the_memory_of_all_its_runs() -> None:
    profile = Profile("mine")
    alone, both = (needs(FIVE[:count], profile) for count in (1, 2))
    assert (both.host, both.gpu) == (2 * alone.host, 2 * alone.gpu)
    assert most_memory([FIVE[:2], FIVE[2:3]], profile).startswith(f"up to {both.gpu / 2**30:.1f} GiB")


@pytest.mark.parametrize("pack", [0, 65, "many", "-1", "1.5", True, ""])
def test_a_pack_that_is_none_is_refused(pack: object) -> None:
    with pytest.raises(UserError, match="`pack` is") as caught:
        load("example", places().slurm, {"pack": pack})
    assert caught.value.hint == "it is 1 to 64, or auto"


def test_runs_that_share_a_job_share_one_gpu() -> None:
    with pytest.raises(UserError, match="`pack` is `4`, and a job has 1 processes and 2 GPUs"):
        load("example", places().slurm, {"pack": "4", "gpus": 2})
    assert load("example", places().slurm, {"pack": "4"}).pack == 4


def test_a_batch_from_before_runs_could_share_a_job_is_still_read(tmp_path: Path) -> None:
    create(tmp_path / "runs.json", to_json({"schema": 1, "runs": ["a", "b"]}))
    batch = Batch(tmp_path)
    assert (batch.elements, batch.index("b"), batch.beside("b")) == ([["a"], ["b"]], 1, ["b"])


def test_each_run_of_a_job_ends_as_it_would_alone(here: Places, tmp_path: Path) -> None:
    from repro.training import train

    runs, said = [short(0), short(1)], []
    for run in runs:
        declare(run, here)
    assert train_all(runs, here, Stop(), said.append) == (True, 0)
    assert sorted(said) == [f"{run.id} done" for run in runs]
    apart = Places(tmp_path / "apart", tmp_path / "figures", here.data)
    for run in runs:
        train(run, apart)
        assert here.run(run.id).metrics.read_bytes() == apart.run(run.id).metrics.read_bytes()


def test_asked_to_stop_every_run_of_a_job_saves_and_goes_on_when_the_job_does(here: Places) -> None:
    runs = [short(0, 100_000), short(1, 100_000)]
    for run in runs:
        declare(run, here)

    class AsSoonAsBothAreUnderWay(Stop):
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
    bad = replace(short(1), recipe=replace(short(1).recipe, rate=1e30))
    said: list[str] = []
    for run in (good, bad):
        declare(run, here)
    over, code = train_all([good, bad], here, Stop(), said.append)
    assert (over, code) == (True, 1)
    assert here.run(good.id).final.exists()
    assert read_json(here.run(bad.id).failed)["state"] == "diverged"


@pytest.mark.parametrize(("asked", "each"), [("3", 3), ("", None), ("0", None), ("x", None)])
def test_a_jobs_cores_are_shared_unless_the_profile_says_how_many_threads(monkeypatch, asked, each) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads(2) == (each or max(1, len(os.sched_getaffinity(0)) // 2))
