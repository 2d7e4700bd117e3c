"""`repro collect`: gather all runs into one table."""

from __future__ import annotations

from collections import Counter

import click

from repro.cli.columns import counted
from repro.cli.options import json_option, print_json
from repro.errors import FAILED, FINE
from repro.folders import places


@click.command()
@json_option
@click.option("--strict", is_flag=True, help="Exit 1 if any folder could not be read in full.")
def command(as_json: bool, strict: bool) -> int:
    """Gather all runs into results/runs.parquet; read only what changed.

    For example:  repro collect --json
    """
    from repro.reading.gathered import gather, save

    where = places()
    gathered = gather(where)
    save(gathered, where)
    states = Counter(gathered.table["state"].to_pylist())
    for problem in gathered.problems:
        click.echo(f"Warning: {problem.folder}: {problem.problem}", err=True)
    if as_json:
        problems = [{"folder": problem.folder, "problem": problem.problem} for problem in gathered.problems]
        counts = {"folders": gathered.folders, "opened": gathered.opened, "runs": gathered.table.num_rows}
        print_json(
            {"file": str(where.frame), "changed": gathered.changed, **counts, "states": states, "problems": problems}
        )
    else:
        done = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none yet"
        click.echo(
            f"{counted(gathered.table.num_rows, 'run')} ({done}); {gathered.opened} of {gathered.folders} folders read"
        )
        click.echo(f"{where.frame}: {'written' if gathered.changed else 'up to date'}")
    return FAILED if strict and gathered.problems else FINE
