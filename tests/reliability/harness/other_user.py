"""Run a command as another user of this machine: `python -m …other_user UID GID GROUP,GROUP COMMAND…`.

Started as root in a mount namespace of its own (`unshare --mount`). The interpreter may lie in a
folder that is closed to others, such as root's home. There a view of that folder is mounted which
has nothing but the way to the interpreter; no one outside sees it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def closed_above(path: Path) -> Path | None:
    """Return the topmost folder above a path that others may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def open_the_way(path: Path) -> None:
    """Let others come to a path, in this mount namespace only."""
    closed = closed_above(path)
    if closed is None:
        return
    kept = tempfile.mkdtemp()
    subprocess.run(["mount", "--bind", path, kept], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", closed], check=True)
    path.mkdir(parents=True)
    subprocess.run(["mount", "--bind", kept, path], check=True)
    subprocess.run(["umount", kept], check=True)
    Path(kept).rmdir()


def main(user: int, group: int, groups: list[int], command: list[str]) -> None:
    os.umask(0o022)  # whoever started us may have made all that is new private
    open_the_way(Path(sys.base_prefix))
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(user)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [*map(int, sys.argv[3].split(","))], sys.argv[4:])
