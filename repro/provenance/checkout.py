"""The git state of this code: its commit, and whether all code that can move a number is in it.

This is the only module that asks git. Dirty means that a Python file of `repro/` or `experiments/`
is changed, removed or not yet added; an edited README moves no number. Frozen code carries the
answer in `commit.json`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TypedDict

from repro.storage.atomic import read_json
from repro.storage.paths import ROOT

PACKAGES = ("repro", "experiments")
FROZEN = "commit.json"

_CODE = tuple(f":(glob){package}/**/*.py" for package in PACKAGES)
# A git hook sets these, for its own repository.
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


class CodeState(TypedDict):
    """What a record says of the code. Both are None where there is no git checkout."""

    commit: str | None
    dirty: bool | None


def code_state(root: Path = ROOT) -> CodeState:
    """Return the commit of the code in `root`, and whether code that moves numbers differs."""
    recorded = _recorded(root)
    if recorded is not None:
        return recorded
    files = uncommitted(root)
    return {"commit": commit_of(root), "dirty": None if files is None else bool(files)}


def commit_of(root: Path = ROOT) -> str | None:
    """Return the commit that is checked out in `root`, or that frozen code was made from."""
    recorded = _recorded(root)
    if recorded is not None:
        return recorded["commit"]
    commit = _git(root, "rev-parse", "HEAD")
    return None if commit is None else commit.strip()


def _recorded(root: Path) -> CodeState | None:
    """Return what frozen code, or an installed package, says of the commit it was made from."""
    recorded: CodeState | None = read_json(root / FROZEN) or read_json(root / "repro" / FROZEN)
    return recorded


def uncommitted(root: Path = ROOT) -> list[str] | None:
    """Return the files of code that differ from the commit; None where there is no checkout."""
    # Said in full, because a user's own configuration may hide files that git does not know.
    command = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *_CODE)
    answer = _git(root, *command)
    if answer is None:
        return None
    # Each entry is two letters, a blank and the path.
    return [entry[3:] for entry in answer.split("\0") if entry]


def difference(root: Path = ROOT) -> str:
    """Return how the tracked files of the two packages differ from the commit, as a diff."""
    return _git(root, "diff", "HEAD", "--", *PACKAGES) or ""


def _git(root: Path, *words: str) -> str | None:
    """Return what git answers; None where the code is no checkout, or where git is missing."""
    if not (root / ".git").exists():
        return None
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
