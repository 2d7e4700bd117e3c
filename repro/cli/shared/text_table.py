"""Rows of facts: in columns on a terminal; anywhere else whole, a line each, with tabs between."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence

import click


def print_rows(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> None:
    """Print the rows, the first one as heading; the columns numbered in `right` end together."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    import shutil

    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = shutil.get_terminal_size().columns
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            aligned = cell.rjust(width) if number in right else cell.ljust(width)
            cells.append(aligned)
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
