"""What `repro --version` says: ours, the commit, and the libraries that can move a number. Imports none of them."""

from __future__ import annotations

import subprocess
from importlib import metadata

from repro.folders import ROOT


def version() -> str:
    installed = (f"{name} {_installed(name)}" for name in ("torch", "torchvision", "pandas", "submitit"))
    return f"repro {_installed('repro')} (commit {_commit()}) · " + " · ".join(installed)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
