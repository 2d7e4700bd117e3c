"""`repro reproduce`: run, collect, table or figure, and diff, in one go."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import click

from repro import api
from repro.cli.run import jobs_option, print_what_next
from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import device_option, require_clean_option, select_option
from repro.cli.shared.run_progress import ProgressLines
from repro.cli.shared.text_table import text_width
from repro.definition.experiment import Experiment, Table, runs_of
from repro.errors import FINE
from repro.protocol.selection import Selection
from repro.storage.atomic import write_atomic
from repro.storage.paths import places


@click.command(cls=Command)
@select_option()
@device_option
@jobs_option
@require_clean_option
def command(selection: Selection, device: str | None, jobs: int | None) -> int:
    """Train the runs that are missing, show the tables and figures, and say what came out.

    --only and --skip limit the runs that are trained, and the diff, which is written to
    results/<scale>/diff.txt. Tables and figures show everything there is of the experiments.

    For example:  repro reproduce figure6 --scale smoke
    """
    from repro.cli.collect import collect_and_print
    from repro.cli.figure import print_figures
    from repro.cli.table import print_tables

    code = FINE  # where nothing is to be trained; verdicts do not count, for that is `repro diff`
    experiments = selection.reproduced().experiments_at_scale()
    if any(map(runs_of, experiments.values())):
        with ProgressLines() as lines:
            result = api.run(selection, jobs=jobs, device=device, watcher=lines)
        print_what_next(result)
        code = result.code
    collect_and_print()  # before the pages: each of them would read the new folders again
    for name, experiment in experiments.items():
        click.echo()
        if isinstance(experiment, Table):
            print_tables(_page(selection, name))
        else:
            # The closing words say what came out, in two lines and not in thirteen.
            print_figures(_page(selection, name), in_words=False)
    _print_closing_words(selection, experiments)
    return code


def _print_closing_words(selection: Selection, experiments: Mapping[str, Experiment]) -> None:
    """Write the diff of what is selected into a file, and say in plain lines what came out."""
    from repro.analysis.output.diff_text import render_text
    from repro.analysis.output.plain_words import closing_words

    scale, collected = selection.chosen_scale(), api.collect()
    diff = api.compare(selection, collected=collected)
    # Whole in a file, and not on the screen: the closing words would scroll away.
    path = places().tables_at(scale.name) / "diff.txt"
    write_atomic(path, render_text(diff, verbose=True).encode())
    words = " ".join(closing_words(diff, collected, scale))
    click.echo()
    click.echo(fill(words, text_width(), break_on_hyphens=False))
    picture = _picture(selection, experiments)
    if picture:
        click.echo(f"Picture: {_from_here(picture)}")
    click.echo(f"Diff: {_from_here(path)}")
    repro = _as_typed()
    click.echo(f"Next: {repro} report --scale {scale.name} --open")
    if scale.name != "paper":
        click.echo(f"      {repro} show table6      (what the paper's own scale would take)")


def _picture(selection: Selection, experiments: Mapping[str, Experiment]) -> Path | None:
    """Return the figure to look at first: the last one asked for, as Figure 6 is of 1 and 6."""
    last = ""
    for name, page in experiments.items():
        if not isinstance(page, Table):
            last = name
    if not last:
        return None
    scale = _page(selection, last).chosen_scale()
    return places().figures_at(scale.name) / f"{scale.named(last)}.png"


def _page(selection: Selection, name: str) -> Selection:
    """Return the whole table or figure, if it was named; else what is selected of it.

    So the demo's figure is the one that `repro figure` draws, in the same file.
    """
    if name in selection.plain_names:
        return selection.whole(name)
    return selection.on_page(name)


def _as_typed() -> str:
    """Return the words that call repro here."""
    # What is printed is copied and typed: it must work in this shell.
    if shutil.which("repro"):
        return "repro"
    if Path(sys.argv[0]).name == "__main__.py":
        return "python -m repro.cli"
    return os.path.relpath(sys.argv[0])


def _from_here(path: Path) -> str:
    """Return a path as it is typed: from this folder, if it is inside."""
    here = Path.cwd()
    if path.is_relative_to(here):
        path = path.relative_to(here)
    return str(path)
