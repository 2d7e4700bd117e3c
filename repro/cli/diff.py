"""`repro diff`: our numbers and the paper's claims, each with a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro import api
from repro.cli.shared import options
from repro.cli.shared.click_errors import Command
from repro.cli.shared.streams import paints
from repro.cli.shared.text_table import text_width
from repro.errors import FAILED, FINE, INCOMPLETE, UserError
from repro.protocol.selection import Selection
from repro.storage.access import why_not_kept
from repro.storage.atomic import write_atomic
from repro.storage.input_files import check_input_file
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.analysis.compare.paper_diff import Diff

LARGEST_CSV = 50_000_000  # bytes: a log or a data set that is named by mistake is not read whole
FAIL_ON = "worse,fails"  # `not comparable` and `missing` are no failures of a reproduction
A_PATH = click.Path(path_type=Path)
EXIT_1 = f"Exit 1 on these verdicts ({FAIL_ON})."
AGAINST = "Compare with these numbers, not the paper's."
MIXED = "Average even runs on different images, and say so."


@dataclass(frozen=True)
class Comparison:
    """With what ours is compared, and how strictly."""

    against: Path | None = None  # numbers in the place of the paper's
    strict: bool = False
    allow_mixed: bool = False


@click.command(cls=Command)
@options.select_option("any", scale=None)
@click.option("--fail-on", default=FAIL_ON, metavar="WORDS", help=EXIT_1)
@options.format_option
@options.json_option
@click.option("--verbose", is_flag=True, help="Every number, reason and piece of evidence.")
@click.option("--against", type=A_PATH, metavar="FILE|RESULTS", help=AGAINST)
@options.strict_option
@click.option("--allow-mixed", is_flag=True, help=MIXED)
@options.gather("how", Comparison, ("against", "strict", "allow_mixed"))
def command(
    selection: Selection,
    fail_on: str,
    form: str,
    as_json: bool,
    verbose: bool,
    how: Comparison,
) -> int:
    """Say how our numbers differ from the paper's, and how sure that is.

    Claims come first, then a line for each number. Without EXPERIMENT: all of them, and the text
    is written to results/diff.md too. Exit code 1: a verdict is one that --fail-on names. Exit
    code 3: something is still missing.

    For example:  repro diff table6 figure6
    """
    if how.strict and how.allow_mixed:
        raise UserError(
            "`--strict` and `--allow-mixed` exclude each other", "say one of them, or neither"
        )
    if as_json:
        form = "json"
    return print_diff(selection, form, fail_on, verbose, how)


def print_diff(
    selection: Selection,
    form: str = "table",
    fail_on: str = FAIL_ON,
    verbose: bool = False,
    how: Comparison | None = None,
) -> int:
    """Print the diff, and return the exit code."""
    how = how or Comparison()
    asked = selection.reproduced()
    _check_file(how.against)

    from repro.analysis.compare.paper_diff import parse_verdicts

    failures = parse_verdicts(fail_on)  # a word that is none, before all runs are read
    selection, collected = options.print_scale(asked)
    diff = api.compare(
        selection,
        against=how.against,
        strict=how.strict,
        allow_mixed=how.allow_mixed,
        collected=collected,
    )
    _print(diff, form, verbose)
    # The tracked file has the paper's numbers beside all of ours, whatever is asked for besides.
    whole = not (asked.experiments or asked.seeds or asked.changed or asked.partial)
    if whole and how == Comparison():
        _write_markdown(diff)
    # What was asked not to be averaged, and would have been, is a failure in itself.
    refused = how.strict and any(row.refused for row in diff.rows)
    if refused or diff.fails(failures):
        return FAILED
    if diff.lacking or diff.fails(("missing",)):
        return INCOMPLETE
    return FINE


def _write_markdown(diff: Diff) -> None:
    from repro.analysis.output.diff_sheets import render_diff

    here = places()
    path = here.tables_at(diff.scale) / "diff.md"
    # The diff has been printed: where nothing may be kept, it is a diff all the same.
    if reason := why_not_kept(here.results):
        click.echo(f"not written: {path}, because {reason}", err=True)
        return
    write_atomic(path, render_diff(diff, "md").encode())
    click.echo(f"written: {path}", err=True)


def _print(diff: Diff, form: str, verbose: bool) -> None:
    from repro.analysis.output.diff_json import diff_document
    from repro.analysis.output.diff_sheets import render_diff
    from repro.analysis.output.diff_text import render_text

    if form == "json":
        options.print_json(diff_document(diff))
    elif form == "table":
        click.echo(render_text(diff, text_width(), _painted, verbose), nl=False)
    else:
        click.echo(render_diff(diff, form, verbose), nl=False)  # type: ignore[arg-type]


def _check_file(path: Path | None) -> None:
    """Refuse a CSV of numbers that is no small file: a device or a pipe would never end."""
    if path is None or path.is_dir():
        return
    check_input_file(path, "numbers", "name a CSV of numbers or a folder of results", LARGEST_CSV)


def _painted(text: str, word: str) -> str:
    """Return the text in colour, on a terminal that wants it."""
    from repro.analysis.output.diff_text import COLOURS

    if not paints():
        return text
    return click.style(text, fg=COLOURS.get(word))
