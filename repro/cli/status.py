"""`repro status`: where every run is."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING

import click

from repro.cli.shared import options
from repro.cli.shared.click_errors import Command
from repro.cli.shared.completers import complete_selection
from repro.cli.shared.param_types import WholeNumber
from repro.cli.shared.text_table import counts_in_words
from repro.errors import UserError
from repro.protocol import catalog
from repro.storage.paths import Folder, places, unprintable_names

if TYPE_CHECKING:
    from repro.cluster.status.run_states import State

# `interrupted` is not among them: the same command carries on by itself.
_FAILED = ("failed", "diverged", "lost")
FASTEST = 10  # seconds between two looks: a scheduler is shared
FAILED_ONLY = "Only what failed, diverged or was lost: why, and what to type."
WATCH = "Look again and again, until nothing runs or waits."
EVERY = "How often to look (30)."

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
@options.one_scale_option
@options.part_options
@click.option("--failed", is_flag=True, help=FAILED_ONLY)
@click.option("--watch", is_flag=True, help=WATCH)
@click.option("--every", type=WholeNumber(FASTEST), default=30, metavar="SECONDS", help=EVERY)
@options.json_option
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
        if watch and sys.stdout.isatty():  # a log keeps what was seen before
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
    # No run of ours is called so, and to print it could drive the terminal.
    for name in unprintable_names(here.runs):
        click.echo(f"Warning: runs/{name}: its name has characters that cannot be shown", err=True)
    return options.keep_selected(select_folders(patterns, here, must_match, scale), only, skip)


def _states(folders: Sequence[Folder], failed: bool) -> list[State]:
    from repro.cluster.status.run_states import all_states

    states = all_states(folders, places())
    return [state for state in states if not failed or state.word in _FAILED]


def _show(found: Sequence[State], failed: bool, as_json: bool, patterns: Sequence[str]) -> None:
    if as_json:
        options.print_json({"runs": list(map(_document, found))})
    elif failed:
        for state in found:
            _explain(state)
    elif sys.stdout.isatty():
        if found:  # a heading over nothing says nothing
            _table(found)
    else:
        names = _shown(_READ, found)
        click.echo("\t".join(names))
        for cells in map(itemgetter(*names), map(_cells, found)):
            click.echo("\t".join(cells))
    if not as_json:
        _summary(found, failed, patterns)


def _document(state: State) -> dict[str, object]:
    """Return a state for JSON; how busy a GPU is only where there is one."""
    facts = asdict(state)
    facts = {"state": facts.pop("word")} | facts  # `word` would say little there
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

    rows = [dict(zip(_READ, _READ, strict=True)), *map(_cells, found)]
    left, widths = get_terminal_size().columns, {}
    for name in _shown(_WORTH, found):
        width = max(len(row[name]) for row in rows)
        # An id that is cut off names no run, so that it stands whole, however narrow it is here.
        if left >= width or name in ("run", "state"):
            left -= width + 2
            widths[name] = width
    for row in rows:
        cells = [row[name].ljust(widths[name]) for name in _READ if name in widths]
        line = "  ".join(cells).rstrip()
        colour = _COLOURS.get(row["state"])
        if colour:
            line = click.style(line, fg=colour)
        click.echo(line)


# Only what is worth a look: what waits or lacks a run is left as it is.
_COLOURS = {
    "done": "green",
    "running": "cyan",
    "failed": "red",
    "diverged": "red",
    "lost": "red",
    "interrupted": "yellow",
}


def _cells(state: State) -> dict[str, str]:
    """Return what each column has of a run; a cell is empty where nothing is known."""
    cells = dict.fromkeys(_READ, "")
    cells |= {"run": state.id, "state": state.word, "reason": " ".join(state.reason.split())}
    cells |= {
        "attempt": str(state.attempt or ""),
        "job": state.job or "",
        "where": state.host or "",
    }
    if state.iteration is not None and state.iterations:
        cells["iteration"] = f"{state.iteration}/{state.iterations}"
    if state.checkpoint_iteration is not None:
        cells["checkpoint"] = str(state.checkpoint_iteration)
    # What an attempt that is over last wrote says nothing of now.
    if state.word == "running" and state.eta_seconds is not None:
        cells["eta"] = str(timedelta(seconds=round(state.eta_seconds)))
        if state.gpu_percent is not None:
            cells["gpu"] = f"{state.gpu_percent:.0f} %"
    if state.train_error is not None:
        cells["train_error"] = f"{state.train_error:.2f}"
    if state.test_error is not None:
        cells["test_error"] = f"{state.test_error:.2f}"
    if state.elapsed:
        cells["elapsed"] = f"{state.elapsed} of {state.limit}"
    return cells


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
    words = selection_of(state.id, here)
    scale = scale_of(here.run(state.id))
    if scale:
        words += ["--scale", scale]
    # To where it was sent before: its profile and the data are there.
    if state.cluster:
        return join(["repro", "submit", *words, "--on", state.cluster, "--retry"])
    return join(["repro", "run", *words, "--only", state.id])


def _summary(found: Sequence[State], failed: bool, patterns: Sequence[str]) -> None:
    """Say on standard error how many runs there are of each state, and what to look at."""
    counts = Counter[str](state.word for state in found)
    click.echo(counts_in_words(counts) or _nothing(failed, patterns), err=True)
    if any(state.reason.endswith("scheduler unknown") for state in found):
        click.echo(
            "Warning: no scheduler answers here, so only the runs' own files are shown", err=True
        )
    for state in found:
        if state.wastes_gpu:
            busy, minutes = state.gpu_percent or 0, (state.gpu_low_seconds or 0) / 60
            gpu = f"the GPU of {state.id} computes {busy:.0f} % of the time"
            what_helps = "more `--cpus` feed it, `--pack` shares it"
            low = f"below 20 % for {minutes:.0f} minutes: {what_helps}"
            click.echo(f"Warning: {gpu}, {low}", err=True)
    if not failed and not counts.keys().isdisjoint(_FAILED):
        click.echo("next: repro status --failed", err=True)


def _nothing(failed: bool, patterns: Sequence[str]) -> str:
    """Return what to say where no run is shown: a clone has published runs and no others."""
    from repro.cluster.status.matched_folders import scale_of

    if failed:
        return "nothing failed"
    nothing = "no runs yet"
    if patterns:
        nothing = f"no runs of {' '.join(patterns)} yet"
    published = map(Folder, places().published.glob("*.*"))
    scales = sorted(set(map(scale_of, published)) - {""})
    if scales:
        nothing += f"; `repro list --scale {scales[0]}` counts what is published"
    return nothing
