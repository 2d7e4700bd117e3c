"""`repro run`: train here what an experiment still lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from repro.cli.options import (
    WholeNumber,
    checked_device,
    device_option,
    experiments_argument,
    filter_runs,
    json_option,
    only_options,
    print_json,
    refuse_skipped,
    scale_option,
    select_experiments,
    selection_options,
)
from repro.cli.text_table import counted
from repro.definition.experiment import Experiment, runs_of
from repro.definition.run import Run
from repro.errors import FAILED, FINE, EnvironmentProblem, UserError, quote
from repro.storage.paths import Places, places

TORCH = (2, 11)  # the oldest that is known to work


def local_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which runs, how many at once, and on what."""
    for option in (
        device_option,
        click.option("--jobs", type=WholeNumber(1, 64), metavar="N", help="How many runs at once."),
        only_options,
    ):
        function = option(function)
    return function


@click.command()
@experiments_argument()
@scale_option()
@selection_options
@local_options
@click.option(
    "--again",
    is_flag=True,
    help="Train from nothing what is done already; the old folder is kept aside.",
)
@click.option(
    "--measure-again", is_flag=True, help="Measure finished runs again from their checkpoints."
)
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
    chosen = refuse_skipped(select_experiments(experiments, scale, seeds, variants, settings))
    runs = filter_runs(runs_of(tuple(chosen.values())), only, skip)
    print_untrained(chosen)
    if again:
        checked_device(device)  # what would stop the new runs must not move the old ones
        check_data(runs, places())
        check_idle(runs, places())
        for run in runs:
            places().run(run.id).set_aside()
    code = train_here(runs, places(), jobs, device, again or measure_again, as_json)
    if code == FINE and runs and not (variants or settings):
        click.echo(f"next: repro diff {' '.join(experiments)} --scale {scale}", err=True)
    context.exit(code)


def print_untrained(experiments: dict[str, Experiment]) -> None:
    """Name what needs no training: some tables are counted, some figures drawn from the nets."""
    for name, experiment in experiments.items():
        if not runs_of(experiment):
            verb = "table" if name.startswith("table") else "figure"
            click.echo(f"{name} needs no run: `repro {verb} {name}` makes it", err=True)


def check_data(runs: Sequence[Run], here: Places) -> None:
    """Every data set that the runs read is there and as large as a batch; said before anything begins."""
    from repro.data import registry

    largest = {
        run.recipe.dataset: run.recipe.batch
        for run in sorted(runs, key=lambda run: run.recipe.batch)
    }
    for name, batch in largest.items():
        found = registry.dataset_info(name, here.data)
        if found.state == "missing":
            raise EnvironmentProblem(
                f"no data set {quote(name)} in {quote(here.data, 300)}", found.hint or ""
            )
        if found.state == "damaged":
            raise EnvironmentProblem(f"data set {quote(name)}: {found.problem}", found.hint or "")
        if found.train_images is not None and batch > found.train_images:
            problem = f"`recipe.batch` {quote(batch)} is more than the {found.train_images:,} training images"
            raise UserError(f"{problem} of {quote(name)}", "choose a smaller batch")


def check_torch() -> None:
    """Whether PyTorch is there and new enough, without importing it: said once, and not by each worker."""
    from importlib import metadata, util

    if util.find_spec("torch") is None:
        raise ModuleNotFoundError(name="torch")
    try:
        found = metadata.version("torch")
    except metadata.PackageNotFoundError:  # not installed by a packager
        return
    if tuple(int(part) for part in re.findall(r"[0-9]+", found)[:2]) < TORCH:
        newest = ".".join(map(str, TORCH))
        raise EnvironmentProblem(
            f"PyTorch {found} is too old: it must be {newest} or newer",
            f"`pip install 'torch>={newest}'`",
        )


def say_slow(runs: Sequence[Run], device: str | None) -> None:
    """Say before anything begins that the processor computes bfloat16 slowly, and what to type."""
    from repro.provenance.processor import IN_FP32, computes_bf16, in_bf16, trains_on_cpu

    slow = in_bf16(runs)
    if slow and trains_on_cpu(device) and computes_bf16() is False:
        many = f"{len(slow)} of {counted(len(runs), 'run')} in bfloat16"
        why = "this processor has no instructions for it, and fp32 is 4 to 14 times as fast"
        click.echo(f"Warning: {many}: {why} (`repro doctor` measures it)", err=True)
        click.echo(f"hint: {IN_FP32}\n", err=True)


def check_idle(runs: Sequence[Run], here: Places) -> None:
    """Raise where one of the runs is at work: two would take turns in stopping each other."""
    from repro.cluster.status.at_work import refuse_if_at_work

    refuse_if_at_work([run.id for run in runs], here, partial(click.echo, err=True))


def train_here(
    runs: Sequence[Run],
    here: Places,
    jobs: int | None = None,
    device: str | None = None,
    also_done: bool = False,
    as_json: bool = False,
) -> int:
    """Train the runs in worker processes with live progress; answer the exit code."""
    from repro.cli.progress import ProgressLines
    from repro.local.workers import WorkerPool, runs_to_train

    device = checked_device(device)
    todo = list(runs) if also_done else runs_to_train(runs, here)
    if todo:
        check_torch()
        check_data(todo, here)
        check_idle(todo, here)
        say_slow(todo, device)
    click.echo(
        f"{counted(len(runs), 'run')}: {len(runs) - len(todo)} done, {len(todo)} to do", err=True
    )
    cores = len(os.sched_getaffinity(0))
    at_once = jobs or (1 if device and device.startswith("cuda") else min(cores, max(1, len(todo))))
    slots = WorkerPool(
        here, at_once, threads=max(1, cores // at_once), device=device, measure_again=also_done
    )
    ended = []
    with ProgressLines(here, {run.id: run for run in runs}, len(todo)) as live:
        for event in slots.train(todo, live.look):
            ended.append(event)
            live.ended(event)
            if event.get("code") == EnvironmentProblem.code:
                raise EnvironmentProblem(event["problem"], event["hint"])
    if as_json:
        print_json(
            {
                "done": len(runs) - len(todo) + sum(e["state"] == "done" for e in ended),
                "ended": ended,
            }
        )
    if all(event["state"] == "done" for event in ended):
        return FINE
    for hint in dict.fromkeys(event["hint"] for event in ended if event.get("hint")):
        click.echo(f"\nhint: {hint}", err=True)
    click.echo("\nnext: repro status --failed", err=True)
    return FAILED
