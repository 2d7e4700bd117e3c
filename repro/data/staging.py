"""A packed set copied to a node's own disk, once for all processes of the node."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from repro.data.photos.mean_image import MEAN_IMAGES
from repro.data.photos.pack_format import ABOUT, MANIFEST, PACK, read_about
from repro.errors import EnvironmentProblem, quote
from repro.storage.atomic import cannot_write
from repro.storage.atomic_folder import new_folder, rename_if_free


def copy_to_node(folder: Path, scratch: Path) -> Path:
    """Copy the packed set to a node's own disk, if it is not there; return the folder to open.

    The copy is whole or absent, made once and shared by all processes of the node. The lock is on
    the node's own disk and ends with its holder; the next one clears away what was left.
    """
    about = read_about(folder)
    copy = scratch / f"{about.name}-{about.hash[:16]}" / about.name
    with _locked(copy.parent):
        if copy.exists():
            return copy.parent
        for leftover in copy.parent.glob(f".{about.name}.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        free = shutil.disk_usage(scratch).free
        if free < about.bytes:
            needs = f"{quote(about.name)} needs {about.bytes:,}"
            raise EnvironmentProblem(
                f"{quote(scratch)} has {free:,} bytes free, and {needs}",
                "choose another scratch folder, or read the data set where it is",
            )
        with new_folder(copy) as temporary:
            means = [path.name for path in folder.glob(MEAN_IMAGES)]  # else read from all photos
            for name in (PACK, MANIFEST, ABOUT, *means):
                shutil.copyfile(folder / name, temporary / name)
            rename_if_free(temporary, copy)
    return copy.parent


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder / "lock").open("w")
    except OSError as error:
        raise cannot_write(folder, error) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
