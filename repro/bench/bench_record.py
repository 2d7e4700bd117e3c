"""What a benchmark leaves: a JSON record with the machine, and the same as Markdown."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from repro.bench.harness import ContestLine, Table
from repro.data.photos.ordered_pool import usable_cores
from repro.provenance.checkout import code_state
from repro.provenance.processor import processor_name

SCHEMA = 1


def record(part: str, quick: bool, tables: Sequence[Table], load_before: float) -> dict[str, Any]:
    """The record of one part."""
    machine = _machine(load_before)
    if part == "gpu":
        machine |= _card()
    about = {"schema": SCHEMA, "part": part, "quick": quick, "machine": machine}
    return about | {"tables": [table.as_json() for table in tables]}


def load() -> float:
    """How many processes wanted a processor in the last minute."""
    return round(os.getloadavg()[0], 2)


def markdown(tables: Sequence[Table], machine: dict[str, Any]) -> str:
    """All tables as Markdown, the machine last."""
    about = (
        f"{machine['processor']}, {machine['processors']} processors, torch {machine['torch']}; "
    )
    if "gpu" in machine:
        about = f"{machine['gpu']}, driver {machine['driver']}; {about}"
    about += f"load {machine['load_before']:g} before, {machine['load_after']:g} after"
    return "\n\n".join([*map(_markdown, tables), about]) + "\n"


def _markdown(table: Table) -> str:
    facts = sorted({name for line in table.lines for name in line.facts} - {"peak_mib"})
    head = [
        f"{table.title}",
        table.unit,
        "ratio",
        "quartiles",
        "rounds",
        *(name.replace("_", " ") for name in facts),
    ]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for line in table.lines:
        extra = [f"{line.facts.get(name, math.nan):.3g}" for name in facts]
        rows.append([*_cells(line), *extra])
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{text}\n\n{table.note}" if table.note else text


def _cells(line: ContestLine) -> list[str]:
    if math.isnan(line.ratio):
        return [line.way, f"{line.median:.4g}", "–", "–", str(line.rounds)]
    quartiles = f"{line.low:.2f}–{line.high:.2f}"
    return [line.way, f"{line.median:.4g}", f"{line.ratio:.2f}", quartiles, str(line.rounds)]


def _card() -> dict[str, Any]:
    """Return the GPU that was measured, and its driver."""
    import torch

    from repro.training.gpu_usage import driver_version

    return {"gpu": torch.cuda.get_device_name(), "driver": driver_version()}


def _machine(load_before: float) -> dict[str, Any]:
    return {
        "processor": processor_name(),
        "processors": usable_cores(),
        "python": platform.python_version(),
        "torch": version("torch"),
        **code_state(),
        "load_before": load_before,
        "load_after": load(),
    }
