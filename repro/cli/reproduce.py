"""`repro reproduce`: run, collect, table or figure, and diff, in one go."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

import click

from repro.cli.options import (
    experiments_argument,
    filter_runs,
    refuse_skipped,
    scale_option,
    seeds_option,
    select_experiments,
)
from repro.cli.run import local_options, train_here
from repro.definition.experiment import Experiment, Table, runs_of
from repro.errors import FAILED, FINE
from repro.storage.paths import places


@click.command()
@experiments_argument()
@scale_option()
@seeds_option()
@local_options
@click.pass_context
def command(
    context: click.Context,
    experiments: Sequence[str],
    scale: str,
    seeds: int | None,
    only: Sequence[str],
    skip: Sequence[str],
    jobs: int | None,
    device: str | None,
) -> None:
    """Run what is lacking, then show the tables, the figures and the diff.

    For example:  repro reproduce figure6 --scale smoke
    """
    from repro.cli import collect, diff, figure, table

    chosen = refuse_skipped(select_experiments(experiments, scale, seeds))
    runs = filter_runs(runs_of(tuple(chosen.values())), only, skip)
    failed = train_here(runs, places(), jobs, device) if runs else FINE
    context.invoke(collect.command)
    for name, experiment in chosen.items():
        click.echo()
        if isinstance(experiment, Table):
            context.invoke(table.command, name=name, scale=scale, seeds=seeds)
        else:
            context.invoke(figure.command, name=name, scale=scale, seeds=seeds)
    click.echo()
    context.invoke(diff.command, experiments=experiments, scale=scale, seeds=seeds)
    _say_what_next(chosen, scale)
    context.exit(FAILED if failed else FINE)


def _say_what_next(chosen: dict[str, Experiment], scale: str) -> None:
    here = places()
    figures = [
        here.figures_at(scale) / f"{name}.png"
        for name, e in chosen.items()
        if not isinstance(e, Table)
    ]
    for path in figures:
        click.echo(f"\nopen   {path}", err=True)
    repro = "repro" if shutil.which("repro") else os.path.relpath(sys.argv[0])
    click.echo(f"next   {repro} report --scale {scale} --open", err=True)
    click.echo(
        f"       {repro} show table6                      what the paper's own scale would take",
        err=True,
    )
    click.echo(f"       {repro} submit table6 --on CLUSTER       and to send it there", err=True)
