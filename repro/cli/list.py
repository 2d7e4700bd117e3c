"""`repro list`: every table and figure of the paper, and how far it is."""

from __future__ import annotations

from typing import Any

import click

from repro.cli.options import json_option, print_json, scale_option
from repro.cli.text_table import print_rows
from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.definition.experiment import Skipped, at_scale, runs_of
from repro.protocol import catalog
from repro.storage.paths import Places, places, run_folders
from repro.storage.run_files import is_done


@click.command()
@scale_option()
@json_option
def command(scale: str, as_json: bool) -> None:
    """Every table and figure of the paper: what it is, its state, runs done, GPU-hours left.

    For example:  repro list --scale smoke
    """
    here = places()
    lines = [_facts(name, scale, here) for name in catalog.NAMES]
    if as_json:
        print_json({"scale": scale, "experiments": lines})
        return
    print_rows(
        [("experiment", "runs", "left", "state", "what it is"), *map(_row, lines)], right=(1, 2)
    )
    others = sorted(_scales_with_runs(here) - {scale})
    if others and not any(facts["done"] for facts in lines):
        click.echo(
            f"scale: {scale}, of which nothing is done; there are runs at scale {', '.join(others)}",
            err=True,
        )


def _facts(name: str, scale: str, here: Places) -> dict[str, Any]:
    experiment = catalog.load_experiment(name)
    facts = {"experiment": name, "title": experiment.title, "page": experiment.page}
    if isinstance(experiment, Skipped):
        none = {"state": "skipped", "done": 0, "total": 0, "gpu_hours_left": 0.0}
        return facts | none | {"reason": experiment.reason}
    runs = runs_of(at_scale(experiment, catalog.load_scale(scale)))
    left = [run for run in runs if not is_done(run.id, here)]
    state = "done" if not left else "missing" if len(left) == len(runs) else "partial"
    return facts | {
        "state": state if runs else "counted",
        "done": len(runs) - len(left),
        "total": len(runs),
        "gpu_hours_left": float(f"{sum(map(gpu_hours, left)):.4g}"),
    }


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    runs = f"{facts['done']}/{facts['total']}" if facts["total"] else "–"
    left = (
        format_hours(facts["gpu_hours_left"]).removeprefix("about ")
        if facts["gpu_hours_left"]
        else "–"
    )
    return facts["experiment"], runs, left, facts["state"], facts["title"]


def _scales_with_runs(here: Places) -> set[str]:
    names = (folder.path.name.split(".") for folder in run_folders(here.runs))
    return {name[-2] for name in names if len(name) >= 4}
