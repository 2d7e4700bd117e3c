"""`repro reproduce`: run, collect, table or figure, and diff, in one go."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

import click

from repro import api
from repro.cli.click_errors import Command
from repro.cli.options import device_option, select_option
from repro.cli.progress import ProgressLines
from repro.cli.run import jobs_option, print_what_next
from repro.definition.experiment import Experiment, Table, runs_of
from repro.errors import FINE
from repro.protocol.selection import Selection
from repro.storage.paths import places


@click.command(cls=Command)
@select_option()
@device_option
@jobs_option
def command(selection: Selection, device: str | None, jobs: int | None) -> int:
    """Run what is lacking, then show the tables, the figures and the diff.

    For example:  repro reproduce figure6 --scale smoke
    """
    from repro.cli.collect import collect_and_print
    from repro.cli.diff import print_diff
    from repro.cli.figure import print_figure
    from repro.cli.table import print_table

    code = FINE
    experiments = selection.reproduced().experiments_at_scale()
    if any(runs_of(experiment) for experiment in experiments.values()):
        with ProgressLines() as lines:
            result = api.run(selection, jobs=jobs, device=device, watcher=lines)
        print_what_next(result)
        code = result.code
    collect_and_print()
    for name, experiment in experiments.items():
        click.echo()
        if isinstance(experiment, Table):
            print_table(selection.whole(name))
        else:
            print_figure(selection.whole(name))
    click.echo()
    print_diff(selection.whole(*experiments))
    _print_next(experiments, selection.chosen_scale().name)
    return code


def _print_next(experiments: Mapping[str, Experiment], scale: str) -> None:
    for name, experiment in experiments.items():
        if not isinstance(experiment, Table):
            path = places().figures_at(scale) / f"{name}.png"
            click.echo(f"\nopen   {path}", err=True)
    repro = "repro" if shutil.which("repro") else os.path.relpath(sys.argv[0])
    click.echo(f"next   {repro} report --scale {scale} --open", err=True)
    show = f"{repro} show table6"
    click.echo(f"       {show:<34}what the paper's own scale would take", err=True)
    click.echo(f"       {repro} submit table6 --on CLUSTER       and to send it there", err=True)
