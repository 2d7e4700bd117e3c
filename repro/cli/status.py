"""`repro status`: where every run is."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.completers import complete_selection
from repro.cli.shared.options import (
    json_option,
    keep_selected,
    one_scale_option,
    part_options,
    print_json,
)
from repro.cli.shared.param_types import WholeNumber
from repro.errors import UserError
from repro.protocol import catalog
from repro.storage.paths import Folder, places, unprintable_names

if TYPE_CHECKING:
    from repro.cluster.status.run_states import State

_FAILED = ("failed", "diverged", "lost")
FASTEST = 10  # seconds between two looks: a scheduler is shared

# In the order in which they are read, and by what they are worth: a narrow terminal loses the
# last of these first.
_READ = (
    *("run", "state", "reason", "attempt", "iteration", "checkpoint", "eta", "gpu"),
    *("train_error", "test_error", "elapsed", "job", "where"),
)
_WORTH = (
    *("run", "state", "iteration", "checkpoint", "test_error", "eta", "reason", "gpu"),
    *("attempt", "elapsed", "job", "where", "train_error"),
)


@click.command(cls=Command)
@click.argument("patterns", nargs=-1, metavar="[PATTERN…]", shell_complete=complete_selection)
@one_scale_option
@part_options
@click.option(
    "--failed", is_flag=True, help="Only what failed, diverged or was lost: why, and what to type."
)
@click.option("--watch", is_flag=True, help="Look again and again, until nothing runs or waits.")
@click.option(
    "--every",
    type=WholeNumber(FASTEST),
    default=30,
    metavar="SECONDS",
    help="How often to look (30).",
)
@json_option
def command(
    patterns: Sequence[str],
    scale: str | None,
    only: Sequence[str],
    skip: Sequence[str],
    failed: bool,
    watch: bool,
    every: int,
    as_json: bool,
) -> None:
    """Show the state of every run. A PATTERN is an experiment, or a run's id with * and ?;
    !PATTERN leaves those runs out.

    `iteration` says how far a run is. `checkpoint` is the iteration from which it would continue.
    Set REPRO_RESULTS to look into another results folder.

    For example:  repro status figure6 '!*110*'
    """
    while True:
        folders = _folders(patterns, scale, only, skip)
        found = _states(folders, failed)
        if watch and sys.stdout.isatty():
            click.clear()
        _show(found, failed, as_json, patterns)
        if not watch or not any(state.live for state in found):
            return
        time.sleep(every)


def _folders(
    patterns: Sequence[str], scale: str | None, only: Sequence[str], skip: Sequence[str]
) -> list[Folder]:
    from repro.cluster.status.matched_folders import select_folders

    names = (*catalog.NAMES, *catalog.GROUPS)
    # An experiment may have no folder yet; a pattern that matches none is a mistake.
    must_match = any(pattern.removeprefix("!") not in names for pattern in patterns)
    here = places()
    for name in unprintable_names(here.runs):
        click.echo(f"Warning: runs/{name}: its name has characters that cannot be shown", err=True)
    return keep_selected(select_folders(patterns, here, must_match, scale), only, skip)


def _states(folders: Sequence[Folder], failed: bool) -> list[State]:
    from repro.cluster.status.run_states import all_states

    states = all_states(folders, places())
    return [state for state in states if not failed or state.word in _FAILED]


def _show(found: Sequence[State], failed: bool, as_json: bool, patterns: Sequence[str]) -> None:
    if as_json:
        print_json({"runs": [{"state": state.word} | _without_word(state) for state in found]})
    elif failed:
        for state in found:
            _explain(state)
    elif sys.stdout.isatty():
        if found:  # a heading over nothing says nothing
            _table(found)
    else:
        names = _shown(_READ, found)
        click.echo("\t".join(names))
        for state in found:
            click.echo("\t".join(_cells(state)[name] for name in names))
    if not as_json:
        _summary(found, failed, patterns)


def _without_word(state: State) -> dict[str, object]:
    """A state's facts for JSON; how busy a GPU is only where there is one."""
    facts = asdict(state)
    facts.pop("word")
    for name in ("gpu_percent", "gpu_low_seconds"):
        if facts[name] is None:
            facts.pop(name)
    return facts


def _shown(names: Sequence[str], found: Sequence[State]) -> list[str]:
    """Return the columns, without those of the GPU and of checkpoints where no run has any."""
    empty = set()
    if all(state.gpu_percent is None for state in found):
        empty.add("gpu")
    if all(state.checkpoint_iteration is None for state in found):
        empty.add("checkpoint")
    return [name for name in names if name not in empty]


def _table(found: Sequence[State]) -> None:
    """Print as many columns as fit, by their worth, in the order in which they are read."""
    from shutil import get_terminal_size

    rows, names = [_cells(state) for state in found], _shown(_WORTH, found)
    widths = {}
    for name in names:
        longest = max((len(row[name]) for row in rows), default=0)
        widths[name] = max(len(name), longest)
    left, kept = get_terminal_size().columns, []
    for name in names:
        if left < widths[name] and name not in ("run", "state"):
            continue
        left -= widths[name] + 2
        kept.append(name)
    for row in [{name: name for name in names}, *rows]:
        line = "  ".join(row[name].ljust(widths[name]) for name in _READ if name in kept)
        colour = _COLOURS.get(row["state"])
        click.echo(click.style(line.rstrip(), fg=colour) if colour else line.rstrip())


_COLOURS = {
    "done": "green",
    "running": "cyan",
    "failed": "red",
    "diverged": "red",
    "lost": "red",
    "interrupted": "yellow",
}


def _cells(state: State) -> dict[str, str]:
    def number(value: float | None, unit: str = "") -> str:
        return "" if value is None else f"{value:.2f}{unit}"

    of = ""
    if state.iteration is not None and state.iterations:
        of = f"{state.iteration}/{state.iterations}"
    running = state.word == "running" and state.eta_seconds is not None
    return {
        "run": state.id,
        "state": state.word,
        "reason": " ".join(state.reason.split()),
        "attempt": str(state.attempt or ""),
        "iteration": of,
        "checkpoint": "" if state.checkpoint_iteration is None else str(state.checkpoint_iteration),
        "gpu": f"{state.gpu_percent:.0f} %" if running and state.gpu_percent is not None else "",
        "eta": str(timedelta(seconds=round(state.eta_seconds or 0))) if running else "",
        "train_error": number(state.train_error),
        "test_error": number(state.test_error),
        "elapsed": f"{state.elapsed} of {state.limit}" if state.elapsed else "",
        "job": state.job or "",
        "where": state.host or "",
    }


def _explain(state: State) -> None:
    """Why a run failed: its last words, the likely cause, and what to type."""
    from repro.cluster.status.logs import last_lines, likely_cause

    here = places()
    click.echo(f"{state.id}  {state.word}  {state.reason}")
    try:
        words, retry = last_lines(state.id, here), retry_command(state)
    except UserError as problem:  # of this folder: the other runs are shown as well
        click.echo(f"  {problem.problem}\n")
        return
    for line in words:
        click.echo(f"    {line}")
    click.echo(f"  likely cause: {likely_cause(state, words)}")
    click.echo(f"  to retry: {retry}\n")


def retry_command(state: State) -> str:
    """What sends or runs this run again."""
    from shlex import join

    from repro.cluster.status.matched_folders import scale_of, selection_of

    here = places()
    scale = scale_of(here.run(state.id))
    words = [*selection_of(state.id, here), *(["--scale", scale] if scale else [])]
    if state.cluster:
        return join(["repro", "submit", *words, "--on", state.cluster, "--retry"])
    return join(["repro", "run", *words, "--only", state.id])


def _summary(found: Sequence[State], failed: bool, patterns: Sequence[str]) -> None:
    from repro.cluster.status.matched_folders import scale_of

    counts = Counter(state.word for state in found)
    said = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    none = f"no runs of {' '.join(patterns)} yet" if patterns else "no runs yet"
    published = [Folder(path) for path in places().published.glob("*.*")]
    if scales := sorted({scale_of(folder) for folder in published} - {""}):
        none += f"; `repro list --scale {scales[0]}` counts what is published"
    click.echo(said or ("nothing failed" if failed else none), err=True)
    if any(state.reason.endswith("scheduler unknown") for state in found):
        click.echo(
            "Warning: no scheduler answers here, so only the runs' own files are shown", err=True
        )
    for state in found:
        if state.wastes_gpu:
            minutes = (state.gpu_low_seconds or 0) / 60
            click.echo(
                f"Warning: the GPU of {state.id} computes {state.gpu_percent or 0:.0f} % of the "
                f"time, below 20 % for {minutes:.0f} minutes: more `--cpus` feed it, `--pack` "
                "shares it",
                err=True,
            )
    if not failed and any(state.word in _FAILED for state in found):
        click.echo("next: repro status --failed", err=True)
