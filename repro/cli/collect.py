"""`repro collect`: gather all runs into one table."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import click

from repro.cli.options import json_option, print_json
from repro.cli.text_table import counted
from repro.errors import FAILED, FINE, INCOMPLETE, UserError, quote
from repro.storage.paths import places

OURS = re.compile(
    r"runs|runs\.parquet|published|jobs|code|bench|quick|smoke|report\.html|diff\.\w+|table\d+\.\w+"
)


@click.command()
@json_option
@click.option("--strict", is_flag=True, help="Exit 1 if any folder is warned of.")
def command(as_json: bool, strict: bool) -> int:
    """Gather all runs into results/runs.parquet; read only what changed.

    Exit code 3 where there are none yet, 1 where there are folders and none of them could be read.

    For example:  repro collect --json
    """
    from repro.analysis.runs.cache import read_runs, save

    where = places()
    _check_ours(where.results)
    gathered = read_runs(where)
    save(gathered, where)
    states = Counter(gathered.table["state"].to_pylist())
    for problem in gathered.problems:
        click.echo(f"Warning: {problem.folder}: {problem.problem}", err=True)
    if as_json:
        problems = [
            {"folder": problem.folder, "problem": problem.problem} for problem in gathered.problems
        ]
        counts = {
            "folders": gathered.folders,
            "opened": gathered.opened,
            "runs": gathered.table.num_rows,
        }
        print_json(
            {
                "file": str(where.frame),
                "changed": gathered.changed,
                **counts,
                "states": states,
                "problems": problems,
            }
        )
    else:
        done = (
            ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none yet"
        )
        click.echo(
            f"{counted(gathered.table.num_rows, 'run')} ({done}); {gathered.opened} of {gathered.folders} folders read"
        )
        click.echo(f"{where.frame}: {'written' if gathered.changed else 'up to date'}")
    if gathered.problems and (strict or not gathered.table.num_rows):
        return FAILED
    return FINE if gathered.table.num_rows else INCOMPLETE


def _check_ours(results: Path) -> None:
    """A folder of something else gets no file of ours."""
    names = {path.name for path in results.iterdir()} if results.is_dir() else set()
    strange = sorted(name for name in names if not name.startswith("."))
    if strange and not any(map(OURS.fullmatch, strange)):
        raise UserError(
            f"{quote(results, 300)} is a folder of something else: it has {quote(strange[0])}, and no `runs`",
            "name a folder of results with `REPRO_RESULTS`; it need not exist yet",
        )
