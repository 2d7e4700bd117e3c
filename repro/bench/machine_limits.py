"""The machine's limits as contests, and how much of them each way of training reached."""

from __future__ import annotations

from collections.abc import Sequence

from repro.bench.harness import Contender, Say, Table, compare, run_contest
from repro.cost.layers import cost
from repro.definition.net import resnet

ROOFLINE = "repro.bench.roofline"
BACKWARD = 3  # times the multiply-adds: forward once, backward twice
# A copy of 8 MiB stays in a processor's cache, as the maps of a small net do. On a GPU it would
# take less time than to launch it.
COPIES = {"cpu": (256, 8), "cuda": (1024, 32)}


def limits(
    device: str, threads: int, precisions: Sequence[str], rounds: int, say: Say
) -> list[Table]:
    """Return the contests of arithmetic, in each precision, and of copies."""
    arithmetic = []
    for work in ("product", "convolution"):
        for precision in precisions:
            choice = {"device": device, "precision": precision}
            name = f"{work}, {precision}"
            arithmetic.append(Contender(name, f"{ROOFLINE}:{work}", choice, threads))
    copies = []
    for size in COPIES[device.partition(":")[0]]:
        given = {"device": device, "mebibytes": size}
        copies.append(Contender(f"{size} MiB", f"{ROOFLINE}:copy", given, threads))
    return [
        run_contest("Limits: arithmetic", "GFLOP/s", arithmetic, rounds, say),
        run_contest("Limits: a copy, read and written", "GB/s", copies, rounds, say),
    ]


def reached(tables: Sequence[Table], depths: Sequence[int], arithmetic: Table) -> list[Table]:
    """Return how much of the best arithmetic rate each way of training reached."""
    best: dict[str, float] = {}
    for line in arithmetic.lines:
        precision = line.way.rpartition(", ")[2]
        best[precision] = max(best.get(precision, 0.0), line.median)
    shares = []
    for table, depth in zip(tables, depths, strict=True):
        work = BACKWARD * 2e-9 * cost(resnet(depth)).multiply_adds  # GFLOP an image
        percents: dict[str, list[float]] = {}
        for line in table.lines:
            if line.way != "data only":
                rate = best[_precision(line.way, best)]
                percents[line.way] = [100 * work * (line.median / rate)]
        title = f"Of the machine's best rate: resnet-{depth}"
        shares.append(Table(title, "%", "more", compare(percents)))
    return shares


def _precision(way: str, known: dict[str, float]) -> str:
    """Return the precision that a way names; without a name it is fp32."""
    for precision in known:
        if precision in way:
            return precision
    return "fp32"
