"""What must be in order before any command begins: the folders, and whose they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.paths import ROOT, places

OF_A_SET = (
    ("manifest.json", "train.npy"),
    ("dataset.json", "photos.pack"),
)  # what a data set's folder has
TRUST = "say `--trust-folder` if you trust whoever may write there"


def check_folders() -> None:
    """Raise an error unless the folders in force are folders, or can become some."""
    here = places()
    _check_folder("RESULTS", here.results)
    _check_folder("FIGURES", here.figures)
    _check_folder("DATA", here.data)
    _check_outside_data("RESULTS", here.results)
    _check_outside_data("FIGURES", here.figures)


def _check_folder(name: str, folder: Path) -> None:
    start = f"`REPRO_{name}` is {quote(folder, 300)}"
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{start}, which is not a folder", "name a folder; it need not exist yet")
    if folder.resolve() == Path(folder.anchor):
        problem = f"{start}, the root of the file system"
        raise EnvironmentProblem(problem, "name a folder of its own")


def _check_outside_data(name: str, folder: Path) -> None:
    for parent in (folder, *folder.parents):
        for files in OF_A_SET:
            if all((parent / file).is_file() for file in files):
                problem = f"`REPRO_{name}` is inside the data set {quote(parent, 300)}"
                raise EnvironmentProblem(problem, "name a folder of its own")


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
