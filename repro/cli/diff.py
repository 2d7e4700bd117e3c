"""`repro diff`: our numbers and the paper's claims, each with a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro import api
from repro.cli.click_errors import Command
from repro.cli.options import (
    TEXT_FORMATS,
    OneOf,
    json_option,
    print_json,
    print_scale,
    select_option,
    strict_option,
)
from repro.cli.streams import paints
from repro.cli.text_table import text_width
from repro.errors import FAILED, FINE, INCOMPLETE, UserError
from repro.protocol.selection import Selection
from repro.storage.atomic import write_atomic
from repro.storage.input_files import check_input_file
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.analysis.compare.diff import Diff

LARGEST_CSV = 50_000_000  # bytes
FAIL_ON = "worse,fails"


@click.command(cls=Command)
@select_option("any", scale=None)
@click.option(
    "--fail-on", default=FAIL_ON, metavar="WORDS", help=f"Exit 1 on these verdicts ({FAIL_ON})."
)
@click.option(
    "--format",
    "form",
    type=OneOf(TEXT_FORMATS),
    default="table",
    help="What is printed (default: table).",
)
@json_option
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FILE|RESULTS",
    help="Compare with these numbers, not the paper's.",
)
@strict_option
@click.option(
    "--allow-mixed", is_flag=True, help="Average even runs on different images, and say so."
)
def command(
    selection: Selection,
    fail_on: str,
    form: str,
    as_json: bool,
    against: Path | None,
    strict: bool,
    allow_mixed: bool,
) -> int:
    """Say how our numbers differ from the paper's, with how much confidence.

    Without EXPERIMENT: all of them, kept as results/diff.md too; what is missing is then no failure.

    For example:  repro diff table6 figure6
    """
    if strict and allow_mixed:
        raise UserError(
            "`--strict` and `--allow-mixed` exclude each other", "say one of them, or neither"
        )
    form = "json" if as_json else form
    return print_diff(selection, form, fail_on, against, strict, allow_mixed)


def print_diff(
    selection: Selection,
    form: str = "table",
    fail_on: str = FAIL_ON,
    against: Path | None = None,
    strict: bool = False,
    allow_mixed: bool = False,
) -> int:
    """Print the diff, and return the exit code."""
    asked = selection.reproduced()
    pages = asked.whole(*(asked.experiments or ("all",))).declared().values()
    _check_file(against)

    from repro.analysis.compare.diff import parse_verdicts

    failures = parse_verdicts(fail_on)
    selection, collected = print_scale(selection, pages)
    diff = api.compare(
        selection, against=against, strict=strict, allow_mixed=allow_mixed, collected=collected
    )
    _print(diff, form)
    whole = not (asked.experiments or asked.seeds or asked.changed or asked.partial)
    if whole and not (against or allow_mixed or strict):
        _write_markdown(diff)
    refused = strict and any(row.refused for row in diff.rows)
    if refused or diff.fails(failures):
        return FAILED
    if asked.experiments and (diff.lacking or diff.fails(("missing",))):
        return INCOMPLETE
    return FINE


def _write_markdown(diff: Diff) -> None:
    from repro.analysis.output.diff_json import render_diff

    path = places().tables_at(diff.scale) / "diff.md"
    write_atomic(path, render_diff(diff, "md").encode())
    click.echo(f"written: {path}", err=True)


def _print(diff: Diff, form: str) -> None:
    from repro.analysis.output.diff_json import diff_document, render_diff
    from repro.analysis.output.diff_text import render_text

    if form == "json":
        print_json(diff_document(diff))
    elif form == "table":
        click.echo(render_text(diff, text_width(), _painted), nl=False)
    else:
        click.echo(render_diff(diff, form), nl=False)  # type: ignore[arg-type]


def _check_file(path: Path | None) -> None:
    """Raise an error unless a CSV of numbers is a small file: a device or a pipe would never end."""
    if path is None or path.is_dir():
        return
    check_input_file(path, "numbers", "name a CSV of numbers or a folder of results", LARGEST_CSV)


def _painted(text: str, word: str) -> str:
    """Return the text in colour, on a terminal that wants it."""
    from repro.analysis.output.diff_text import COLOURS

    return click.style(text, fg=COLOURS.get(word)) if paints() else text
