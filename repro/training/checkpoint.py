"""Checkpoints that are whole or absent, that know when they are damaged, and that keep their predecessor.

A checkpoint file is a `torch.save` followed by the SHA-256 of it: `torch.load` alone takes a flipped bit for a weight.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import torch

from repro.errors import Incomplete, shown
from repro.folders import Folder, sync_folder, write_whole

_DIGEST = 32  # bytes


def save(folder: Folder, state: dict[str, Any], may_publish: Callable[[], None]) -> None:
    """Make this the checkpoint, and the one before it the previous one; `may_publish` raises if another has the run."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    may_publish()
    if folder.checkpoint.exists():
        folder.checkpoint.replace(folder.previous_checkpoint)
        sync_folder(folder.path)
    write_whole(folder.checkpoint, payload + hashlib.sha256(payload).digest())


def load(folder: Folder) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; None where there never was one."""
    present = [path for path in (folder.checkpoint, folder.previous_checkpoint) if path.exists()]
    for path in present:
        content = path.read_bytes()
        payload, digest = content[:-_DIGEST], content[-_DIGEST:]
        if hashlib.sha256(payload).digest() == digest:
            state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
            return state
    if present:
        raise Incomplete(
            "every checkpoint of this run is damaged: " + ", ".join(shown(path, 300) for path in present),
            "restore one from a backup, or start the run again with `--again`",
        )
    return None
