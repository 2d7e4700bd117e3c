"""What kind of disk a folder is on: what lies on a node's own disk is lost to every other node."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from repro.storage.access import nearest

_SHARED = {
    "nfs",
    "nfs4",
    "lustre",
    "beegfs",
    "gpfs",
    "ceph",
    "fuse.ceph",
    "cifs",
    "afs",
    "panfs",
    "wekafs",
    "glusterfs",
}
_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/local", "/scratch/local")


def is_node_local(folder: Path) -> str:
    """Return why this folder is likely to be one machine's own; empty where it looks shared."""
    kind = file_system(folder)
    if kind in _SHARED:
        return ""
    if kind in _MEMORY:
        return f"a {kind}, in memory"
    real = folder.resolve()
    for temporary in _TEMPORARY:
        if real.is_relative_to(temporary):
            return f"{temporary}, a temporary folder"
    return ""


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Return the type of the file system that a folder is on, or would be."""
    real = folder.resolve()
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return "unknown"
    best = (0, "unknown")
    for line in lines:
        if len(line) > 2 and real.is_relative_to(_unescaped(line[1])):
            best = max(best, (len(line[1]), line[2]))
    return best[1]


def write_speed(folder: Path, size: int = 8 * 2**20) -> float | None:
    """Return the bytes a second at which a file is written and synced; None where none can be."""
    content = os.urandom(size)
    try:
        with tempfile.TemporaryFile(dir=nearest(folder), buffering=0) as file:
            began = time.monotonic()
            file.write(content)
            os.fsync(file.fileno())
            return size / (time.monotonic() - began)
    except OSError:
        return None


def _unescaped(path: str) -> str:
    return path.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
