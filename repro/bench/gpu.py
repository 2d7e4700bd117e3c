"""Training on a GPU: every precision and layout by name, the data alone, and several runs at once.

Each way says in which precision it computes. Torch lets convolutions use TensorFloat-32 unless told
otherwise, so the usual loop is measured both ways: against fp32 it would win by its precision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from repro.bench.harness import Contender, Say, Table, run_contest
from repro.bench.machine_limits import limits, reached
from repro.cluster.job.mps import mps_daemon
from repro.data.photos.ordered_pool import usable_cores

TRAINING = "repro.bench.training"
PRECISIONS = ("fp32", "tf32", "bf16")
LAYOUTS = ("NCHW", "channels last")


@dataclass(frozen=True)
class Sizes:
    """How much is measured, and where: a test measures next to nothing on a processor."""

    depths: tuple[int, ...] = (20, 56, 110)
    rounds: int = 7
    steps: int = 200  # of training, for each number
    usual_steps: int = 50
    batch: int = 128
    at_once: tuple[int, ...] = (2, 4, 8)
    device: str = "cuda"


FULL = Sizes()
QUICK = replace(FULL, depths=(20,), rounds=3)


def gpu(quick: bool, say: Say) -> list[Table]:
    """Training on a GPU: the usual loop, ours in each precision and layout, and several at once."""
    return measured(QUICK if quick else FULL, say)


def measured(sizes: Sizes, say: Say) -> list[Table]:
    """Return the contests of these sizes, and the limits of the card."""
    tables = [_ways(depth, sizes, say) for depth in sizes.depths]
    packed = [_at_once(depth, sizes, say) for depth in sizes.depths]
    best = limits(sizes.device, 1, PRECISIONS, sizes.rounds, say)
    return [*tables, *packed, *best, *reached(tables, sizes.depths, best[0])]


def _ways(depth: int, sizes: Sizes, say: Say) -> Table:
    given = {"depth": depth, "batch": sizes.batch, "device": sizes.device}
    workers = min(usable_cores(), 8)
    usual = given | {"steps": sizes.usual_steps, "workers": workers}
    ours = given | {"steps": sizes.steps}
    ways = []
    for precision in ("fp32", "tf32"):
        name = f"the usual loop, {precision}"
        ways.append(_way(name, "usual", usual | {"precision": precision}, ours=False))
    by_operation = ours | {"precision": "fp32", "layout": "NCHW", "capture": False}
    ways.append(_way("operation by operation, fp32, NCHW", "ours", by_operation))
    for precision in PRECISIONS:
        for layout in LAYOUTS:
            chosen = ours | {"precision": precision, "layout": layout}
            ways.append(_way(f"captured, {precision}, {layout}", "ours", chosen))
    ways.append(_way("data only", "data_only", ours))
    title = f"Training resnet-{depth}, batch {sizes.batch}, one GPU"
    return run_contest(title, "images/s", ways, sizes.rounds, say)


def _at_once(depth: int, sizes: Sizes, say: Say) -> Table:
    """Return the contest of several runs on the card, by turns and, where it can start, by MPS."""
    given = {"depth": depth, "batch": sizes.batch, "device": sizes.device, "steps": sizes.steps}
    alone = _way("one, bf16", "ours", given | {"precision": "bf16"})
    ways = [alone]
    for many in sizes.at_once:
        ways.append(replace(alone, name=f"{many} at once, bf16, by turns", at_once=many))
    with _mps(sizes.device) as (clients, why):
        for many in sizes.at_once if clients else ():
            name = f"{many} at once, bf16, by MPS"
            ways.append(replace(alone, name=name, at_once=many, environment=clients))
        note = f"Not measured by MPS: {why}." if why else ""
        title = f"Several runs of resnet-{depth} on one GPU"
        return run_contest(title, "images/s", ways, sizes.rounds, say, note=note)


@contextlib.contextmanager
def _mps(device: str) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the environment of an MPS daemon's clients, or why there is none."""
    if not device.startswith("cuda"):
        yield {}, f"{device} is no GPU"
        return
    with mps_daemon() as (sharing, environment):
        yield environment, "" if sharing.mps else sharing.why


def _way(name: str, function: str, given: dict[str, Any], ours: bool = True) -> Contender:
    return Contender(name, f"{TRAINING}:{function}", given, ours=ours)
