"""`repro reproduce`: run, collect, table or figure, and diff, in one go."""

from __future__ import annotations

from collections.abc import Sequence

import click

from repro.cli.options import experiments_argument, not_skipped, scale_option, selected
from repro.errors import FAILED, FINE
from repro.experiment import Table, runs_of
from repro.folders import places


@click.command()
@experiments_argument()
@scale_option()
@click.option("--seeds", type=click.IntRange(1, 1000), metavar="N", help="How many seeds of each run.")
@click.option("--only", metavar="TEXT", multiple=True, help="Only runs whose id contains this; may be repeated.")
@click.option("--jobs", type=click.IntRange(1, 64), metavar="N", help="How many runs at once.")
@click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 … (default: a GPU where there is one).")
@click.pass_context
def command(
    context: click.Context,
    experiments: Sequence[str],
    scale: str,
    seeds: int | None,
    only: Sequence[str],
    jobs: int | None,
    device: str | None,
) -> None:
    """Run what is lacking, then show the tables, the figures and the diff.

    For example:  repro reproduce figure6 --scale smoke
    """
    from repro.cli import collect, diff, figure, table
    from repro.cli.run import only_those, train_here

    chosen = not_skipped(selected(experiments, scale, seeds))
    runs = only_those(runs_of(tuple(chosen.values())), only)
    failed = train_here(runs, places(), jobs, device) if runs else FINE
    context.invoke(collect.command)
    for name, experiment in chosen.items():
        click.echo()
        show = table.command if isinstance(experiment, Table) else figure.command
        context.invoke(show, **{show.params[0].name or "": name, "scale": scale})
    click.echo()
    context.invoke(diff.command, experiments=experiments, scale=scale, seeds=seeds)
    context.exit(FAILED if failed else FINE)
