"""Whose a folder is, and which right we lack there.

In a folder of our own nobody else may write, root apart. Only there does a command that reads keep
what it has read; elsewhere it reads and leaves no file.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import stat
from pathlib import Path

from repro.errors import quote

_WORDS = {os.R_OK: ("read it", "r"), os.W_OK: ("write there", "w"), os.X_OK: ("enter it", "x")}


def why_not_kept(folder: Path) -> str:
    """Return why a command that reads leaves no file in this folder; empty where it may."""
    others = others_who_write(folder)
    if others and not are_folders_trusted():
        return f"{others} may write in {quote(folder, 300)}, and `--trust-folder` was not said"
    return how_to_get(os.W_OK, folder)


def are_folders_trusted() -> bool:
    """Return whether the user trusts whoever else may write in the folders in force."""
    value = os.environ.get("REPRO_TRUST_FOLDER", "")
    return value.strip().lower() in ("1", "true", "t", "yes", "y", "on")


def others_who_write(folder: Path) -> str:
    """Return who else may put files into a folder; empty where nobody may, or it is not there.

    What lies beside the code is as safe as the code is, which runs anyway.
    """
    from repro.storage.paths import ROOT  # which needs this module

    try:
        status = folder.stat()
        if folder.resolve().is_relative_to(ROOT):
            return ""
    except OSError:
        return ""
    if status.st_uid not in (os.geteuid(), 0):
        return owner_of(folder)
    return "everybody" if status.st_mode & stat.S_IWOTH else ""


def how_to_get(right: int, path: Path) -> str:
    """Return whose a path is and who can give us a right there; empty where we have it.

    `right` is `os.R_OK` or `os.W_OK`. For a file that is not there yet, its folder is meant.
    """
    closed = nearest(path)
    if closed != path and not os.access(closed, os.X_OK):
        right = os.X_OK
    if os.access(closed, right):
        return ""
    verb, letter = _WORDS[right]
    if right == os.W_OK and os.statvfs(closed).f_flag & os.ST_RDONLY:
        return f"{quote(closed, 300)} is on a disk that can only be read"
    status = closed.stat()
    mine = status.st_uid == os.geteuid()
    ours = status.st_gid in (os.getegid(), *os.getgroups())
    command = f"`chmod {'u' if mine else 'g'}+{letter} {shlex.quote(str(closed))}`"
    if mine:
        return f"{quote(closed, 300)} is your own, and you may not {verb}: {command}"
    owner = f"{quote(closed, 300)} belongs to {owner_of(closed)}, who can let you {verb}: {command}"
    return owner if ours else f"{owner}, after `chgrp` to a group that you are in"


def nearest(path: Path) -> Path:
    """Return the path, or the nearest above it that is there and can be looked at."""
    for candidate in (path, *path.parents):
        with contextlib.suppress(OSError):
            candidate.stat()
            return candidate
    return Path(path.anchor)


def owner_of(path: Path) -> str:
    """Return the owner of a file or folder, to be shown: by name, or by number without one."""
    number = path.stat().st_uid
    try:
        return quote(pwd.getpwuid(number).pw_name)
    except KeyError:
        return f"user {number}"
