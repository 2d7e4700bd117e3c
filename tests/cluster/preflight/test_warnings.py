"""What may go wrong is said before it is sent: too little memory, a disk too slow for the notice a
job gets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from experiments.recipes import CIFAR10, IMAGENET, VARIANTS
from repro.cluster.preflight.disk import write_speed
from repro.cluster.preflight.estimate import estimate
from repro.cluster.preflight.warnings import (
    memory_in_words,
    memory_needed,
    seconds_to_save,
    warnings_for,
)
from repro.cluster.profile import Profile
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.submit.packing import runs_per_job, with_known_sharing
from repro.cost.gpu_models import gpu_model
from repro.cost.memory import GIB
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Places
from tests.run_folders import write_final

SMALL, LARGE = Run(resnet(20), CIFAR10), Run(resnet(152, "B", "imagenet"), IMAGENET)
HERE = Profile("mine", slurm_conf="/one/machine")  # on one machine, any disk will do


def said(here: Places, profile: Profile, *runs: Run) -> str:
    return "\n".join(warnings_for([(run,) for run in runs], here, profile))


def past(here: Places, run: Run, device: str, **facts: float) -> None:
    other = replace(run, seed=run.seed + 1)
    folder = here.run(other.id)
    write_final(folder, other)
    final = json.loads(folder.final.read_bytes())
    final["provenance"] = {"device": f"{device}: some", **facts}
    folder.final.write_bytes(to_json(final))


def test_where_all_is_well_nothing_is_said(here: Places) -> None:
    assert said(here, replace(HERE, memory="16GB", gpu_type="h100", grace=3600), SMALL, LARGE) == ""


def test_memory_that_is_too_little_is_named_with_what_to_ask_for(here: Places) -> None:
    words = said(here, replace(HERE, gpus=0, memory="1GB"), SMALL)
    assert (
        words
        == "resnet-20 needs about 1.6 GiB of a node's memory, and 1GB are asked for: `--memory 2GB`"
    )


def test_processes_share_a_batch_and_a_nodes_memory(here: Places) -> None:
    one, two = (
        memory_needed((LARGE,), Profile("mine", gpus=0, processes=count)).host for count in (1, 2)
    )
    assert one < two < 2 * one


def test_a_card_that_is_too_small_is_named(here: Places) -> None:
    words = said(here, replace(HERE, gpu_type="a100"), SMALL, LARGE)
    assert words.startswith(
        "resnet-152-b needs about 44.1 GiB of a GPU's memory, and a100 may have only 40 GB: ask"
    )
    assert "GPU's" not in said(here, replace(HERE, gpu_type="a100", gpus=4, processes=4), LARGE)


@pytest.mark.parametrize(
    ("gres", "memory"),
    [
        ("a100", 40),
        ("nvidia_a100_80gb_pcie", 80),
        ("a100_1g.5gb", 5),
        ("NVIDIA-H100", 80),
        ("geforce", None),
    ],
)
def test_a_card_is_known_by_its_gres(gres: str, memory: int | None) -> None:
    found = gpu_model(gres)
    assert (found.memory if found else None) == memory


def test_a_checkpoint_that_took_too_long_before_is_warned_of(here: Places) -> None:
    past(here, SMALL, "cuda", save_seconds=75.0)
    words = said(here, replace(HERE, grace=120), SMALL)
    assert words.startswith(
        "saving a checkpoint of resnet-20 took 75 s before, more than half of the 120 s that `grace`"
    )
    assert "set it to 150 in its profile" in words
    assert said(here, replace(HERE, grace=150), SMALL) == ""


def test_without_such_a_record_the_disk_is_measured(here: Places) -> None:
    speed = write_speed(here.results)
    assert speed is not None
    assert not here.results.exists()
    assert seconds_to_save(LARGE.net, speed) > seconds_to_save(SMALL.net, speed)
    assert seconds_to_save(LARGE.net, 1e6) == pytest.approx(483, rel=0.01)  # 483 MB


def test_results_on_one_machines_disk_are_warned_of_on_a_cluster(here: Places) -> None:
    assert ("other nodes may not see" in said(here, Profile("mine", grace=3600), SMALL)) == (
        "/tmp" in str(here.results)
    )


def test_hours_come_from_past_runs_on_such_a_device(here: Places) -> None:
    past(here, SMALL, "cpu", seconds=7200.0)
    assert (
        str(estimate([(SMALL,)], here, Profile("mine", gpus=0)))
        == "about 2.0 GPU-hours (all from past runs)"
    )
    assert "computed from the layers" in str(estimate([(SMALL,)], here, Profile("mine")))
    assert "a CPU takes many times that" in str(estimate([(LARGE,)], here, Profile("mine", gpus=0)))


def test_the_most_that_a_run_needs_is_said_of_what_it_trains_on() -> None:
    assert memory_in_words([(SMALL,), (LARGE,)], Profile("mine")).endswith("GiB of a GPU's memory")
    assert memory_in_words(
        [(SMALL,)], Profile("mine", environment={"REPRO_DEVICE": "cpu"})
    ).endswith("of a node's memory")


@pytest.mark.parametrize(
    ("memory", "size"),
    [("500MB", 500 * 2**20), ("16GB", 16 * GIB), ("2T", 2048 * GIB), (None, None)],
)
def test_memory_is_read_as_slurm_reads_it(memory: str | None, size: float | None) -> None:
    assert Profile("mine", memory=memory).memory_bytes == size


def test_cores_that_cannot_feed_the_net_are_warned_of_before_the_gpu_waits(here: Places) -> None:
    small_photo_net = Run(resnet(18, "B", "imagenet"), replace(IMAGENET, precision="bf16"))
    words = said(here, replace(HERE, cpus=2, grace=3600), small_photo_net, SMALL)
    assert words.startswith("resnet-18-b trains on about ")
    assert "2 cores decode about 700: the GPU would wait; `--cpus " in words
    cores = int(words.rpartition("--cpus ")[2].rstrip("`"))
    assert said(here, replace(HERE, cpus=cores, grace=3600), small_photo_net) == ""
    assert "--cpus" not in said(here, replace(HERE, cpus=1, grace=3600), SMALL)
    assert "--cpus" not in said(here, replace(HERE, cpus=1, gpus=0, grace=3600), small_photo_net)


def test_a_card_that_decodes_needs_fewer_cores_and_has_to_be_there(here: Places) -> None:
    on_card = VARIANTS["decode-on-gpu"](Run(resnet(18, "B", "imagenet"), IMAGENET))
    assert said(here, replace(HERE, cpus=1, grace=3600), on_card) == ""
    words = said(here, replace(HERE, gpus=0, grace=3600), on_card, SMALL)
    assert words.startswith("1 of 2 runs decode their photos on a GPU")


def test_small_nets_on_several_gpus_are_said_to_be_slower_than_on_one(here: Places) -> None:
    words = said(here, replace(HERE, gpus=2, processes=2, grace=3600), SMALL)
    assert words.startswith("resnet-20 on 2 GPUs is slower than on one")
    assert "--gpus 1 --nodes 1 --processes 1" in words
    assert "slower than on one" not in said(here, replace(HERE, gpus=2, grace=3600), LARGE)
    assert "slower than on one" not in said(here, replace(HERE, grace=3600), SMALL)


def test_runs_that_share_a_card_cost_less_by_mps_and_nothing_less_by_turns(here: Places) -> None:
    element = tuple(SMALL.repeated(4))
    alone = estimate([(run,) for run in element], here, Profile("mine"))
    shared = estimate([element], here, Profile("mine", pack=4))
    turns = estimate([element], here, Profile("mine", pack=4, mps=False))
    assert alone.gpu_hours == turns.gpu_hours
    assert alone.gpu_hours / 4 < shared.gpu_hours < alone.gpu_hours / 1.2
    assert "up to 4 runs a card by MPS, their gain computed" in str(shared)
    assert "by turns, which gains nothing" in str(turns)


def test_where_a_packed_job_found_no_mps_auto_is_one_and_says_why(here: Places) -> None:
    profile = Profile("mine", pack="auto", cpus=8)
    assert with_known_sharing(profile, here) == (profile, "")
    assert runs_per_job(SMALL, profile) == 8
    for number, (cluster, mps) in enumerate([("mine", False), ("elsewhere", True)]):
        batch = Batch(jobs_folder(here) / f"batch-{number}")
        batch.declare([[SMALL.id]], {"cluster": cluster})
        record = {"mps": mps, "why": "no `nvidia-cuda-mps-control` on this node"}
        write_atomic(batch.path / "sharing.json", to_json(record))
    settled, why = with_known_sharing(profile, here)
    assert runs_per_job(SMALL, settled) == 1
    assert why.startswith("`--pack auto` is 1: ")
    assert why.endswith("the last packed job said: no `nvidia-cuda-mps-control` on this node")
    forbidden, why = with_known_sharing(replace(profile, mps=False), here)
    assert runs_per_job(SMALL, forbidden) == 1
    assert "the profile says `mps = false`" in why
    assert with_known_sharing(replace(profile, pack=4), here) == (replace(profile, pack=4), "")
