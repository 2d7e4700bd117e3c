"""`repro table T…`: tables of the paper with ours beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from repro import api
from repro.cli.shared import options
from repro.cli.shared.click_errors import Command
from repro.cli.shared.page_exit import exit_code_of, is_one_document, print_left_out, worst_of
from repro.cli.shared.text_table import print_problems
from repro.errors import FAILED
from repro.protocol.selected_pages import TABLES
from repro.protocol.selection import Selection


@click.command("table", cls=Command)
@options.select_option("some", scale=None, metavar="TABLE", kinds=("table",))
@options.format_option
@options.strict_option
@options.json_option
def command(selection: Selection, form: str, strict: bool, as_json: bool) -> int:
    """Print tables of the paper with ours beside them, and write each in every format.

    A group stands for its tables. Exit code 3: a table has no number of ours yet.

    For example:  repro table table6 --format latex
    """
    if as_json:
        form = "json"
    return print_tables(selection, form, strict)


def print_tables(selection: Selection, form: str = "table", strict: bool = False) -> int:
    """Print the tables, say where they were written, and return the exit code."""
    TABLES.check(selection)
    selection, collected = options.print_scale(selection)
    names = TABLES.names(selection)
    results: list[api.TableResult] = []
    refused: list[str] = []
    for name in names:
        result = api.table(selection.on_page(name), strict, collected)
        results.append(result)
        refused += result.refused
    _print(results, form, one=is_one_document(selection, names))
    codes = []
    for result in results:
        # One line for the six files of a table, as a shell would expand it.
        endings = ",".join(path.suffix[1:] for path in result.files)
        click.echo(f"written: {result.files[0].with_suffix('')}.{{{endings}}}", err=True)
        codes.append(exit_code_of(result.complete, result.collected, result.runs))
    print_left_out(selection, names)
    print_problems(collected.problems)
    # Asked for by `--strict`, so that a table without these means is a failure.
    if refused:
        click.echo(f"not averaged: {', '.join(refused)}", err=True)
        return FAILED
    return worst_of(codes)


def _print(results: Sequence[api.TableResult], form: str, one: bool) -> None:
    """Print the tables as one document: JSON and CSV have one head, others a line between."""
    texts = [result.render(form) for result in results]
    if form == "json" and not one:
        options.print_json({"tables": list(map(json.loads, texts))})
    elif form == "csv":  # one file that a program reads, so that the heading stands once
        head, _, _ = texts[0].partition("\n")
        rows = [text.removeprefix(f"{head}\n") for text in texts]
        click.echo("\n".join([head, "".join(rows)]), nl=False)
    else:
        click.echo("\n".join(texts), nl=False)
