"""`repro figure F…`: figures of the paper, drawn from the runs there are, or from the nets."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import click

from repro import api
from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import json_option, print_json, print_scale, select_option
from repro.cli.shared.page_exit import exit_code_of, is_one_document, print_left_out, worst_of
from repro.cli.shared.text_table import text_width
from repro.errors import UserError, did_you_mean, quote
from repro.protocol.selected_pages import FIGURES
from repro.protocol.selection import Selection

ALL = ",".join(api.FIGURE_FORMATS)
# All by default: SVG for a page, PDF for a paper, PNG for a mail.
FORMAT = "Of svg, pdf and png (default: all)."


@click.command("figure", cls=Command)
@select_option("some", scale=None, metavar="FIGURE", kinds=("figure",))
@click.option("--format", "form", default=ALL, metavar="LIST", help=FORMAT)
@json_option
def command(selection: Selection, form: str, as_json: bool) -> int:
    """Draw figures of the paper and print where they are.

    A group stands for its figures. Each shows the runs there are, and says what is missing. Exit
    code 3: a figure shows nothing of ours yet.

    For example:  repro figure figure6 --format pdf,png
    """
    return print_figures(selection, form, as_json)


def print_figures(
    selection: Selection, form: str = ALL, as_json: bool = False, in_words: bool = True
) -> int:
    """Draw the figures, print their files and what they show, and return the exit code."""
    FIGURES.check(selection)
    formats = _formats(form)
    selection, collected = print_scale(selection)
    names = FIGURES.names(selection)
    results, codes = [], []
    for name in names:
        result = api.figure(selection.on_page(name), formats, collected)
        results.append(result)
        codes.append(exit_code_of(result.complete, result.collected, result.runs))
    if as_json:
        facts = list(map(_facts, names, results))
        document: dict[str, Any] = {"figures": facts}
        if is_one_document(selection, names):
            [document] = facts
        print_json(document)
    else:
        _print(names, results, in_words)
    print_left_out(selection, names)
    return worst_of(codes)


def _facts(name: str, result: api.FigureResult) -> dict[str, Any]:
    return {
        "experiment": name,
        "scale": result.scale.name,
        "files": list(map(str, result.files)),
        "description": result.description,
    }


def _print(names: Sequence[str], results: Sequence[api.FigureResult], in_words: bool) -> None:
    """Print the files, and on standard error what each figure shows."""
    for name, result in zip(names, results, strict=True):
        click.echo("\n".join(map(str, result.files)))
        if not in_words:
            continue
        words = result.description
        if len(names) > 1:
            words = f"{name}: {words}"
        click.echo(fill(words, text_width(), break_on_hyphens=False), err=True)


def _formats(text: str) -> list[api.FigureFormat]:
    """Return the formats of a list with commas, each once."""
    # The words in the order they were typed: scripts take the first file.
    formats: list[api.FigureFormat] = []
    for part in text.split(","):
        word = part.strip().lower()
        if word in formats or not word:  # twice, or a comma at the end
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
