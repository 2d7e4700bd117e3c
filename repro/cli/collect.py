"""`repro collect`: gather all runs into one table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import documents, json_option, print_json
from repro.cli.shared.text_table import counted, counts_in_words, print_problems
from repro.errors import FAILED, FINE, INCOMPLETE, UserError, quote
from repro.storage import labs as other_labs
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.analysis.runs.frame_cache import CachedRuns

# What repro itself puts into a results folder.
OURS = re.compile(
    r"runs|runs\.parquet|published|labs|jobs|code|bench|quick|smoke|report\.html|diff\.\w+|table\d+\.\w+"
)


@click.command(cls=Command)
@json_option
@click.option("--strict", is_flag=True, help="Exit 1 if there is a warning about any folder.")
def command(as_json: bool, strict: bool) -> int:
    """Gather all runs into results/runs.parquet; read only what changed.

    Exit code 3: there are no runs yet. Exit code 1: there are run folders, but none can be read.

    For example:  repro collect --json
    """
    return collect_and_print(as_json, strict)


def collect_and_print(as_json: bool = False, strict: bool = False) -> int:
    """Gather all runs, say what was read, and return the exit code."""
    from repro.analysis.runs.frame_cache import read_runs, save

    here = places()
    _check_ours(here.results)  # before a file is written there
    gathered = read_runs(here)
    save(gathered, here)
    states = Counter(gathered.of_lab(other_labs.OURS)["state"].to_pylist())
    # Other labs' runs are in the frame, but never counted as ours.
    others = {lab: gathered.of_lab(lab).num_rows for lab in gathered.labs}
    print_problems(gathered.problems)
    if as_json:
        document = {
            "file": str(here.frame),
            "changed": gathered.changed,
            "folders": gathered.folders,
            "opened": gathered.opened,
            "runs": states.total(),
            "states": states,
            "problems": documents(gathered.problems),
        }
        if others:
            document["labs"] = others
        print_json(document)
    else:
        _print(gathered, states, others, here.frame)
    runs = gathered.table.num_rows
    # One damaged folder among many is a warning: the others are read all the same.
    if gathered.problems and (strict or not runs):
        return FAILED
    return FINE if runs else INCOMPLETE


def _print(
    gathered: CachedRuns, states: Counter[str], others: Mapping[str, int], file: Path
) -> None:
    unchanged = gathered.folders - gathered.opened
    folders = f"{counted(gathered.opened, 'folder')} read, {unchanged:,} unchanged"
    runs = counted(states.total(), "run")
    click.echo(f"{runs} ({counts_in_words(states) or 'none yet'}); {folders}")
    if others:
        counts = ", ".join(f"{lab} {count}" for lab, count in others.items())
        click.echo(f"of other labs: {counts}")
    click.echo(f"{file}: {'written' if gathered.changed else 'up to date'}")


def _check_ours(results: Path) -> None:
    """Raise an error if it is a folder of something else: it gets no file of ours."""
    if not results.is_dir():
        return
    strange = sorted(path.name for path in results.iterdir() if not path.name.startswith("."))
    # One name of ours is enough: people keep notes and pictures beside their results.
    if strange and not any(map(OURS.fullmatch, strange)):
        raise UserError(
            f"{quote(results, 300)} is a folder of something else: "
            f"it has {quote(strange[0])}, and no `runs`",
            "name a folder of results with `REPRO_RESULTS`; it need not exist yet",
        )
