"""`repro table T`: a table of the paper with ours beside it."""

from __future__ import annotations

from dataclasses import replace

import click

from repro.cli.options import (
    change_options,
    exit_code_of,
    json_option,
    refuse_group,
    scale_of_results,
    scale_option,
    scales_with,
    seeds_option,
    strict_option,
)
from repro.definition.experiment import Skipped, Table, at_scale, runs_of
from repro.errors import FAILED, UserError, quote
from repro.protocol import catalog
from repro.storage.paths import places

FORMATS = ("table", "md", "latex", "csv", "json", "html")


def _tables(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [
        name for name in catalog.NAMES if name.startswith("table") and name.startswith(incomplete)
    ]


@click.command("table")
@click.argument("name", metavar="TABLE", shell_complete=_tables)
@scale_option(None)
@seeds_option("Use so many seeds of each run.")
@change_options
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    help="What is printed (default: table).",
)
@strict_option
@json_option
def command(
    name: str,
    scale: str | None,
    seeds: int | None,
    variants: tuple[str, ...],
    settings: tuple[str, ...],
    form: str,
    as_json: bool,
    strict: bool = False,
) -> int:
    """Print a table of the paper with ours beside it, and write it in every format.

    Exit code 3 as long as it has no number of ours.

    For example:  repro table table6 --format latex
    """
    table = _table(name)
    scales = scales_with(variants, settings)
    chosen = scales[catalog.load_scale(scale).name] if scale is not None else None

    from repro.analysis.compare.numbers import judge_numbers
    from repro.analysis.output import formats, tables
    from repro.analysis.runs.frames import collect

    here = places()
    collected = replace(collect(here), strict=strict)
    chosen_scale = chosen or scale_of_results([table], collected, scales)
    sheet = tables.sheet(name, table, collected, chosen_scale, seeds)
    written = tables.write(chosen_scale.named(name), sheet, here, chosen_scale.name)
    click.echo(formats.render(sheet, "json" if as_json else form), nl=False)  # type: ignore[arg-type]
    click.echo(
        f"written: {written[0].with_suffix('')}.{{{','.join(path.suffix[1:] for path in written)}}}",
        err=True,
    )
    for problem in collected.problems:
        click.echo(f"Warning: {problem.folder}: {problem.problem}", err=True)
    if strict and (
        refused := [
            one.row
            for one in judge_numbers(name, at_scale(table, chosen_scale, seeds), collected)
            if one.refused
        ]
    ):
        click.echo(f"not averaged: {', '.join(dict.fromkeys(refused))}", err=True)
        return FAILED
    wanted = runs_of(at_scale(table, chosen_scale, seeds))
    return exit_code_of(not wanted or tables.has_ours(sheet), collected.of(wanted).records)


def _table(name: str) -> Table:
    """The table of that name, if it is one that is reproduced."""
    experiment = catalog.load_experiment(refuse_group(name, "print", Table))
    if isinstance(experiment, Skipped):
        raise UserError(
            f"{quote(name)} is not reproduced here: {experiment.reason}",
            "`repro list` shows what is",
        )
    if not isinstance(experiment, Table):
        raise UserError(f"{quote(name)} is not a table", f"draw it with `repro figure {name}`")
    return experiment
