"""`repro run`: train here what an experiment still lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from repro import api
from repro.cli.shared import options
from repro.cli.shared.click_errors import Command
from repro.cli.shared.param_types import WholeNumber
from repro.cli.shared.run_progress import ProgressLines
from repro.definition.experiment import Experiment, Table, runs_of
from repro.errors import FINE
from repro.local.run import LocalResult
from repro.protocol.selection import Selection

AGAIN = "Train finished runs again from the start; the old folders are kept."
MEASURE_AGAIN = "Measure finished runs again from their checkpoints."


def jobs_option(function: Callable[..., Any]) -> Callable[..., Any]:
    about = "How many runs at once."
    return click.option("--jobs", type=WholeNumber(1, 64), metavar="N", help=about)(function)


@click.command(cls=Command)
@options.select_option()
@options.device_option
@jobs_option
@click.option("--again", is_flag=True, help=AGAIN)
@click.option("--measure-again", is_flag=True, help=MEASURE_AGAIN)
@options.json_option
@options.require_clean_option
def command(
    selection: Selection,
    device: str | None,
    jobs: int | None,
    again: bool,
    measure_again: bool,
    as_json: bool,
) -> int:
    """Train on this machine the runs that the experiments still need. Finished runs are skipped,
    and unfinished ones continue from their checkpoints.

    EXPERIMENT is a table, a figure, a group (cifar10, imagenet, all), or runs by their ids with *
    and ?.

    For example:  repro run figure6 --scale smoke --seeds 2
    """
    print_untrained(selection.reproduced().experiments_at_scale())
    with ProgressLines() as lines:
        result = api.run(
            selection,
            jobs=jobs,
            device=device,
            again=again,
            measure_again=measure_again,
            watcher=lines,
        )
    if as_json:
        options.print_json({"done": result.done, "ended": list(result.ended)})
    print_what_next(result)
    # The line would not repeat what was typed, if it changed the runs.
    if result.code == FINE and (result.before or result.ended) and not selection.changed:
        names = " ".join(selection.experiments)
        click.echo(f"next: repro diff {names} --scale {selection.scale}", err=True)
    return result.code


def print_untrained(experiments: Mapping[str, Experiment]) -> None:
    """Name what needs no training: some tables are counted, some figures drawn from the nets."""
    for name, experiment in experiments.items():
        if not runs_of(experiment):
            verb = "table" if isinstance(experiment, Table) else "figure"
            click.echo(f"{name} needs no run: `repro {verb} {name}` makes it", err=True)


def print_what_next(result: LocalResult) -> None:
    """Say what to do about runs that are not done."""
    if result.code == FINE:
        return
    # Each hint once, however many runs it is of.
    for hint in result.hints:
        click.echo(f"\nhint: {hint}", err=True)
    click.echo("\nnext: repro status --failed", err=True)
