"""What must be in order before any command begins: the three folders, and an output that can take every letter."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from repro.errors import Lacking, UserError, shown
from repro.folders import places


def check_folders() -> None:
    """The folders in force are folders, or can become some."""
    try:
        here = places()
    except FileNotFoundError:
        raise Lacking("the working directory is gone", "`cd` to a folder that exists") from None
    except RuntimeError as error:  # ~nobody
        raise UserError(f"a `REPRO_` folder cannot be found: {error}", "write it without `~`") from None
    for name, folder in (("RESULTS", here.results), ("FIGURES", here.figures), ("DATA", here.data)):
        said = f"`REPRO_{name}` is {shown(folder, 300)}"
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{said}, which is not a folder", "name a folder; it need not exist yet")
        if folder.resolve() == Path(folder.anchor):
            raise UserError(f"{said}, the root of the file system", "name a folder of its own")


def print_every_letter() -> None:
    """Where the terminal's encoding lacks a letter, print a `?` rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def colours() -> bool | None:
    """False where colours are not wanted; None: the terminal decides."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
