"""What `repro --version` says: ours, the commit, and the libraries that can move a number."""

from __future__ import annotations

import ast
from importlib import metadata, util
from pathlib import Path

from repro.provenance.checkout import commit_of


def version() -> str:
    """Return the versions in one line."""
    commit = commit_of() or "unknown"
    parts = [f"repro {_installed('repro')} (commit {commit[:7]})"]
    parts.append(f"torch {_installed('torch')} ({_cuda_build()})")
    for name in ("torchvision", "pandas", "submitit"):
        parts.append(f"{name} {_installed(name)}")
    return " · ".join(parts)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cuda_build() -> str:
    """Return for which CUDA or ROCm PyTorch was built; its version page is read, not imported."""
    found = util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return "no build"
    # To import torch for one word would take a second or two.
    page = Path(found.submodule_search_locations[0]) / "version.py"
    try:
        tree = ast.parse(page.read_text())
    except (OSError, SyntaxError):
        return "build unknown"
    versions: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant):
            versions[ast.unparse(node.target)] = node.value.value
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            versions[ast.unparse(node.targets[0])] = node.value.value
    for kind, name in (("cuda", "CUDA"), ("hip", "ROCm")):
        if isinstance(versions.get(kind), str):
            return f"{name} {versions[kind]}"
    return "CPU only"
