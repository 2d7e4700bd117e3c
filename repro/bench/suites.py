"""Which contests there are: a part of the benchmark is a few of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from repro.bench.commands import constructed
from repro.bench.gpu import gpu
from repro.bench.harness import Contender, Say, Table, run_contest
from repro.bench.machine_limits import limits, reached
from repro.data.photos.ordered_pool import usable_cores

BENCH = "repro.bench"

Part = Callable[[bool, Say], list[Table]]


def cpu(quick: bool, say: Say) -> list[Table]:
    """Training on the processors against the usual loop, the machine's limits, and faithfulness."""
    depths, rounds = ((20,), 5) if quick else ((20, 56, 110), 9)
    tables = [_on_processors(depth, rounds, say) for depth in depths]
    best = limits("cpu", usable_cores(), ("fp32", "bf16"), rounds // 2, say)
    return [
        *tables,
        *best,
        *reached(tables, depths, best[0]),
        _faithful(*((32, 3) if quick else (128, 9)), say),
    ]


def _on_processors(depth: int, rounds: int, say: Say) -> Table:
    cores, some = usable_cores(), {"depth": depth, "steps": max(1, 80 // depth)}
    ways = [
        Contender(
            "the usual loop",
            f"{BENCH}.training:usual",
            some | {"workers": min(cores, 4)},
            cores,
            ours=False,
        ),
        Contender("fp32", f"{BENCH}.training:ours", some, cores),
        Contender("bf16", f"{BENCH}.training:ours", some | {"precision": "bf16"}, cores),
    ]
    if cores > 1:
        ways += [
            replace(way, name=f"{way.name}, two at once", threads=cores // 2, at_once=2)
            for way in ways[1:]
        ]
    return run_contest(
        f"Training resnet-{depth}, batch 128, {cores} threads", "images/s", ways, rounds, say
    )


def _faithful(batch: int, rounds: int, say: Say) -> Table:
    kinds = (("fp32", "nchw"), ("fp32", "channels last"), ("bf16", "channels last"))
    ways = [
        Contender(
            f"{precision}, {layout}",
            f"{BENCH}.training:far_from_fp64",
            {"depth": 20, "precision": precision, "layout": layout, "batch": batch},
            usable_cores(),
        )
        for precision, layout in kinds
    ]
    note = "Another seed each round. Most of it is a few ReLUs near zero that turn."
    title = f"Gradients of one step of resnet-20, batch {batch}, against fp64"
    return run_contest(title, "relative error", ways, rounds, say, "less", note)


def evaluation(quick: bool, say: Say) -> list[Table]:
    """Ten-crop and multi-scale testing against the obvious way."""
    tests = [(18, "ten-crop"), (18, "multi-scale")] + ([] if quick else [(34, "ten-crop")])
    return [_tested(depth, method, quick, say) for depth, method in tests]


def _tested(depth: int, method: str, quick: bool, say: Say) -> Table:
    given = {"depth": depth, "way": method, "count": 2 if quick else 8}
    obvious = {"ten-crop": "crop by crop", "multi-scale": "scale by scale"}[method]
    ways = [
        Contender(
            f"{obvious}, fp32", f"{BENCH}.photos:obvious_test", given, usable_cores(), ours=False
        ),
        Contender("ours, fp32", f"{BENCH}.photos:our_test", given, usable_cores()),
    ]
    return run_contest(
        f"Testing resnet-{depth} by {method}", "images/s", ways, 3 if quick else 7, say
    )


def photos(quick: bool, say: Say) -> list[Table]:
    """The input of ImageNet training on one core, against torchvision's transforms."""
    given = {"count": 32 if quick else 192}
    ways = [
        Contender("torchvision's PIL transforms", f"{BENCH}.photos:usual_input", given, ours=False),
        Contender("ours, with colour", f"{BENCH}.photos:our_input", given),
        Contender("ours, bytes only, stacked", f"{BENCH}.photos:stacked_input", given),
        Contender("ours, bytes only, in buffers", f"{BENCH}.photos:buffered_input", given),
    ]
    launching = [
        Contender(way, f"{BENCH}.photos:launching_thread", {"way": way, "count": 128}, 2)
        for way in ("stacked", "buffers")
    ]
    rounds = 5 if quick else 11
    title = "ImageNet's input on one core, JPEGs of 500×375"
    thread = "What a batch of 64 costs the thread that launches the training step"
    return [
        run_contest(title, "images/s", ways, rounds, say),
        run_contest(thread, "ms", launching, rounds, say, "less"),
    ]


def commands(quick: bool, say: Say) -> list[Table]:
    """What commands take, and how it grows with the runs."""
    counts: tuple[int, ...] = (10, 1_000, 10_000)
    rounds = 5
    if quick:
        counts, rounds = (10, 1_000), 3
    return [_commands(count, rounds, say) for count in counts]


def _commands(count: int, rounds: int, say: Say) -> Table:
    say(f"writing {count:,} runs")
    with constructed(count) as results:

        def way(name: str, *words: str, cold: bool = False) -> Contender:
            given = {"words": words, "results": results, "cold": cold}
            return Contender(name, f"{BENCH}.commands:command", given, usable_cores())

        ways = [
            Contender("import click", f"{BENCH}.commands:bare", {"module": "click"}),
            way("--help", "--help"),
            way("list", "list"),
            way("status", "status"),
            way("collect, cold", "collect", cold=True),
            way("collect, unchanged", "collect"),
            way("diff table6", "diff", "table6"),
        ]
        return run_contest(f"Commands with {count:,} runs", "s", ways, rounds, say, "less")


def checkpoints(quick: bool, say: Say) -> list[Table]:
    """The share of the time that saving takes."""
    depths = (20, 110) if quick else (20, 110, 1202)
    ways = [
        Contender(f"resnet-{n}", f"{BENCH}.training:checkpoint", {"depth": n}, usable_cores())
        for n in depths
    ]
    return [
        run_contest(
            "Saving, a checkpoint a minute", "% of the time", ways, 5 if quick else 15, say, "less"
        )
    ]


def depth(quick: bool, say: Say) -> list[Table]:
    """Time and memory a layer as nets get deeper; beyond 500 layers activations are not kept."""
    sizes = (3, 9, 18) if quick else (3, 9, 18, 50, 100, 200)
    ways = [
        Contender(f"n = {n}", f"{BENCH}.training:at_depth", {"n": n, "batch": 32}, usable_cores())
        for n in sizes
    ]
    return [
        run_contest(
            "Growth with depth, batch 32", "ms a layer", ways, 3 if quick else 5, say, "less"
        )
    ]


PARTS: dict[str, Part] = {
    "cpu": cpu,
    "gpu": gpu,
    "evaluation": evaluation,
    "input": photos,
    "commands": commands,
    "checkpoints": checkpoints,
    "depth": depth,
}
