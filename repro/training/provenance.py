"""Where a run's numbers come from: the code, the data, the machine."""

from __future__ import annotations

import platform
import socket
from datetime import UTC, datetime
from functools import cache
from typing import Any

import torch

from repro.cost.precisions import layout_of
from repro.data.source import Source
from repro.definition.run import Run
from repro.provenance.checkout import CodeState, code_state
from repro.provenance.code_digest import code_hash
from repro.provenance.slurm_job import slurm_job_id
from repro.storage.paths import ROOT
from repro.training.attempt import Attempt
from repro.training.device import device_name, shares_by_mps
from repro.training.gpu_usage import driver_version
from repro.training.pace import Pace
from repro.training.state import State


def provenance_of_training(
    run: Run,
    source: Source,
    state: State,
    pace: Pace,
    attempt: Attempt,
    captured: bool,
) -> dict[str, Any]:
    """Return the provenance of a trained run, with what training alone knows."""
    device = state.device
    facts = provenance(run, source, device, pace.seconds, attempt.number, attempt.began)
    facts["save_seconds"] = round(pace.slowest_save, 3)
    facts["layout"] = layout_of(device.type, run.recipe.precision)
    facts["captured"] = captured
    # Of a processor there is nothing to say here, and the record says that.
    facts |= {"mps": None, "driver": None}
    if state.usage is not None:
        facts["mps"] = shares_by_mps()
        facts["driver"] = driver_version()
        facts["gpu"] = state.usage.facts()
    if len(state.machines) > 1:
        facts["machines"] = state.machines
    return facts


def provenance(
    run: Run,
    source: Source,
    device: torch.device,
    seconds: float,
    attempts: int,
    began: str | None = None,
) -> dict[str, Any]:
    """Return the record of where a number comes from; its times of day are for people to read."""
    return {
        "started": began,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "host": socket.gethostname(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "precision": run.recipe.precision,
        "code": code_hash(),
        **commit(),
        "data": data_facts(source),
        "attempts": attempts,
        "job": slurm_job_id(),
    }


def data_facts(source: Source) -> dict[str, Any]:
    """Return what a record says of the images."""
    return {
        "name": source.name,
        "hash": source.hash,
        "origin": source.origin,
        "train_images": source.train_images,
        "test_images": source.test_images,
        "tested_on_training_images": source.tested_on_training_images,
    }


@cache
def commit() -> CodeState:
    """Return the commit of the code, as it was when this process first asked."""
    return code_state(ROOT)
