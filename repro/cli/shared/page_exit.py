"""How a command that shows pages ends: its exit code, and what it could not show."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import click

from repro.definition.run import Run
from repro.errors import FAILED, FINE, INCOMPLETE
from repro.protocol.selection import Selection

if TYPE_CHECKING:
    from repro.analysis.runs.run_frames import Collected


def exit_code_of(complete: bool, collected: Collected, runs: Collection[Run]) -> int:
    """Return how a page ends: 0 with anything of ours on it, 1 where runs diverged, else 3."""
    if complete:
        return FINE
    # A run that diverged is no lack that more runs would fill.
    return FAILED if len(collected.of(runs).diverged) else INCOMPLETE


def worst_of(codes: Iterable[int]) -> int:
    """Return how several pages end: 1 where one failed, else 3 where one is incomplete, else 0."""
    ended = set(codes)
    for code in (FAILED, INCOMPLETE):
        if code in ended:
            return code
    return FINE


def print_left_out(selection: Selection, shown: Collection[str]) -> None:
    """Name the experiments that were asked for by name, and of which no run is selected."""
    # What a pattern or a group brought in without runs was not asked for by name.
    missing = [name for name in selection.plain_names if name not in shown]
    if missing:
        click.echo(f"left out, as no run of it is selected: {', '.join(missing)}", err=True)


def is_one_document(selection: Selection, shown: Collection[str]) -> bool:
    """Return whether one page was asked for, whose JSON then stands without a list around it."""
    asked = [word for word in selection.experiments if not word.startswith("!")]
    return len(asked) == 1 == len(shown)
