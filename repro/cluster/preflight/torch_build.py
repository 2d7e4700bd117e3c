"""Whether the installed torch fits the GPUs: of this machine, or those that the GRES names."""

from __future__ import annotations

import re
from pathlib import Path

from repro.cluster import slurm
from repro.cluster.preflight.doctor_line import Check, Checks
from repro.cluster.profile import Profile
from repro.cost.gpu_models import gpu_model
from repro.errors import UserError

# The oldest driver that runs a build of torch for this major version of CUDA.
DRIVERS = {11: 450, 12: 525, 13: 580}

_WHERE = "its installation page has the command, by version of CUDA"


def torch_and_gpus(profile: Profile | None) -> Checks:
    """The build of torch, the driver, and each kind of card."""
    try:
        import torch
    except ImportError:
        fix = "`pip install torch torchvision`, in the environment that jobs use"
        yield Check("torch", "failure", "not installed: nothing can be trained", fix)
        return
    cuda = torch.version.cuda
    built_for = f"CUDA {cuda}" if cuda else "for the CPU"
    yield Check("torch", "ok", f"{torch.__version__}, {built_for}")
    cards = _cards_here() or _cards_of(profile)
    if cuda is None:
        if cards:
            words = f"{', '.join(sorted(cards))}, and this torch is for the CPU"
            fix = f"install a build of torch for CUDA: {_WHERE}; or set `gpus = 0`"
            yield Check("gpu", "failure", words, fix)
        return
    yield from _driver(int(cuda.split(".")[0]), profile)
    compiled = [
        int(number) for number in re.findall(r"\bsm_(\d+)", " ".join(torch.cuda.get_arch_list()))
    ]
    for name, capability in sorted(cards.items()):
        fits = any(each // 10 == capability // 10 and each <= capability for each in compiled)
        words = f"{name} is sm_{capability}; this torch has {', '.join(map(str, compiled))}"
        if fits:
            yield Check("gpu", "ok", words)
        else:
            fix = f"install a build of torch for an older CUDA, which keeps older cards: {_WHERE}"
            yield Check("gpu", "failure", words, fix)


def _driver(
    cuda: int, profile: Profile | None, version: Path = Path("/proc/driver/nvidia/version")
) -> Checks:
    if not version.exists():
        words = "no GPU on this machine"
        if profile and profile.gpus:
            ask = f"srun {_a_gpu_of(profile)} repro doctor --on {profile.name}"
            words += f"; to ask on a node: `{ask}`"
        yield Check("driver", "ok", words)
        return
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d+)\.", version.read_text())
    need = DRIVERS.get(cuda, 0)
    if found is None:
        yield Check(
            "driver",
            "warning",
            f"{version} names no version",
            f"compare `nvidia-smi` with {need}, the oldest",
        )
    elif int(found[1]) < need:
        words = f"driver {found[1]}, and CUDA {cuda} needs {need} or newer"
        yield Check(
            "driver", "failure", words, f"install a build of torch for an older CUDA: {_WHERE}"
        )
    else:
        yield Check("driver", "ok", f"driver {found[1]}")


def _a_gpu_of(profile: Profile) -> str:
    """The options of srun for one GPU where the profile's runs go."""
    asked = [
        f"--{key}={value}"
        for key in ("partition", "account", "qos")
        if (value := getattr(profile, key))
    ]
    return " ".join([*asked, "--gres=gpu:1" if profile.gpu_flag == "gres" else "--gpus-per-node=1"])


def _cards_here() -> dict[str, int]:
    import torch

    if not torch.cuda.is_available():
        return {}
    capability = {
        index: torch.cuda.get_device_capability(index) for index in range(torch.cuda.device_count())
    }
    return {
        torch.cuda.get_device_name(index): major * 10 + minor
        for index, (major, minor) in capability.items()
    }


def _cards_of(profile: Profile | None) -> dict[str, int]:
    """The cards that the partition's GRES names, where it names a kind."""
    if profile is None or not profile.gpus:
        return {}
    flag = ["--partition", profile.partition] if profile.partition else []
    try:
        said = slurm.run_slurm_command(
            ["sinfo", "--noheader", *flag, "--format", "%G"], profile.slurm_conf
        )
    except UserError:
        return {}
    kinds = {kind.lower() for kind in re.findall(r"gpu:([A-Za-z][A-Za-z0-9_.-]*):", said)}
    wanted = {profile.gpu_type.lower()} if profile.gpu_type else kinds
    return {kind: known.capability for kind in wanted if (known := gpu_model(kind))}
