"""What could go wrong with runs on a cluster, seen before they are sent.

Looked at are memory, precision, the disk, the time to save, and whether the cores feed the net.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from repro.cluster.preflight.disk import is_node_local, write_speed
from repro.cluster.profile import Profile
from repro.cluster.submit.packing import Element
from repro.cost.gpu_hours import images_per_second
from repro.cost.gpu_models import gpu_model
from repro.cost.history import recorded_seconds
from repro.cost.layers import cost
from repro.cost.memory import DEEP, GIB, Memory, gib, memory
from repro.definition.net import Net
from repro.definition.run import Run
from repro.provenance.processor import IN_FP32, computes_bf16, in_bf16
from repro.storage.paths import Places

WRAPPING = 3e-9  # seconds a byte of a checkpoint, to serialise it and take its SHA-256
PHOTOS_PER_CORE = 350  # decoded, cropped and resized in a second: measured on one core


def warnings_for(elements: Sequence[Element], places: Places, profile: Profile) -> Iterator[str]:
    """Yield each trouble in a sentence, with what to do.

    One file is written and removed, to see how fast the disk is.
    """
    kind = is_node_local(places.results)
    if kind and profile.slurm_conf is None:
        yield f"results are on {kind}, which other nodes may not see: set `REPRO_RESULTS`"
    runs = [run for element in elements for run in element]
    yield from _host_memory(elements, profile)
    yield from _gpu_memory(elements, profile)
    yield from _precision(runs, profile)
    yield from _decoder(runs, profile)
    yield from _several_gpus(runs, profile)
    yield from _cores(runs, profile)
    yield from _saving(runs, places, profile)


def memory_in_words(elements: Sequence[Element], profile: Profile) -> str:
    """Return what the largest of the jobs needs, in words."""
    needs = [memory_needed(element, profile) for element in elements]
    if profile.on_gpu:
        return f"up to {gib(max(need.gpu for need in needs))} of a GPU's memory"
    return f"up to {gib(max(need.host for need in needs))} of a node's memory"


def memory_needed(element: Element, profile: Profile) -> Memory:
    """Return what a job with these runs needs of each node's memory, and of each of its GPUs'."""
    processes = profile.nodes * profile.processes
    needs = [memory(run, profile.on_gpu, processes) for run in element]
    sharing = math.ceil(profile.processes / max(1, profile.gpus))
    host = sum(need.host for need in needs) * profile.processes
    return Memory(host, sum(need.gpu for need in needs) * sharing)


def seconds_to_save(net: Net, speed: float) -> float:
    """Return how long a checkpoint takes on a disk that writes so many bytes a second."""
    size = 8 * cost(net).parameters  # weights and momentum
    return size / speed + size * WRAPPING


def _host_memory(elements: Sequence[Element], profile: Profile) -> Iterator[str]:
    element = max(elements, key=lambda element: memory_needed(element, profile).host)
    need = memory_needed(element, profile).host
    if profile.memory_bytes and need > profile.memory_bytes:
        yield (
            f"{_named(element)} needs about {gib(need)} of a node's memory, and {profile.memory} "
            f"are asked for: `--memory {math.ceil(1.2 * need / GIB)}GB`"
        )


def _gpu_memory(elements: Sequence[Element], profile: Profile) -> Iterator[str]:
    element = max(elements, key=lambda element: memory_needed(element, profile).gpu)
    need = memory_needed(element, profile).gpu
    card = gpu_model(profile.gpu_type or "")
    if card and need > card.memory * 1e9:
        yield (
            f"{_named(element)} needs about {gib(need)} of a GPU's memory, and {profile.gpu_type} "
            f"may have only {card.memory} GB: ask for a larger one, or share the batch with more "
            "`--gpus` and `--processes` (each then normalises its own share)"
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


def _decoder(runs: Sequence[Run], profile: Profile) -> Iterator[str]:
    """Warn of runs whose photos a GPU decodes, where there is none."""
    some = [run for run in runs if run.recipe.input.decoder == "gpu"]
    if some and not profile.on_gpu:
        yield (
            f"{len(some)} of {len(runs)} runs decode their photos on a GPU, and this profile asks "
            "for none: they would fail; leave `--variant decode-on-gpu` out"
        )


def _several_gpus(runs: Sequence[Run], profile: Profile) -> Iterator[str]:
    """Warn of small nets that several GPUs would train together: they wait for each other."""
    cards = profile.gpus * profile.nodes
    small = [run for run in runs if run.net.family == "cifar" and run.net.depth <= DEEP]
    if not small or not profile.on_gpu or cards == 1:
        return
    yield (
        f"{small[0].net.name} on {cards} GPUs is slower than on one: a step is a millisecond or "
        "two, and only on one GPU it is captured as one graph; `--gpus 1 --nodes 1 --processes 1`, "
        "and `--pack auto` for several seeds on it"
    )


def _cores(runs: Sequence[Run], profile: Profile) -> Iterator[str]:
    """Warn where the cores decode fewer photos than a GPU trains on; small images need no core."""
    photos = []
    for run in runs:
        if run.net.family == "imagenet" and run.recipe.input.decoder != "gpu":
            photos.append(run)
    if not photos or not profile.on_gpu:
        return
    fastest = max(photos, key=images_per_second)
    cards = max(1, profile.gpus)
    wanted = images_per_second(fastest) * cards
    cores = profile.cpus * profile.processes
    if cores * PHOTOS_PER_CORE < wanted:
        enough = math.ceil(wanted / PHOTOS_PER_CORE / profile.processes)
        yield (
            f"{fastest.net.name} trains on about {wanted:,.0f} photos a second (computed for an "
            f"A100), and {cores} cores decode about {cores * PHOTOS_PER_CORE:,}: the GPU would "
            f"wait; `--cpus {enough}`"
        )


def _named(element: Element) -> str:
    """Return `resnet-20`, or `a job of 4 runs of resnet-20`."""
    name = element[0].net.name
    return name if len(element) == 1 else f"a job of {len(element)} runs of {name}"


def _saving(runs: Sequence[Run], places: Places, profile: Profile) -> Iterator[str]:
    speed = write_speed(places.results)
    if speed is None:
        return
    past = recorded_seconds("save_seconds", places, profile.on_gpu)
    seconds, words = max(_save(run, past(run), speed) for run in runs)
    if seconds > profile.grace / 2:
        enough = 10 * math.ceil(seconds / 5)
        yield (
            f"saving a checkpoint of {words}, more than half of the {profile.grace} s that `grace` "
            f"leaves before a job is ended: set it to {enough} in its profile, or put the results "
            "on a faster disk"
        )


def _save(run: Run, before: float | None, speed: float) -> tuple[float, str]:
    """Return the seconds to save the run's checkpoint, and how they are said."""
    if before is not None:
        return before, f"{run.net.name} took {before:.0f} s before"
    seconds = seconds_to_save(run.net, speed)
    return seconds, f"{run.net.name} would take {seconds:.0f} s at {speed / 1e6:.1f} MB/s"
