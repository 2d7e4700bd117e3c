"""Which runs share a job. One small net does not fill a GPU, so several runs of it can be put on one.

They stay runs of their own: each has its claim, its folder and its process (see `repro.cluster.job.packed`).
Only runs that differ in nothing but the seed share a job, so that all of them end at about the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from repro.cluster.profile import Profile
from repro.cost.gpu_models import gpu_model
from repro.cost.memory import memory
from repro.definition.run import Run

MOST = 8  # runs that `auto` puts on one GPU; what would be best has not been measured
ROOM = 0.9  # of a GPU's memory

Element = tuple[Run, ...]  # the runs of one job


def pack_runs(runs: Sequence[Run], profile: Profile) -> list[Element]:
    """The runs as an array's elements, in the order of the first run of each."""
    if profile.pack == 1:
        return [(run,) for run in runs]
    alike: dict[Run, list[Run]] = {}
    for run in runs:
        alike.setdefault(replace(run, seed=0), []).append(run)
    found = [
        element for some in alike.values() for element in _cut(some, runs_per_job(some[0], profile))
    ]
    place = {run: number for number, run in enumerate(runs)}
    return sorted(found, key=lambda element: place[element[0]])


def runs_per_job(run: Run, profile: Profile) -> int:
    """How many runs like this one share a job: as many as the profile says, or as there is room for."""
    if profile.pack != "auto":
        return profile.pack
    alone = profile.gpus > 1 or profile.nodes * profile.processes > 1
    if (
        alone or not profile.on_gpu or run.net.family == "imagenet"
    ):  # a run has all the cores, or fills a GPU
        return 1
    known = gpu_model(profile.gpu_type or "")
    room = int(ROOM * known.memory * 1e9 / memory(run, on_gpu=True).gpu) if known else MOST
    return max(1, min(MOST, profile.cpus, room))


def _cut(runs: Sequence[Run], size: int) -> list[Element]:
    return [tuple(runs[start : start + size]) for start in range(0, len(runs), size)]
