"""The real local cluster. In CI it must be there; elsewhere its tests say that they were left
out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster.profile import Profile, load_profile
from repro.cluster.slurm import run_slurm_command
from repro.cluster.status.run_states import State, all_states
from repro.cluster.submit.submission import Sent, SubmitOptions, make_plan, send
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.storage.paths import ROOT, Places

LOCAL = ROOT / "slurm" / "local-cluster"


def long_run(seed: int = 0) -> Run:
    """Long enough to be interrupted in the middle, short enough to be repeated: some ten
    seconds."""
    run = SCALES["smoke"](Run(resnet(8), CIFAR10, seed))
    recipe = replace(
        run.recipe, name="long", iterations=1500, drops=(800, 1200), evaluate_every=100
    )
    return replace(run, recipe=recipe)


def short_run(seed: int = 0) -> Run:
    run = SCALES["smoke"](Run(resnet(8), CIFAR10, seed))
    return replace(
        run, recipe=replace(run.recipe, name="short", iterations=20, drops=(10,), evaluate_every=10)
    )


@dataclass(frozen=True)
class Cluster:
    """The local cluster, and what a test asks of it."""

    profile: Profile
    places: Places

    def send(
        self, *runs: Run, wanted: SubmitOptions | None = None, **changes: object
    ) -> list[Sent]:
        profile = replace(self.profile, **changes)  # type: ignore[arg-type]
        wanted = wanted or SubmitOptions()
        return list(
            send(
                make_plan({"table6": runs}, self.places, profile, wanted, 1001),
                self.places,
                profile,
                wanted,
            )
        )

    def state(self, run: Run) -> State:
        (found,) = all_states([self.places.run(run.id)], self.places)
        return found

    def slurm(self, *command: str) -> str:
        return run_slurm_command(list(command), self.profile.slurm_conf)

    def under_way(self, run: Run) -> str:
        """Wait until the run has recorded something; its job."""
        metrics = self.places.run(run.id).metrics
        until(
            lambda: metrics.exists() and metrics.stat().st_size > 0, 90, f"{run.id} to be under way"
        )
        return str(self.state(run).job)

    def start_now(self, job: str) -> None:
        """A requeued job waits two minutes; not in a test.

        A node takes a credential made in the second in which it revoked the old one for revoked,
        hence the pause.
        """
        until(
            lambda: self.slurm("squeue", "-h", "-j", job, "-o", "%T").strip() == "PENDING",
            60,
            f"{job} to be queued",
        )
        time.sleep(2)
        until(lambda: self._started(job), 30, f"{job} to start")

    def _started(self, job: str) -> bool:
        environment = os.environ | {"SLURM_CONF": str(self.profile.slurm_conf)}
        command = ["scontrol", "update", f"JobId={job}", "StartTime=now"]
        return (
            subprocess.run(command, env=environment, capture_output=True, check=False).returncode
            == 0
        )

    def done(self, *runs: Run, seconds: float = 120) -> None:
        for run in runs:
            until(
                lambda run=run: self.state(run).word == "done",
                seconds,
                f"{run.id} to be done, and not",
                self,
                run,
            )


def until(
    ready: Callable[[], bool],
    seconds: float,
    what: str,
    cluster: Cluster | None = None,
    run: Run | None = None,
) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            state = f" {cluster.state(run)}" if cluster and run else ""
            pytest.fail(f"waited {seconds:.0f} s for {what}{state}")
        time.sleep(0.5)


@pytest.fixture(scope="session")
def _profile() -> Profile:
    profile = load_profile("local-cluster", ROOT / "slurm")
    if subprocess.run([LOCAL, "status"], capture_output=True, check=False).returncode:
        said = "no local cluster: `slurm/local-cluster up` starts it (root, Debian)"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(f"left out: {said}")
    return profile


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One test at a time has the cluster, whatever runs beside it: some preempt, and one takes a
    node down."""
    with Path("/tmp/repro-local-cluster.tests").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def cluster(_profile: Profile, here: Places) -> Iterator[Cluster]:
    cluster = Cluster(_profile, here)
    with alone():
        yield cluster
        _clear(cluster)


def _clear(cluster: Cluster) -> None:
    """Nothing that a test sent outlives it."""
    jobs = [path.parent.name for path in cluster.places.results.glob("jobs/*/runs.json")]
    for name in jobs:
        cluster.slurm("scancel", f"--name={name}")
    waiting = ["squeue", "-h", "--name", ",".join(jobs), "-o", "%i"]
    until(lambda: not jobs or not cluster.slurm(*waiting).strip(), 30, "the test's jobs to end")


@dataclass(frozen=True)
class Unbroken:
    """What an undisturbed job of `long_run()` leaves."""

    places: Places

    def equals(self, other: Places) -> bool:
        """Bit for bit: the curves, the weights and momenta, and what was measured."""
        import torch

        from repro.storage.atomic import read_json
        from repro.training.checkpoint import load

        ours, theirs = (place.run(long_run().id) for place in (self.places, other))
        one, two = (load(folder) for folder in (ours, theirs))
        assert one is not None
        assert two is not None
        assert ours.metrics.read_bytes() == theirs.metrics.read_bytes()
        assert read_json(ours.final)["metrics"] == read_json(theirs.final)["metrics"]
        flat_one, flat_two = (dict(_tensors(each)) for each in (one, two))
        assert flat_one.keys() == flat_two.keys()
        return all(torch.equal(flat_one[key], flat_two[key]) for key in flat_one)


def _tensors(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    import torch

    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _tensors(each, f"{path}/{key}")
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _tensors(each, f"{path}/{number}")


@pytest.fixture(scope="session")
def unbroken(_profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    folder: Path = tmp_path_factory.mktemp("unbroken")
    cluster = Cluster(_profile, Places(folder / "results", folder / "figures", folder / "data"))
    with alone():
        cluster.send(long_run())
        cluster.done(long_run())
    return Unbroken(cluster.places)
