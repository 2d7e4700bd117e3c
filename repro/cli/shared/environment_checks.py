"""What must be in order before any command begins: the folders, and whose they are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.access import are_folders_trusted, how_to_get, others_who_write
from repro.storage.paths import places, variable_of

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
    hint = "name a folder; it need not exist yet"
    try:
        folder.stat()
    except FileNotFoundError:
        if folder.is_symlink():
            problem = f"{start}, a link to {quote(folder.readlink(), 300)}, which is not there"
            raise UserError(problem, hint) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise UserError(f"{start}: {os.strerror(error.errno)}", hint) from None
        # A folder that is closed to us is named by whoever reads it.
        return
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{start}, which is not a folder", hint)
    # `REPRO_RESULTS=$SOME/` with the variable unset.
    if folder.resolve() == Path(folder.anchor):
        problem = f"{start}, the root of the file system"
        raise EnvironmentProblem(problem, "name a folder of its own")


def _check_outside_data(name: str, folder: Path) -> None:
    # Whoever replaces or removes a data set would take the results with it.
    for parent in (folder, *folder.parents):
        for files in OF_A_SET:
            # Whoever reads a folder that is closed to us names it: `Path.is_file` would raise.
            if all(os.path.isfile(parent / file) for file in files):  # noqa: PTH113
                problem = f"`REPRO_{name}` is inside the data set {quote(parent, 300)}"
                raise EnvironmentProblem(problem, "name a folder of its own")


def check_owners(*folders: Path) -> None:
    """Nobody but us can put anything where we write, and read it back as our own.

    Where another may, the user must trust them; where we may not, nothing would help but the right.
    """
    for folder in folders:
        others = others_who_write(folder)
        if not others or are_folders_trusted():
            continue
        if others == "everybody":
            problem = f"everybody may write in {quote(folder, 300)}"
            raise EnvironmentProblem(problem, f"`chmod o-w` it, or {TRUST}")
        problem = f"{quote(folder, 300)} belongs to {others}"
        closed = how_to_get(os.W_OK, folder)
        if closed:
            elsewhere = f"or choose another folder with `{variable_of(folder)}`"
            raise EnvironmentProblem(
                f"{problem}, and you may not write there", f"{closed}; {elsewhere}"
            )
        raise EnvironmentProblem(problem, TRUST)
