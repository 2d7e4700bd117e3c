"""`repro export`: what runs measured, in the files of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro import api
from repro.cli.click_errors import Command
from repro.cli.options import gather, json_option, print_json, print_scale, select_option
from repro.cli.text_table import counted
from repro.errors import FINE, INCOMPLETE, UserError
from repro.protocol.selection import Selection

if TYPE_CHECKING:
    from repro.analysis.export.series import Series
    from repro.analysis.runs.frames import Collected

STDOUT = Path("-")


@dataclass(frozen=True)
class Targets:
    """Where the numbers go."""

    csv: Path | None
    tensorboard: Path | None

    def check(self, as_json: bool) -> None:
        """Raise an error if there is none, or if two documents would share standard output."""
        if not (self.csv or self.tensorboard):
            raise UserError(
                "nothing says where to export to", "give `--csv FILE` or `--tensorboard FOLDER`"
            )
        if self.csv == STDOUT and as_json:
            raise UserError(
                "`--csv -` and `--json` both print to standard output", "name a file for the CSV"
            )


@click.command("export", cls=Command)
@select_option("any", scale=None)
@click.option(
    "--csv",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="One CSV: a row for each run, iteration and metric. `-` prints it.",
)
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="An event file for each run, for TensorBoard.",
)
@gather("targets", Targets, ("csv", "tensorboard"))
@json_option
def command(selection: Selection, targets: Targets, as_json: bool) -> int:
    """Write what the selected runs measured for other tools, finished or not.

    Without EXPERIMENT: all of them. Exit code 3 where no run has measured anything yet.

    For example:  repro export figure6 --csv figure6.csv --tensorboard events
    """
    targets.check(as_json)
    asked = selection.reproduced()
    pages = asked.whole(*(asked.experiments or ("all",))).declared().values()
    selection, collected = print_scale(selection, pages)
    file = None if targets.csv == STDOUT else targets.csv
    series = api.export(selection, csv=file, tensorboard=targets.tensorboard, collected=collected)
    if as_json:
        print_json(_facts(selection, targets, series))
    else:
        _print(targets, series)
    _print_counts(series, collected)
    return FINE if series else INCOMPLETE


def _facts(selection: Selection, targets: Targets, series: Sequence[Series]) -> dict[str, Any]:
    written = {"csv": targets.csv, "tensorboard": targets.tensorboard}
    facts: dict[str, Any] = {"scale": selection.scale, "runs": [one.run.id for one in series]}
    for name, path in written.items():
        facts[name] = str(path) if path and series else None
    return facts | {"numbers": sum(len(one.numbers) for one in series)}


def _print(targets: Targets, series: Sequence[Series]) -> None:
    """Print the CSV itself, or where things were written."""
    if targets.csv == STDOUT:
        from repro.analysis.export.tidy_csv import render_csv

        click.echo(render_csv(series), nl=False)
    if not series:
        return
    for path in (targets.csv, targets.tensorboard):
        if path and path != STDOUT:
            click.echo(str(path))


def _print_counts(series: Sequence[Series], collected: Collected) -> None:
    """Say on standard error how much there was, and which folders could not be read."""
    numbers = counted(sum(len(one.numbers) for one in series), "number")
    if series:
        click.echo(f"{counted(len(series), 'run')}, {numbers}", err=True)
    else:
        click.echo("no run of this selection has measured anything yet", err=True)
    for problem in collected.problems:
        click.echo(f"Warning: {problem.folder}: {problem.problem}", err=True)
