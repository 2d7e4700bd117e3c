"""The device that trains: which one it is, how it is set up, and what a record calls it."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from repro.cost.precisions import Layout, layout_of
from repro.definition.recipe import Recipe
from repro.errors import EnvironmentProblem, quote
from repro.provenance.code_digest import code_hash
from repro.provenance.processor import processor_name
from repro.provenance.slurm_job import slurm_job_id

MEMORY_FORMATS: dict[Layout, torch.memory_format] = {
    "channels last": torch.channels_last,
    "NCHW": torch.contiguous_format,
}


def memory_format(device: torch.device, precision: str) -> torch.memory_format:
    """Return how a net's images and weights lie in memory on this device, as torch names it."""
    return MEMORY_FORMATS[layout_of(device.type, precision)]


def prepare(recipe: Recipe, device: torch.device | None = None) -> torch.device:
    """Return the device to train on, set up for the recipe's precision.

    It is the one given, else the environment's, else what there is.
    """
    chosen = device or _default_device()
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise EnvironmentProblem(f"no GPU here for device {quote(chosen)}", _without_gpu(device))
    tf32 = recipe.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.deterministic = True
    return chosen


def make_current(device: torch.device) -> None:
    """Make this card the one that torch means where none is named, as for a graph's memory."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def device_name(device: torch.device) -> str:
    """Return the device's kind and the name of its card or processor."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device.type}: {processor_name()}"


def shares_by_mps() -> bool:
    """Return whether this process reaches its GPU through a daemon of CUDA's MPS."""
    folder = os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")
    return (Path(folder) / "control").exists()


def fingerprint(device: torch.device) -> str:
    """Return all that must be the same to compute the same bits.

    A run that went on where this is different has both on its record.
    """
    threads = torch.get_num_threads()
    name = device_name(device)
    return f"{name}, {threads} threads, torch {torch.__version__}, code {code_hash()}"


def _without_gpu(asked: torch.device | None) -> str:
    """Return what to do where torch finds no GPU."""
    if asked:
        return "leave `--device` out to train on what there is"
    if slurm_job_id():
        return "`repro doctor`, on that node, says whether this torch fits its GPU and its driver"
    return "leave `REPRO_DEVICE` unset to train on what there is"


def _default_device() -> torch.device:
    if name := os.environ.get("REPRO_DEVICE"):
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("cpu")
