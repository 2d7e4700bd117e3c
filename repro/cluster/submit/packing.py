"""Which runs share a job. One small net does not fill a GPU, so several runs can be put on one.

They stay runs of their own: each has its claim, its folder and its process (see
`repro.cluster.job.several_runs`). Only runs that differ in nothing but the seed share a job, so
that all of them end at about the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from repro.cluster.profile import Profile
from repro.cluster.records.batch import jobs_folder
from repro.cost.gpu_hours import packing_gain
from repro.cost.gpu_models import gpu_model
from repro.cost.memory import memory
from repro.definition.run import Run
from repro.errors import UserError
from repro.storage.atomic import read_json
from repro.storage.paths import Places

MOST = 8  # runs that `auto` puts on one GPU; what would be best has not been measured
ROOM = 0.9  # of a GPU's memory
LEAST_GAIN = 1.2  # times the runs an hour: for less, sharing a card is not worth its latency

Element = tuple[Run, ...]  # the runs of one job


def pack_runs(runs: Sequence[Run], profile: Profile) -> list[Element]:
    """Return the runs as an array's elements, in the order of the first run of each."""
    if profile.pack == 1:
        return [(run,) for run in runs]
    alike: dict[Run, list[Run]] = {}
    for run in runs:
        alike.setdefault(replace(run, seed=0), []).append(run)
    elements: list[Element] = []
    for some in alike.values():
        size = runs_per_job(some[0], profile)
        for start in range(0, len(some), size):
            elements.append(tuple(some[start : start + size]))
    order = {run: number for number, run in enumerate(runs)}
    return sorted(elements, key=lambda element: order[element[0]])


def runs_per_job(run: Run, profile: Profile) -> int:
    """Return how many runs like this one share a job.

    It is as many as the profile says. `auto` is as many as there is room for, where sharing gains.
    """
    if profile.pack != "auto":
        return profile.pack
    together = profile.gpus > 1 or profile.nodes * profile.processes > 1
    # Several processes belong to one run; a CPU is used wholly by one; an ImageNet net fills a GPU.
    if together or not profile.on_gpu or not profile.mps or run.net.family == "imagenet":
        return 1
    most = min(MOST, profile.cpus)
    card = gpu_model(profile.gpu_type or "")
    if card is not None:
        most = min(most, int(ROOM * card.memory * 1e9 / memory(run, on_gpu=True).gpu))
    if most < 2 or packing_gain(run, most) < LEAST_GAIN:
        return 1
    return most


def with_known_sharing(profile: Profile, places: Places) -> tuple[Profile, str]:
    """Return the profile as its nodes can do it, and why `auto` then means one run a job.

    Packed jobs leave on record whether an MPS daemon could start: see `repro.cluster.job.mps`.
    """
    if profile.pack != "auto" or not profile.on_gpu:
        return profile, ""
    why = "" if profile.mps else "the profile says `mps = false`"
    if profile.mps:
        why = _why_no_mps(profile, places)
    if not why:
        return profile, ""
    reason = f"`--pack auto` is 1: without MPS runs on one GPU take turns, and {why}"
    return replace(profile, mps=False), reason


def _why_no_mps(profile: Profile, places: Places) -> str:
    """Return why the newest packed job on this cluster had no MPS; empty where it had, or none."""
    records = sorted(
        jobs_folder(places).glob("*/sharing.json"), key=lambda path: path.stat().st_mtime
    )
    for path in reversed(records):
        try:
            batch, sharing = read_json(path.with_name("runs.json")), read_json(path)
            if batch["cluster"] == profile.name:
                return "" if sharing["mps"] else f"the last packed job said: {sharing['why']}"
        except (UserError, KeyError, TypeError):
            continue
    return ""
