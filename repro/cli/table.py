"""`repro table T`: a table of the paper with ours beside it."""

from __future__ import annotations

import click

from repro import catalog
from repro.cli.options import json_option, scale_option
from repro.errors import UserError, shown
from repro.experiment import Skipped, Table
from repro.folders import places

FORMATS = ("table", "md", "latex", "csv", "json", "html")


def _tables(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in catalog.NAMES if name.startswith("table") and name.startswith(incomplete)]


@click.command("table")
@click.argument("name", metavar="TABLE", shell_complete=_tables)
@scale_option(None)
@click.option("--seeds", type=click.IntRange(1, 1000), metavar="N", help="Use so many seeds of each run.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="What is printed (default: table).")
@json_option
def command(name: str, scale: str | None, seeds: int | None, form: str, as_json: bool) -> None:
    """Print a table of the paper with ours beside it, and write it in every format.

    For example:  repro table table6 --format latex
    """
    table = _table(name)
    chosen = catalog.scale(scale) if scale else None

    from repro.reading import formats, tables
    from repro.reading.frame import collect, scale_with_results

    here = places()
    collected = collect(here)
    at_scale = chosen or catalog.scale(scale_with_results([table], collected))
    sheet = tables.sheet(name, table, collected, at_scale, seeds)
    written = tables.write(name, sheet, here, at_scale.name)
    click.echo(formats.render(sheet, "json" if as_json else form), nl=False)  # type: ignore[arg-type]
    click.echo(f"written: {written[0].with_suffix('')}.{{{','.join(path.suffix[1:] for path in written)}}}", err=True)
    for problem in collected.problems:
        click.echo(f"left out: {problem.folder}: {problem.problem}", err=True)


def _table(name: str) -> Table:
    """The table of that name, if it is one that is reproduced."""
    experiment = catalog.load(name)
    if isinstance(experiment, Skipped):
        raise UserError(f"{shown(name)} is not reproduced here: {experiment.reason}", "`repro list` shows what is")
    if not isinstance(experiment, Table):
        raise UserError(f"{shown(name)} is not a table", f"draw it with `repro figure {name}`")
    return experiment
