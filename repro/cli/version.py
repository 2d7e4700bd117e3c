"""What `repro --version` says: ours, the commit, and the libraries that can move a number. Imports none of them."""

from __future__ import annotations

from importlib import metadata

from repro.provenance.checkout import commit_of


def version() -> str:
    installed = (
        f"{name} {_installed(name)}" for name in ("torch", "torchvision", "pandas", "submitit")
    )
    return f"repro {_installed('repro')} (commit {_commit()}) · " + " · ".join(installed)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    commit = commit_of()
    return "unknown" if commit is None else commit[:7]
