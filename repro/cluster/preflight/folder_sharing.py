"""Where several people use one folder of results: whether they can read what each other writes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from repro.cluster.preflight.doctor_line import Check, Checks
from repro.storage.access import nearest, owner_of
from repro.storage.atomic import group_may_read

ELSEWHERE = (
    "set `REPRO_RESULTS`, in your shell's start-up file, to a folder of yours that every node sees"
)


def sharing(results: Path) -> Checks:
    """Yield what keeps people who share the results from each other's files."""
    if not results.exists():
        return
    status = results.stat()
    theirs = status.st_uid != os.geteuid()
    if not theirs and not status.st_mode & stat.S_ISGID:
        return
    whose = "the results folder hands on its group"
    if theirs:
        whose = f"results belong to {owner_of(results)}"
    readable, closed = status.st_mode & 0o050 == 0o050, _closed(results)
    if not group_may_read():
        yield _unreadable(whose, theirs)
    elif not readable:
        fix = f"its owner: `chmod g+rx {results}`"
        yield Check("sharing", "warning", f"{whose}, who cannot read it", fix)
    if closed:
        fix = f"its owner: `chmod g+rwxs` on {closed} in {results}"
        fix += f"; or, for results of your own, {ELSEWHERE}"
        yield Check("sharing", "failure", f"{whose}, and you cannot write to {closed} in it", fix)
    elif readable and group_may_read():
        yield Check("sharing", "ok", f"{whose}, and the group can read what you write")


def _unreadable(whose: str, theirs: bool) -> Check:
    """Return what to say where only we can read what we write."""
    fix = "`export REPRO_GROUP_READABLE=1` in the start-up file of everyone's shell"
    fix += ", and `REPRO_TRUST_FOLDER=1` if you trust them" if theirs else _ALONE
    return Check("sharing", "warning", f"{whose}, and what you write there only you can read", fix)


_ALONE = "; alone, there is nothing to do"


def _closed(results: Path) -> str:
    """Return the folders closed to us in which a submission makes new ones."""
    folders = {name: nearest(results / name) for name in ("runs", "jobs", "code")}
    return ", ".join(
        name for name, folder in folders.items() if not os.access(folder, os.W_OK | os.X_OK)
    )
