"""Folders that appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from repro.errors import EnvironmentProblem, UserError
from repro.storage.atomic import allow_group, cannot_write, make_folder, sync_folder

NAME_TAKEN = (
    errno.ENOTEMPTY,
    errno.EEXIST,
    errno.ENOTDIR,
)  # what rename says where something is there


@contextlib.contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A private temporary folder beside the place, gone afterwards unless it was renamed."""
    fresh = not place.parent.exists()
    try:
        make_folder(place.parent)
        temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))  # mode 0700
        allow_group(temporary)
    except OSError as error:
        raise _no_room(place.parent, error) from error
    try:
        yield temporary
    except OSError as error:
        raise _no_room(place.parent, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if fresh:
            with contextlib.suppress(OSError):  # there is a set in it now
                place.parent.rmdir()


def rename_if_free(temporary: Path, place: Path) -> bool:
    """Rename; return False where something is there. A folder never replaces one with files."""
    sync_folder(temporary)
    try:
        temporary.rename(place)
    except OSError as error:
        if error.errno in NAME_TAKEN:
            return False
        raise
    sync_folder(place.parent)
    return True


def move_away(place: Path) -> None:
    """Make room for a new folder; the old one is gone afterwards."""
    aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    with contextlib.suppress(FileNotFoundError):  # where another one moved it first
        place.rename(aside / "replaced")
    shutil.rmtree(aside, ignore_errors=True)


def _no_room(folder: Path, error: OSError) -> UserError:
    problem = cannot_write(folder, error)
    return EnvironmentProblem(
        problem.problem, "free some space, or choose another folder with `REPRO_DATA`"
    )
