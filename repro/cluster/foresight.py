"""What could go wrong with runs on a cluster, seen before they are sent: memory, the disk, the time to save."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from repro.architecture import cost
from repro.cluster.cards import card
from repro.cluster.disk import node_local, write_speed
from repro.cluster.past import recorded
from repro.cluster.profile import Profile
from repro.folders import Places
from repro.memory import GIB, Memory, gib, memory
from repro.net import Net
from repro.spec import Run

WRAPPING = 3e-9  # seconds a byte of a checkpoint, to serialise it and take its SHA-256


def foreseen(runs: Sequence[Run], places: Places, profile: Profile) -> Iterator[str]:
    """Each trouble in a sentence, with what to do. Writes and removes one file, to see how fast the disk is."""
    kind = node_local(places.results)
    if kind and profile.slurm_conf is None:
        yield f"results are on {kind}, which other nodes may not see: set `REPRO_RESULTS`"
    yield from _memory(runs, profile)
    yield from _saving(runs, places, profile)


def most_memory(runs: Sequence[Run], profile: Profile) -> str:
    """What the largest of the runs needs, in words."""
    most = [needs(run, profile) for run in runs]
    gpu, host = max(each.gpu for each in most), max(each.host for each in most)
    return f"up to {gib(gpu)} of a GPU's memory" if profile.on_gpu else f"up to {gib(host)} of a node's memory"


def needs(run: Run, profile: Profile) -> Memory:
    """What the run needs of each node's memory, and of each of its GPUs'."""
    each = memory(run, profile.on_gpu, profile.nodes * profile.processes)
    sharing = math.ceil(profile.processes / max(1, profile.gpus))
    return Memory(each.host * profile.processes, each.gpu * sharing)


def seconds_to_save(net: Net, speed: float) -> float:
    """How long a checkpoint of weights and momentum takes on a disk that writes so many bytes a second."""
    size = 8 * cost(net).parameters
    return size / speed + size * WRAPPING


def _memory(runs: Sequence[Run], profile: Profile) -> Iterator[str]:
    host, hungriest = max((needs(run, profile).host, run.net.name) for run in runs)
    if profile.memory_bytes and host > profile.memory_bytes:
        yield (
            f"{hungriest} needs about {gib(host)} of a node's memory, and {profile.memory} are asked for: "
            f"`--memory {math.ceil(1.2 * host / GIB)}GB`"
        )
    gpu, hungriest = max((needs(run, profile).gpu, run.net.name) for run in runs)
    known = card(profile.gpu_type or "")
    if known and gpu > known.memory * 1e9:
        yield (
            f"{hungriest} needs about {gib(gpu)} of a GPU's memory, and {profile.gpu_type} may have only "
            f"{known.memory} GB: ask for a larger one, or share the batch with more `--gpus` and `--processes` (each "
            "then normalises its own share)"
        )


def _saving(runs: Sequence[Run], places: Places, profile: Profile) -> Iterator[str]:
    past, speed = recorded("save_seconds", places, profile.on_gpu), write_speed(places.results)
    if speed is None:
        return
    seconds, said = max(_save(run, past(run), speed) for run in runs)
    if seconds > profile.grace / 2:
        enough = 10 * math.ceil(seconds / 5)
        yield (
            f"saving a checkpoint of {said}, more than half of the {profile.grace} s that `grace` leaves before a job "
            f"is ended: set it to {enough} in its profile, or put the results on a faster disk"
        )


def _save(run: Run, before: float | None, speed: float) -> tuple[float, str]:
    """Seconds to save the run's checkpoint, and how they are said."""
    if before is not None:
        return before, f"{run.net.name} took {before:.0f} s before"
    seconds = seconds_to_save(run.net, speed)
    return seconds, f"{run.net.name} would take {seconds:.0f} s at {speed / 1e6:.1f} MB/s"
