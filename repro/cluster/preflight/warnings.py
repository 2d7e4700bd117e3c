"""What could go wrong with runs on a cluster, seen before they are sent: memory, the disk, the time to save."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from repro.cluster.preflight.disk import is_node_local, write_speed
from repro.cluster.profile import Profile
from repro.cluster.submit.packing import Element
from repro.cost.gpu_models import gpu_model
from repro.cost.history import recorded_seconds
from repro.cost.layers import cost
from repro.cost.memory import GIB, Memory, gib, memory
from repro.definition.net import Net
from repro.definition.run import Run
from repro.provenance.processor import IN_FP32, computes_bf16, in_bf16
from repro.storage.paths import Places

WRAPPING = 3e-9  # seconds a byte of a checkpoint, to serialise it and take its SHA-256


def warnings_for(elements: Sequence[Element], places: Places, profile: Profile) -> Iterator[str]:
    """Each trouble in a sentence, with what to do. Writes and removes one file, to see how fast the disk is."""
    kind = is_node_local(places.results)
    if kind and profile.slurm_conf is None:
        yield f"results are on {kind}, which other nodes may not see: set `REPRO_RESULTS`"
    yield from _memory(elements, profile)
    yield from _precision([run for element in elements for run in element], profile)
    yield from _saving([run for element in elements for run in element], places, profile)


def memory_in_words(elements: Sequence[Element], profile: Profile) -> str:
    """What the largest of the jobs needs, in words."""
    most = [memory_needed(element, profile) for element in elements]
    gpu, host = max(each.gpu for each in most), max(each.host for each in most)
    return (
        f"up to {gib(gpu)} of a GPU's memory"
        if profile.on_gpu
        else f"up to {gib(host)} of a node's memory"
    )


def memory_needed(element: Element, profile: Profile) -> Memory:
    """What a job with these runs needs of each node's memory, and of each of its GPUs'."""
    each = [memory(run, profile.on_gpu, profile.nodes * profile.processes) for run in element]
    sharing = math.ceil(profile.processes / max(1, profile.gpus))
    return Memory(
        sum(one.host for one in each) * profile.processes, sum(one.gpu for one in each) * sharing
    )


def seconds_to_save(net: Net, speed: float) -> float:
    """How long a checkpoint of weights and momentum takes on a disk that writes so many bytes a second."""
    size = 8 * cost(net).parameters
    return size / speed + size * WRAPPING


def _memory(elements: Sequence[Element], profile: Profile) -> Iterator[str]:
    host, hungriest = max(
        (memory_needed(element, profile).host, _named(element)) for element in elements
    )
    if profile.memory_bytes and host > profile.memory_bytes:
        yield (
            f"{hungriest} needs about {gib(host)} of a node's memory, and {profile.memory} are asked for: "
            f"`--memory {math.ceil(1.2 * host / GIB)}GB`"
        )
    gpu, hungriest = max(
        (memory_needed(element, profile).gpu, _named(element)) for element in elements
    )
    known = gpu_model(profile.gpu_type or "")
    if known and gpu > known.memory * 1e9:
        yield (
            f"{hungriest} needs about {gib(gpu)} of a GPU's memory, and {profile.gpu_type} may have only "
            f"{known.memory} GB: ask for a larger one, or share the batch with more `--gpus` and `--processes` (each "
            "then normalises its own share)"
        )


def _precision(runs: Sequence[Run], profile: Profile) -> Iterator[str]:
    """Warn of runs in bfloat16 that go to processors without instructions for it."""
    slow = in_bf16(runs)
    if not slow or profile.on_gpu:
        return
    many = f"{len(slow)} of {len(runs)} runs compute in bfloat16"
    if profile.slurm_conf is None:
        # The nodes are other machines than this one, and SLURM does not tell what they can do.
        ask = "`srun lscpu | grep -c bf16` says 0 where they have none"
        yield f"{many}, slowly on nodes without instructions for it ({ask}): {IN_FP32}"
    elif computes_bf16() is False:
        yield f"{many}, and this processor has no instructions for it: {IN_FP32}"


def _named(element: Element) -> str:
    """`resnet-20`, or `a job of 4 runs of resnet-20`."""
    return (
        f"a job of {len(element)} runs of {element[0].net.name}"
        if len(element) > 1
        else element[0].net.name
    )


def _saving(runs: Sequence[Run], places: Places, profile: Profile) -> Iterator[str]:
    past, speed = (
        recorded_seconds("save_seconds", places, profile.on_gpu),
        write_speed(places.results),
    )
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
