"""Telling a process of this machine from another that has got its number since."""

from __future__ import annotations

from pathlib import Path


def started_at(pid: int) -> str | None:
    """When a process of this machine began, in ticks since boot; None if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
