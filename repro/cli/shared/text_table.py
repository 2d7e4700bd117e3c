"""Rows of facts: in columns on a terminal; anywhere else whole, a line each, with tabs between."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from repro.analysis.runs.frame_cache import Problem


def print_rows(
    rows: Sequence[Sequence[str]], right: Collection[str] = (), may_go: Sequence[str] = ()
) -> None:
    """Print the rows, the first one as heading; the columns named in `right` end together.

    On a terminal that is too narrow the columns in `may_go` are left out, the first one first.
    """
    if not sys.stdout.isatty():
        # For `cut` and `awk`: nothing is aligned, cut or left out.
        for row in rows:
            click.echo("\t".join(row))
        return
    import shutil

    room = shutil.get_terminal_size().columns
    columns, widths = {}, {}
    for name, *cells in zip(*rows, strict=True):
        columns[name] = [name, *cells]
        widths[name] = max(map(len, columns[name]))
    for name in may_go:
        # Two spaces stand between columns.
        if sum(widths.values()) + 2 * (len(widths) - 1) > room:
            del columns[name], widths[name]
    aligned = []
    for name, column in columns.items():
        # Numbers end together, so that their digits stand below each other.
        align = str.rjust if name in right else str.ljust
        aligned.append([align(cell, widths[name]) for cell in column])
    for line in map("  ".join, zip(*aligned, strict=True)):
        click.echo(cut(line.rstrip(), room))


def text_width() -> int:
    """Return how long a line of prose may be: as the terminal, up to 100; else COLUMNS, or 80."""
    if sys.stdout.isatty():
        import shutil

        # Prose that is wider is hard to read, however wide the terminal is.
        return max(40, min(100, shutil.get_terminal_size((80, 24)).columns))
    asked = os.environ.get("COLUMNS", "")
    if asked.isdigit():
        return max(40, int(asked))
    return 80


def cut(line: str, room: int) -> str:
    """The line, ending in … where there is no room for the rest."""
    if len(line) <= room:
        return line
    return line[: max(0, room - 1)] + "…"


def counted(count: int, what: str) -> str:
    """`1 run`, `2 runs`."""
    ending = "s" * (count != 1)
    return f"{count:,} {what}{ending}"


def counts_in_words(counts: Mapping[str, int]) -> str:
    """`7 done, 2 failed`: in the order of the alphabet, which no look at the runs changes."""
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))


def print_problems(problems: Iterable[Problem]) -> None:
    """Name on standard error the folders that could not be read."""
    for problem in problems:
        click.echo(f"Warning: {problem.folder}: {problem.problem}", err=True)
