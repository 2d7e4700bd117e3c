"""Processes of this machine: whether one is there, whether it is stopped, and when it began."""

from __future__ import annotations

from pathlib import Path

DEAD = "ZX"  # a zombie has ended, though nobody has asked how: in a container it may stay for ever
STOPPED = "Tt"  # by SIGSTOP, SIGTSTP or a debugger: it does nothing until SIGCONT


def started_at(pid: int) -> str | None:
    """Return when a process of this machine began, in ticks since boot; None if there is none.

    The kernel gives numbers out again, so a number alone does not name a process.
    """
    fields = _status(pid)
    if fields is None or fields[0] in DEAD:
        return None
    return fields[19]


def is_stopped(pid: int) -> bool:
    """Whether a process of this machine is stopped: it can neither work nor save until SIGCONT."""
    fields = _status(pid)
    return fields is not None and fields[0] in STOPPED


def _status(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the process's state on."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return None
    # The second field is the name in brackets, and may hold blanks and brackets itself.
    fields = text.rpartition(")")[2].split()
    return fields if len(fields) > 19 else None
