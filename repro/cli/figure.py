"""`repro figure F`: a figure of the paper, drawn from the runs there are, or from the nets themselves."""

from __future__ import annotations

from textwrap import fill

import click

from repro.cli.options import (
    change_options,
    exit_code_of,
    json_option,
    print_json,
    refuse_group,
    scale_of_results,
    scale_option,
    scales_with,
    seeds_option,
)
from repro.cli.text_table import text_width
from repro.definition.experiment import Drawing, Figure, Skipped, at_scale, runs_of
from repro.errors import UserError, did_you_mean, quote
from repro.protocol import catalog
from repro.storage.paths import places

FORMATS = ("svg", "pdf", "png")


def _figures(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [
        name for name in catalog.NAMES if name.startswith("figure") and name.startswith(incomplete)
    ]


@click.command("figure")
@click.argument("name", metavar="FIGURE", shell_complete=_figures)
@scale_option(None)
@seeds_option("Use so many seeds of each run.")
@change_options
@click.option(
    "--format",
    "form",
    default=",".join(FORMATS),
    metavar="LIST",
    help="Of svg, pdf and png (default: all).",
)
@json_option
def command(
    name: str,
    scale: str | None,
    seeds: int | None,
    variants: tuple[str, ...],
    settings: tuple[str, ...],
    form: str,
    as_json: bool,
) -> int:
    """Draw a figure of the paper and print where it is.

    It draws with whatever there is, and says in the figure what is missing. Exit code 3 as long as that is everything.

    For example:  repro figure figure6 --format pdf,png
    """
    figure, forms = _figure(name), _formats(form)
    scales = scales_with(variants, settings)
    chosen = scales[catalog.load_scale(scale).name] if scale is not None else None

    from repro.analysis.figures import architecture, curve_figures
    from repro.analysis.runs.frames import collect

    here = places()
    collected = collect(here)
    chosen_scale = chosen or scale_of_results([figure], collected, scales)
    if isinstance(figure, Drawing):
        drawing, said = architecture.draw(figure), architecture.described(figure)
    else:
        drawing = curve_figures.draw(figure, collected, chosen_scale, seeds)
        said = curve_figures.described(figure, collected, chosen_scale, seeds)
    files = [
        str(path)
        for path in curve_figures.write(
            chosen_scale.named(name), drawing, here, chosen_scale.name, forms
        )
    ]
    if as_json:
        print_json(
            {"experiment": name, "scale": chosen_scale.name, "files": files, "description": said}
        )
    else:
        click.echo("\n".join(files))
        click.echo(fill(said, text_width(), break_on_hyphens=False), err=True)
    wanted = runs_of(at_scale(figure, chosen_scale, seeds))
    runs = collected.of(wanted)
    drawn = (
        runs.points[["train_error", "test_error"]].notna().any(axis=None)
        or runs.responses["response"].notna().any()
    )
    return exit_code_of(not wanted or bool(drawn), runs.records)


def _figure(name: str) -> Figure | Drawing:
    experiment = catalog.load_experiment(refuse_group(name, "draw", Figure, Drawing))
    if isinstance(experiment, Skipped):
        raise UserError(
            f"{quote(name)} is not reproduced here: {experiment.reason}",
            "`repro list` shows what is",
        )
    if not isinstance(experiment, Figure | Drawing):
        raise UserError(f"{quote(name)} is not a figure", f"print it with `repro table {name}`")
    return experiment


def _formats(text: str) -> list[str]:
    """The formats of a list with commas, each once."""
    forms = list(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for form in forms:
        if form not in FORMATS:
            raise UserError(
                f"no figure format {quote(form)}",
                did_you_mean(form, FORMATS, "formats: svg, pdf, png"),
            )
    if not forms:
        raise UserError("`--format` names no format", "formats: svg, pdf, png")
    return forms
