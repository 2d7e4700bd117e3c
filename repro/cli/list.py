"""`repro list`: every table and figure of the paper, and how far it is."""

from __future__ import annotations

import sys
from contextlib import suppress
from textwrap import fill
from typing import Any

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import json_option, print_json, select_option
from repro.cli.shared.text_table import print_rows, text_width
from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.definition.experiment import Experiment, Skipped, runs_of
from repro.errors import UserError
from repro.protocol import catalog
from repro.protocol.selection import Selection
from repro.storage.paths import Places, places, run_folders
from repro.storage.run_files import is_done, read_definition

_HEADING = ("experiment", "done", "published", "left", "state", "what it is")
_NUMBERS = ("done", "published", "left")


@click.command(cls=Command)
@select_option("any")
@json_option
def command(selection: Selection, as_json: bool) -> None:
    """List every table and figure of the paper: its state, its runs, and the GPU-hours left.

    For example:  repro list --scale smoke
    """
    here = places()
    everything = not selection.experiments
    chosen = selection
    if everything:
        chosen = selection.whole(*catalog.NAMES)
    lines = []
    for name, experiment in chosen.experiments_at_scale().items():
        lines.append(_facts(name, experiment, here))
    if as_json:
        print_json({"scale": selection.scale, "experiments": lines})
        return
    shown, skipped = lines, []
    # Titles get the room of what can be told from the counts.
    may_go: tuple[str, ...] = ("published",)
    if everything and sys.stdout.isatty():
        # Rows that never change are one line; they are the last ones of the paper.
        shown = [facts for facts in lines if facts["state"] != "skipped"]
        skipped = lines[len(shown) :]
        may_go = ("state", "published")
    print_rows([_HEADING, *map(_row, shown)], right=_NUMBERS, may_go=may_go)
    if skipped:
        first, last = skipped[0]["experiment"], skipped[-1]["experiment"]
        line = f"not reproduced here: {first} to {last} (`repro show {first}` says why)"
        click.echo(fill(line, text_width()))
    # Whoever asks for scale `paper` by leaving it out may have runs of another one.
    other_scales = sorted(_scales_with_runs(here) - {selection.scale})
    if other_scales and not any(facts["done"] for facts in lines):
        hint = f"`repro list --scale {other_scales[0]}` shows other runs"
        click.echo(f"nothing of scale {selection.scale} is done; {hint}", err=True)


def _facts(name: str, experiment: Experiment, here: Places) -> dict[str, Any]:
    facts = {"experiment": name, "title": experiment.title, "page": experiment.page}
    if isinstance(experiment, Skipped):
        facts |= {"state": "skipped", "done": 0, "published": 0, "total": 0}
        return facts | {"gpu_hours_left": 0.0, "reason": experiment.reason}
    runs = runs_of(experiment)
    left, published = [], 0
    for run in runs:
        # A clone has published records and no folder of the run: that is done as well.
        if not is_done(run.id, here):
            left.append(run)
        published += here.is_published(run.id)
    return facts | {
        "state": _state(len(runs), len(left)),
        "done": len(runs) - len(left),
        "published": published,
        "total": len(runs),
        "gpu_hours_left": float(f"{sum(map(gpu_hours, left)):.4g}"),
    }


def _state(total: int, left: int) -> str:
    if total == 0:
        return "counted"
    if left == 0:
        return "done"
    if left == total:
        return "missing"
    return "partial"


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    done = published = left = "–"
    if facts["total"]:
        done, published = f"{facts['done']}/{facts['total']}", str(facts["published"])
    if facts["gpu_hours_left"]:
        left = format_hours(facts["gpu_hours_left"]).removeprefix("about ")
    return facts["experiment"], done, published, left, facts["state"], facts["title"]


def _scales_with_runs(here: Places) -> set[str]:
    """Return the scales of which a run has a folder here, or is published."""
    scales = set()
    for parent in (here.runs, here.published):
        for folder in run_folders(parent):
            with suppress(UserError):  # what is no run is named by `repro collect`
                scales.add(read_definition(folder).scale)
    return scales
