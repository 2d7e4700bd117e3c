"""Files that a user names are looked at before they are opened.

A device never ends, a pipe waits for somebody to write, a folder has no content: none of them is
read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from repro.errors import UserError, quote

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_input_file(path: Path, what: str, hint: str, largest: int | None = None) -> Path:
    """Return the path, if there is a file to read `what` from."""
    status = _status(path)
    if status is None:
        raise UserError(f"no {what} at {quote(path, 300)}", hint)
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{quote(path, 300)} is {_kind(status)}, no file of {what}", hint)
    if largest is not None and status.st_size > largest:
        raise UserError(
            f"{quote(path, 300)} has {status.st_size:,} bytes, too many for {what}", hint
        )
    return path


def check_output_file(path: Path, what: str) -> Path:
    """Return the path, if a file may be written there: no device or folder is replaced."""
    status = _status(path)
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise UserError(
            f"{what} cannot replace {quote(path, 300)}, which is {_kind(status)}", "name a file"
        )
    return path


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # too long, a NUL, a circle of links, no right to look
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"cannot look at {quote(path, 300)}: {reason}", "name a file that you may read"
        ) from None


def _kind(status: os.stat_result) -> str:
    return KINDS.get(stat.S_IFMT(status.st_mode), "no file")
