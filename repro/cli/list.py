"""`repro list`: every table and figure of the paper, and how far it is."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import click

from repro import catalog
from repro.cli.options import json_option, print_json, scale_option
from repro.estimate import gpu_hours
from repro.experiment import Skipped, at, runs_of
from repro.folders import Places, places


@click.command()
@scale_option()
@json_option
def command(scale: str, as_json: bool) -> None:
    """Every table and figure of the paper: what it is, its state, runs done, GPU-hours left.

    For example:  repro list --scale smoke
    """
    lines = [_facts(name, scale, places()) for name in catalog.NAMES]
    if as_json:
        print_json({"scale": scale, "experiments": lines})
        return
    room = shutil.get_terminal_size().columns - 42 if sys.stdout.isatty() else None
    click.echo(f"{'experiment':<10}  {'runs':>7}  {'left':>9}  {'state':<8}  what it is")
    for facts in lines:
        runs = f"{facts['done']}/{facts['total']}" if facts["total"] else "–"
        left = f"{facts['gpu_hours_left']:.1f} GPU-h" if facts["gpu_hours_left"] else "–"
        click.echo(f"{facts['experiment']:<10}  {runs:>7}  {left:>9}  {facts['state']:<8}  {facts['title'][:room]}")


def _facts(name: str, scale: str, here: Places) -> dict[str, Any]:
    experiment = catalog.load(name)
    facts = {"experiment": name, "title": experiment.title, "page": experiment.page}
    if isinstance(experiment, Skipped):
        none = {"state": "skipped", "done": 0, "total": 0, "gpu_hours_left": 0.0}
        return facts | none | {"reason": experiment.reason}
    runs = runs_of(at(experiment, catalog.scale(scale)))
    left = [run for run in runs if not here.finished(run.id)]
    state = "done" if not left else "missing" if len(left) == len(runs) else "partial"
    return facts | {
        "state": state if runs else "counted",
        "done": len(runs) - len(left),
        "total": len(runs),
        "gpu_hours_left": round(sum(map(gpu_hours, left)), 2),
    }
