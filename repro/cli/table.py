"""`repro table T`: a table of the paper with ours beside it."""

from __future__ import annotations

import click

from repro import api
from repro.cli.click_errors import Command
from repro.cli.options import (
    TEXT_FORMATS,
    exit_code_of,
    json_option,
    print_scale,
    select_option,
    strict_option,
)
from repro.cli.param_types import OneOf
from repro.errors import FAILED
from repro.protocol.pages import table_page
from repro.protocol.selection import Selection


@click.command("table", cls=Command)
@select_option("one", scale=None, metavar="TABLE", kinds=("table",))
@click.option(
    "--format",
    "form",
    type=OneOf(TEXT_FORMATS),
    default="table",
    help="What is printed (default: table).",
)
@strict_option
@json_option
def command(selection: Selection, form: str, strict: bool, as_json: bool) -> int:
    """Print a table of the paper with ours beside it, and write it in every format.

    Exit code 3 as long as it has no number of ours.

    For example:  repro table table6 --format latex
    """
    return print_table(selection, "json" if as_json else form, strict)


def print_table(selection: Selection, form: str = "table", strict: bool = False) -> int:
    """Print the table, say where it was written, and return the exit code."""
    page = table_page(selection.experiments[0])
    selection, collected = print_scale(selection, [page])
    result = api.table(selection, strict, collected)
    click.echo(result.render(form), nl=False)
    endings = ",".join(path.suffix[1:] for path in result.files)
    click.echo(f"written: {result.files[0].with_suffix('')}.{{{endings}}}", err=True)
    for problem in collected.problems:
        click.echo(f"Warning: {problem.folder}: {problem.problem}", err=True)
    if result.refused:
        click.echo(f"not averaged: {', '.join(result.refused)}", err=True)
        return FAILED
    return exit_code_of(result.complete, result.collected, result.runs)
