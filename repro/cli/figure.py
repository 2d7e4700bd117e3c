"""`repro figure F`: draw a figure of the paper from the runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from repro import catalog
from repro.cli import options
from repro.errors import UserError, did_you_mean, shown
from repro.experiment import Figure
from repro.folders import places

if TYPE_CHECKING:
    from repro.reading import style

FORMATS = ("svg", "pdf", "png")


@click.command("figure")
@options.experiments_argument()
@options.scale_option(None)
@click.option("--seeds", type=click.IntRange(1, 1000), metavar="N", help="Use at most so many seeds of each run.")
@click.option("--format", "form", default=",".join(FORMATS), metavar="LIST", help="Of svg, pdf and png, with commas.")
@options.json_option
def command(experiments: tuple[str, ...], scale: str | None, seeds: int | None, form: str, as_json: bool) -> None:
    """Draw a figure of the paper, and print where it is.

    It draws with whatever there is, and says in the figure what is missing.

    For example:  repro figure figure6 --format pdf
    """
    forms = _formats(form)
    wanted = {name: _figure(name) for name in catalog.expand(experiments)}
    chosen = catalog.scale(scale) if scale else None

    from repro.reading import figures, frame

    here = places()
    collected = frame.collect(here)
    at_scale = chosen or catalog.scale(frame.scale_with_results(wanted.values(), collected))
    drawn = []
    for name, figure in wanted.items():
        drawing = figures.draw(figure, collected, at_scale, seeds)
        paths = figures.write(name, drawing, here, at_scale.name, forms)
        drawn.append({"experiment": name, "scale": at_scale.name, "files": [str(path) for path in paths]})
    _say(drawn, as_json)


def _say(drawn: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        options.print_json({"figures": drawn})
        return
    for figure in drawn:
        for path in figure["files"]:
            click.echo(path)


def _figure(name: str) -> Figure:
    experiment = catalog.load(name)
    if isinstance(experiment, Figure):
        return experiment
    figures = [known for known in catalog.NAMES if known.startswith("figure")]
    raise UserError(
        f"{shown(name)} is not a figure", f"figures: {', '.join(figures)}; for a table: `repro table {name}`"
    )


def _formats(text: str) -> list[style.Format]:
    forms = [part.strip().lower() for part in text.split(",") if part.strip()]
    for form in forms:
        if form not in FORMATS:
            raise UserError(f"no figure format {shown(form)}", did_you_mean(form, FORMATS, "formats: svg, pdf, png"))
    if not forms:
        raise UserError("`--format` names no format", "formats: svg, pdf, png")
    return list(dict.fromkeys(forms))  # type: ignore[arg-type]
