"""`repro export`: what runs measured, in the files of other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro import api
from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import gather, json_option, print_json, print_scale, select_option
from repro.cli.shared.text_table import counted, print_problems
from repro.errors import FINE, INCOMPLETE, UserError
from repro.protocol.selection import Selection

if TYPE_CHECKING:
    from repro.analysis.export.export_folder import Exported
    from repro.analysis.runs.run_frames import Collected

STDOUT = Path("-")
A_PATH = click.Path(path_type=Path)
CSV = "One CSV: a row for each run, iteration and metric. `-` prints it."
TENSORBOARD = "An event file for each run, for TensorBoard."
RO_CRATE = "A new folder with the published runs as an RO-Crate 1.1, for archives."


@dataclass(frozen=True)
class Targets:
    """Where the numbers go."""

    csv: Path | None
    tensorboard: Path | None
    ro_crate: Path | None

    def check(self, as_json: bool) -> None:
        """Raise an error if there is none, or if two documents would share standard output."""
        if not (self.csv or self.tensorboard or self.ro_crate):
            raise UserError(
                "nothing says where to export to",
                "give `--csv FILE`, `--tensorboard FOLDER` or `--ro-crate FOLDER`",
            )
        # Two documents in one stream could be read by nothing.
        if self.csv == STDOUT and as_json:
            raise UserError(
                "`--csv -` and `--json` both print to standard output", "name a file for the CSV"
            )


@click.command("export", cls=Command)
@select_option("any", scale=None)
@click.option("--csv", type=A_PATH, metavar="FILE", help=CSV)
@click.option("--tensorboard", type=A_PATH, metavar="FOLDER", help=TENSORBOARD)
@click.option("--ro-crate", type=A_PATH, metavar="FOLDER", help=RO_CRATE)
@gather("targets", Targets, ("csv", "tensorboard", "ro_crate"))
@json_option
def command(selection: Selection, targets: Targets, as_json: bool) -> int:
    """Write what the selected runs measured, for other tools. Unfinished runs are included.

    Without EXPERIMENT: all of them. Exit code 3: there is nothing to write yet.

    For example:  repro export figure6 --csv figure6.csv --tensorboard events
    """
    targets.check(as_json)
    selection, collected = print_scale(selection.reproduced())
    csv = targets.csv
    if csv == STDOUT:
        csv = None  # it is printed below, from what the export returns
    exported = api.export(
        selection,
        csv=csv,
        tensorboard=targets.tensorboard,
        ro_crate=targets.ro_crate,
        collected=collected,
    )
    if as_json:
        print_json(_facts(selection, exported))
    else:
        _print(targets, exported)
    _print_counts(exported, targets, collected)
    # A crate is of published runs alone, so that it may be empty where the CSV is not.
    if not exported.series or (targets.ro_crate is not None and not exported.published):
        return INCOMPLETE
    return FINE


def _facts(selection: Selection, exported: Exported) -> dict[str, Any]:
    written = {name: str(path) for name, path in exported.written.items()}
    return {
        "scale": selection.scale,
        "runs": [one.run.id for one in exported.series],
        "published": [run.id for run in exported.published],
        "numbers": _count(exported),
        "written": written,
    }


def _count(exported: Exported) -> int:
    return sum(len(one.numbers) for one in exported.series)


def _print(targets: Targets, exported: Exported) -> None:
    """Print the CSV itself, or where things were written."""
    if targets.csv == STDOUT:
        from repro.analysis.export.tidy_csv import render_csv

        click.echo(render_csv(exported.series), nl=False)
    for path in exported.written.values():
        click.echo(str(path))


def _print_counts(exported: Exported, targets: Targets, collected: Collected) -> None:
    """Say on standard error how much there was, and which folders could not be read."""
    if exported.series:
        numbers = counted(_count(exported), "number")
        click.echo(f"{counted(len(exported.series), 'run')}, {numbers}", err=True)
    else:
        click.echo("no run of this selection has measured anything yet", err=True)
    if targets.ro_crate is not None:
        runs = counted(len(exported.published), "run")
        if exported.published:
            click.echo(f"in the RO-Crate: {runs}, as published", err=True)
        else:
            click.echo("no RO-Crate: no run of this selection is published", err=True)
            click.echo("\nhint: `repro publish` publishes finished runs", err=True)
    print_problems(collected.problems)
