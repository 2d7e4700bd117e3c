"""`repro run`: train here what an experiment still lacks."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from repro.cli.options import experiments_argument, not_skipped, print_json, scale_option, selected, selection_options
from repro.cli.options import json_option
from repro.errors import FAILED, FINE, Lacking
from repro.experiment import runs_of
from repro.folders import Places, places
from repro.spec import Run


@click.command()
@experiments_argument()
@scale_option()
@selection_options
@click.option("--only", metavar="TEXT", multiple=True, help="Only runs whose id contains this; may be repeated.")
@click.option("--jobs", type=click.IntRange(1, 64), metavar="N", help="How many runs at once.")
@click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 … (default: a GPU where there is one).")
@json_option
@click.pass_context
def command(
    context: click.Context,
    experiments: Sequence[str],
    scale: str,
    seeds: int | None,
    variants: Sequence[str],
    settings: Sequence[str],
    only: Sequence[str],
    jobs: int | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Train here what the experiments still lack. What is done is skipped, what is half done carries on.

    For example:  repro run figure6 --scale smoke --seeds 2
    """
    chosen = not_skipped(selected(experiments, scale, seeds, variants, settings))
    runs = [run for run in runs_of(tuple(chosen.values())) if not only or any(text in run.id for text in only)]
    code = train_here(runs, places(), jobs, device, as_json)
    context.exit(code)


def train_here(
    runs: Sequence[Run], here: Places, jobs: int | None = None, device: str | None = None, as_json: bool = False
) -> int:
    """Train the runs in worker processes with live progress; answer the exit code."""
    from repro.cli.live import Live
    from repro.here import Slots, lacking

    todo = lacking(runs, here)
    click.echo(f"{len(runs)} runs: {len(runs) - len(todo)} done, {len(todo)} to train", err=True)
    cores = len(os.sched_getaffinity(0))
    at_once = jobs or (1 if device and device.startswith("cuda") else min(cores, max(1, len(todo))))
    slots = Slots(here, at_once, threads=max(1, cores // at_once), device=device)
    ended = []
    with Live(here, {run.id: run for run in runs}, len(todo)) as live:
        for event in slots.train(todo, live.look):
            ended.append(event)
            live.ended(event)
            if event.get("code") == Lacking.code:
                raise Lacking(event["problem"], event["hint"])
    if as_json:
        print_json({"done": len(runs) - len(todo) + sum(e["state"] == "done" for e in ended), "ended": ended})
    return FINE if all(event["state"] == "done" for event in ended) else FAILED
