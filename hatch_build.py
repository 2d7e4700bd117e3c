"""What a wheel takes along beside the code: the commit it was built from."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

RECORD = "commit.json"


class CommitHook(BuildHookInterface):
    """Write `repro/commit.json` into the wheel. An editable installation asks git instead."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        record = Path(self.directory) / RECORD
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(_state(Path(self.root))) + "\n")
        build_data["force_include"][str(record)] = f"repro/{RECORD}"


def _state(root: Path) -> dict[str, Any]:
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--", "repro", "experiments")
    dirty = None if changed is None else bool(changed.strip())
    return {"commit": commit and commit.strip(), "dirty": dirty}


def _git(root: Path, *words: str) -> str | None:
    try:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
