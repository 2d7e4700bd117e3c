"""Rows of facts: in columns on a terminal; anywhere else whole, a line each, with tabs between."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence

import click


def print_rows(
    rows: Sequence[Sequence[str]], right: Collection[str] = (), may_go: Sequence[str] = ()
) -> None:
    """Print the rows, the first one as heading; the columns named in `right` end together.

    On a terminal that is too narrow the columns in `may_go` are left out, the first one first.
    """
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    import shutil

    room = shutil.get_terminal_size().columns
    columns = {column[0]: column for column in zip(*rows, strict=True)}
    widths = {name: max(map(len, column)) for name, column in columns.items()}
    for name in may_go:
        if sum(widths.values()) + 2 * (len(widths) - 1) > room:
            del columns[name], widths[name]
    aligned = []
    for name, column in columns.items():
        align = str.rjust if name in right else str.ljust
        aligned.append([align(cell, widths[name]) for cell in column])
    for cells in zip(*aligned, strict=True):
        click.echo(cut("  ".join(cells).rstrip(), room))


def text_width() -> int:
    """Return how long a line of prose may be: as the terminal, up to 100; else COLUMNS, or 80."""
    if sys.stdout.isatty():
        import shutil

        return max(40, min(100, shutil.get_terminal_size((80, 24)).columns))
    asked = os.environ.get("COLUMNS", "")
    return max(40, int(asked)) if asked.isdigit() else 80


def cut(line: str, room: int) -> str:
    """The line, ending in … where there is no room for the rest."""
    return line if len(line) <= room else line[: max(0, room - 1)] + "…"


def counted(count: int, what: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
