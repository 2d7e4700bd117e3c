"""What must be in order before any command begins: the three folders, and an output that can take every letter."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.paths import ROOT, places

OF_A_SET = (
    ("manifest.json", "train.npy"),
    ("dataset.json", "photos.pack"),
)  # what a data set's folder has
TRUST = "say `--trust-folder` if you trust whoever may write there"


def check_folders() -> None:
    """The folders in force are folders, or can become some."""
    try:
        here = places()
    except FileNotFoundError:
        raise EnvironmentProblem(
            "the working directory is gone", "`cd` to a folder that exists"
        ) from None
    except RuntimeError as error:  # ~nobody
        raise UserError(
            f"a `REPRO_` folder cannot be found: {error}", "write it without `~`"
        ) from None
    for name, folder in (("RESULTS", here.results), ("FIGURES", here.figures), ("DATA", here.data)):
        said = f"`REPRO_{name}` is {quote(folder, 300)}"
        if folder.exists() and not folder.is_dir():
            raise UserError(
                f"{said}, which is not a folder", "name a folder; it need not exist yet"
            )
        if folder.resolve() == Path(folder.anchor):
            raise EnvironmentProblem(
                f"{said}, the root of the file system", "name a folder of its own"
            )
    for name, folder in (("RESULTS", here.results), ("FIGURES", here.figures)):
        for place in (folder, *folder.parents):
            if any(all((place / file).is_file() for file in files) for files in OF_A_SET):
                raise EnvironmentProblem(
                    f"`REPRO_{name}` is inside the data set {quote(place, 300)}",
                    "name a folder of its own",
                )


def check_owners() -> None:
    """Nobody but us can put anything where we write, and read it back as our own.

    What lies beside the code is as safe as the code is, which runs anyway.
    """
    here = places()
    for folder in (here.results, here.runs, here.figures):
        if not folder.is_dir() or folder.resolve().is_relative_to(ROOT):
            continue
        status = folder.stat()
        if status.st_uid not in (os.geteuid(), 0):
            raise EnvironmentProblem(
                f"{quote(folder, 300)} belongs to {_user(status.st_uid)}", TRUST
            )
        if status.st_mode & stat.S_IWOTH:
            raise EnvironmentProblem(
                f"everybody may write in {quote(folder, 300)}", f"`chmod o-w` it, or {TRUST}"
            )


def _user(number: int) -> str:
    import pwd

    try:
        return quote(pwd.getpwuid(number).pw_name)
    except KeyError:
        return f"user {number}"


def make_output_tolerant() -> None:
    """Where the terminal's encoding lacks a letter, print a `?` rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def colours() -> bool | None:
    """False where colours are not wanted; None: the terminal decides."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
