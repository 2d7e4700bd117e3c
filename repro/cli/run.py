"""`repro run`: train here what an experiment still lacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from repro.cli.options import (
    experiments_argument,
    json_option,
    not_skipped,
    print_json,
    scale_option,
    selected,
    selection_options,
)
from repro.errors import FAILED, FINE, Lacking, UserError, shown
from repro.experiment import runs_of
from repro.folders import Places, places
from repro.spec import Run


def here_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which runs, how many at once, and on what."""
    for option in (
        click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 … (default: a GPU where there is one)."),
        click.option("--jobs", type=click.IntRange(1, 64), metavar="N", help="How many runs at once."),
        click.option("--skip", metavar="TEXT", multiple=True, help="No runs whose id contains this."),
        click.option("--only", metavar="TEXT", multiple=True, help="Only runs whose id contains this."),
    ):
        function = option(function)
    return function


@click.command()
@experiments_argument()
@scale_option()
@selection_options
@here_options
@click.option("--again", is_flag=True, help="Train from nothing what is done already; the old folder is kept aside.")
@click.option("--measure-again", is_flag=True, help="Measure finished runs again from their checkpoints.")
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
    skip: Sequence[str],
    jobs: int | None,
    device: str | None,
    again: bool,
    measure_again: bool,
    as_json: bool,
) -> None:
    """Train here what the experiments still lack. What is done is skipped, what is half done carries on.

    For example:  repro run figure6 --scale smoke --seeds 2
    """
    chosen = not_skipped(selected(experiments, scale, seeds, variants, settings))
    runs = only_those(runs_of(tuple(chosen.values())), only, skip)
    if again:
        from repro.here import set_aside

        for run in runs:
            set_aside(run, places())
    context.exit(train_here(runs, places(), jobs, device, again or measure_again, as_json))


def only_those(runs: Sequence[Run], only: Sequence[str], skip: Sequence[str]) -> list[Run]:
    """The runs whose ids contain one of the first texts (if any is given) and none of the second."""
    chosen = [run for run in runs if not only or any(text in run.id for text in only)]
    if only and not chosen:
        raise UserError(f"no run's id contains {' or '.join(map(shown, only))}", "`repro show` lists the ids")
    return [run for run in chosen if not any(text in run.id for text in skip)]


def train_here(
    runs: Sequence[Run],
    here: Places,
    jobs: int | None = None,
    device: str | None = None,
    also_done: bool = False,
    as_json: bool = False,
) -> int:
    """Train the runs in worker processes with live progress; answer the exit code."""
    from repro.cli.live import Live
    from repro.here import Slots, lacking

    todo = list(runs) if also_done else lacking(runs, here)
    click.echo(f"{len(runs)} runs: {len(runs) - len(todo)} done, {len(todo)} to do", err=True)
    cores = len(os.sched_getaffinity(0))
    at_once = jobs or (1 if device and device.startswith("cuda") else min(cores, max(1, len(todo))))
    slots = Slots(here, at_once, threads=max(1, cores // at_once), device=device, measure_again=also_done)
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
