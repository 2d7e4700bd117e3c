"""`repro table T`: a table of the paper with ours beside it."""

from __future__ import annotations

import click

from repro import catalog
from repro.cli import options
from repro.errors import UserError, shown
from repro.experiment import Skipped, Table
from repro.folders import places

FORMATS = ("table", "md", "latex", "csv", "json", "html")


@click.command("table")
@click.argument("experiment", metavar="TABLE", shell_complete=options.names_of("table"))
@options.scale_option(None)
@click.option("--seeds", type=click.IntRange(1, 1000), metavar="N", help="Use at most so many seeds of each run.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", help="What is printed.")
@options.json_option
def command(experiment: str, scale: str | None, seeds: int | None, form: str, as_json: bool) -> None:
    """Print a table of the paper with ours beside it, and write it in every format.

    For example:  repro table table6 --format latex
    """
