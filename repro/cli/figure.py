"""`repro figure F`: a figure of the paper, drawn from our runs, or from the nets themselves."""

from __future__ import annotations

from textwrap import fill

import click

from repro import api
from repro.cli.click_errors import Command
from repro.cli.options import exit_code_of, json_option, print_json, print_scale, select_option
from repro.cli.text_table import text_width
from repro.errors import UserError, did_you_mean, quote
from repro.protocol.pages import figure_page
from repro.protocol.selection import Selection


@click.command("figure", cls=Command)
@select_option("one", scale=None, metavar="FIGURE", kinds=("figure",))
@click.option(
    "--format",
    "form",
    default=",".join(api.FIGURE_FORMATS),
    metavar="LIST",
    help="Of svg, pdf and png (default: all).",
)
@json_option
def command(selection: Selection, form: str, as_json: bool) -> int:
    """Draw a figure of the paper and print where it is.

    It draws with whatever there is, and says in the figure what is missing. Exit code 3 as long as
    that is everything.

    For example:  repro figure figure6 --format pdf,png
    """
    return print_figure(selection, form, as_json)


def print_figure(
    selection: Selection, form: str = ",".join(api.FIGURE_FORMATS), as_json: bool = False
) -> int:
    """Draw the figure, print its files, and return the exit code."""
    page = figure_page(selection.experiments[0])
    formats = _formats(form)
    selection, collected = print_scale(selection, [page])
    drawn = api.figure(selection, formats, collected)
    files = [str(path) for path in drawn.files]
    if as_json:
        facts = {"experiment": selection.experiments[0], "scale": drawn.scale.name}
        print_json(facts | {"files": files, "description": drawn.description})
    else:
        click.echo("\n".join(files))
        click.echo(fill(drawn.description, text_width(), break_on_hyphens=False), err=True)
    return exit_code_of(drawn.complete, drawn.collected, drawn.runs)


def _formats(text: str) -> list[api.FigureFormat]:
    """Return the formats of a list with commas, each once."""
    formats: list[api.FigureFormat] = []
    for part in text.split(","):
        word = part.strip().lower()
        if word in formats or not word:
            continue
        for known in api.FIGURE_FORMATS:
            if word == known:
                formats.append(known)
                break
        else:
            hint = did_you_mean(word, api.FIGURE_FORMATS, "formats: svg, pdf, png")
            raise UserError(f"no figure format {quote(word)}", hint)
    if not formats:
        raise UserError("`--format` names no format", "formats: svg, pdf, png")
    return formats
