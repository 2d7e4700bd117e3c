"""The device that trains: which one it is, how it is set up, and what a record calls it."""

from __future__ import annotations

import os

import torch

from repro.definition.recipe import Recipe
from repro.errors import EnvironmentProblem, quote
from repro.provenance.code_digest import code_hash
from repro.provenance.processor import processor_name


def prepare(recipe: Recipe, device: torch.device | None = None) -> torch.device:
    """Return the device to train on, set up for the recipe's precision.

    It is the one given, else the environment's, else what there is.
    """
    chosen = device or _default_device()
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        without = "leave `--device` out" if device else "leave `REPRO_DEVICE` unset"
        raise EnvironmentProblem(
            f"no GPU here for device {quote(chosen)}", f"{without} to train on what there is"
        )
    tf32 = recipe.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.deterministic = True
    return chosen


def device_name(device: torch.device) -> str:
    """Return the device's kind and the name of its card or processor."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device.type}: {processor_name()}"


def fingerprint(device: torch.device) -> str:
    """Return all that must be the same to compute the same bits.

    A run that went on where this is different has both on its record.
    """
    threads = torch.get_num_threads()
    name = device_name(device)
    return f"{name}, {threads} threads, torch {torch.__version__}, code {code_hash()}"


def _default_device() -> torch.device:
    if name := os.environ.get("REPRO_DEVICE"):
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("cpu")
