"""`repro diff`: our numbers and the paper's claims, each with a verdict."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.options import (
    change_options,
    experiments_argument,
    json_option,
    print_json,
    refuse_skipped,
    scale_of_results,
    scale_option,
    scales_with,
    seeds_option,
    strict_option,
)
from repro.cli.text_table import text_width
from repro.definition.experiment import at_scale
from repro.errors import FAILED, FINE, INCOMPLETE, UserError
from repro.protocol import catalog
from repro.storage.atomic import write_atomic
from repro.storage.input_files import check_input_file
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.analysis.compare.diff import Diff

LARGEST = 50_000_000  # bytes of a CSV of numbers
FORMATS = ("table", "md", "latex", "csv", "json", "html")


@click.command()
@experiments_argument(required=False)
@scale_option(default=None)
@seeds_option("How many seeds of each run are asked for.")
@change_options
@click.option(
    "--fail-on",
    default="worse,fails",
    metavar="WORDS",
    help="Exit 1 on these verdicts (worse,fails).",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    help="What is printed (default: table).",
)
@json_option
@click.option("--verbose", is_flag=True, help="Every number, reason and piece of evidence.")
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
    experiments: Sequence[str],
    scale: str | None,
    seeds: int | None,
    variants: tuple[str, ...],
    settings: tuple[str, ...],
    fail_on: str,
    form: str,
    as_json: bool,
    verbose: bool,
    against: Path | None,
    allow_mixed: bool = False,
    strict: bool = False,
) -> int:
    """Say how our numbers differ from the paper's, with how much confidence.

    Claims first, then a line for each number. Without EXPERIMENT: all of them, kept as
    results/diff.md too. Exit code 1 on what --fail-on names, 3 as long as something is missing.

    For example:  repro diff table6 figure6
    """
    declared = refuse_skipped(
        {
            name: catalog.load_experiment(name)
            for name in catalog.expand_groups(experiments or ("all",))
        }
    )
    scales = scales_with(variants, settings)
    asked = scales[catalog.load_scale(scale).name] if scale is not None else None
    _check_file(against)
    if strict and allow_mixed:
        raise UserError(
            "`--strict` and `--allow-mixed` exclude each other", "say one of them, or neither"
        )

    from repro.analysis.compare.diff import compare, parse_verdicts
    from repro.analysis.output.diff_sheets import render_diff
    from repro.analysis.runs.frames import collect

    failures = parse_verdicts(fail_on)
    collected = replace(collect(places()), strict=strict)
    chosen = asked or scale_of_results(declared.values(), collected, scales)
    scaled = {name: at_scale(experiment, chosen, seeds) for name, experiment in declared.items()}
    diff = compare(declared, scaled, collected, chosen.name, allow_mixed, against, chosen.note)
    _print(diff, "json" if as_json else form, verbose)
    if not (experiments or against or seeds or chosen.chosen or allow_mixed or strict):
        path = places().tables_at(chosen.name) / "diff.md"
        write_atomic(path, render_diff(diff, "md").encode())
        click.echo(f"written: {path}", err=True)
    refused = strict and any(row.refused for row in diff.rows)
    if refused or diff.fails(failures):
        return FAILED
    return INCOMPLETE if diff.lacking or diff.fails(("missing",)) else FINE


def _print(diff: Diff, form: str, verbose: bool) -> None:
    from repro.analysis.output.diff_json import diff_document
    from repro.analysis.output.diff_sheets import render_diff
    from repro.analysis.output.diff_text import render_text

    if form == "json":
        print_json(diff_document(diff))
    elif form == "table":
        click.echo(render_text(diff, text_width(), _painted, verbose), nl=False)
    else:
        click.echo(render_diff(diff, form, verbose), nl=False)  # type: ignore[arg-type]


def _check_file(path: Path | None) -> None:
    """A CSV of numbers is a file, and small: a device or a pipe would never end."""
    if path is None or path.is_dir():
        return
    check_input_file(path, "numbers", "name a CSV of numbers or a folder of results", LARGEST)


def _painted(text: str, word: str) -> str:
    """In colour on a terminal that wants it."""
    from repro.analysis.output.diff_text import COLOURS

    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, fg=COLOURS.get(word))
