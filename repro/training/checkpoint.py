"""Checkpoints: whole or absent, with a digest that tells damage, and with their predecessor kept.

A checkpoint file is a `torch.save` followed by the SHA-256 of it: `torch.load` alone takes a
flipped bit for a weight. It is of use only with the metrics that belong to it, so both are checked
before one is believed.
"""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from repro.errors import Incomplete, quote
from repro.storage import metrics_file
from repro.storage.atomic import NOT_A_FILE, cannot_read, read_file, write_atomic
from repro.storage.paths import Folder

_DIGEST = 32  # bytes


@dataclass(frozen=True)
class FoundCheckpoint:
    """The newest checkpoint that can be believed, and why newer ones cannot."""

    path: Path
    state: dict[str, Any]
    damaged: tuple[str, ...] = ()


class _Damaged(Exception):
    """Why a checkpoint cannot be believed."""


def save(folder: Folder, state: dict[str, Any], may_publish: Callable[[], None]) -> None:
    """Write the checkpoint, and make the one before it the previous one.

    `may_publish` raises if another attempt has the run.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    content = payload + hashlib.sha256(payload).digest()
    write_atomic(folder.checkpoint, content, may_publish, keeping=folder.previous_checkpoint)


def load(folder: Folder) -> dict[str, Any] | None:
    """Return the newest checkpoint's state; None where there never was one."""
    checkpoint = find_checkpoint(folder)
    if checkpoint is None:
        return None
    return checkpoint.state


def find_checkpoint(folder: Folder) -> FoundCheckpoint | None:
    """Return the newest whole checkpoint that has its metrics; None if there never was one."""
    damaged: list[str] = []
    for path in (folder.checkpoint, folder.previous_checkpoint):
        try:
            return FoundCheckpoint(path, _believed(path, folder), tuple(damaged))
        except FileNotFoundError:
            continue
        except _Damaged as reason:
            damaged.append(f"{quote(path, 300)} ({reason})")
        except OSError as error:
            if error.errno in (None, errno.EISDIR):
                damaged.append(f"{quote(path, 300)} ({NOT_A_FILE})")
                continue
            raise cannot_read(path, error) from error
    if damaged:
        raise Incomplete(
            "every checkpoint of this run is damaged: " + ", ".join(damaged),
            "restore one from a backup, or start the run again with `--again`",
        )
    return None


# What a run goes on from. What else a checkpoint holds has a default.
_NEEDED = {
    "iteration": int,
    "net": dict,
    "optimizer": dict,
    "warm_up": dict,
    "window": dict,
    "latest": dict,
    "metrics_size": int,
    "data": str,
    "threads": int,
    "seconds": float,
}


def _content(payload: bytes) -> dict[str, Any]:
    """Return the state in a file whose digest is right, if a run can go on from it."""
    try:
        state = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
    except Exception as error:  # bytes of a stranger's may make torch raise almost anything
        # Torch's own advice is to load without `weights_only`, which would run what is in there.
        raise _Damaged("its content is no checkpoint of ours") from error
    if not isinstance(state, dict):
        raise _Damaged("its content is no checkpoint of ours")
    lacking = [key for key, kind in _NEEDED.items() if not isinstance(state.get(key), kind)]
    if lacking:
        raise _Damaged(f"its content has no usable {', '.join(map(quote, lacking))}")
    if state["iteration"] < 0 or state["metrics_size"] < 0:
        raise _Damaged("its content counts below zero")
    return state


def _believed(path: Path, folder: Folder) -> dict[str, Any]:
    """Return the checkpoint's state, or raise `_Damaged` with the reason not to believe it."""
    content = read_file(path)
    payload, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(payload).digest() != digest:
        raise _Damaged("its digest is of other bytes")
    state = _content(payload)
    size = state["metrics_size"]
    metrics = b""
    if size:
        metrics = read_file(folder.metrics)[:size]
    _, whole = metrics_file.read_valid_prefix(metrics)
    if whole != size:
        raise _Damaged(f"its `metrics.jsonl` is damaged at byte {whole} of {size}")
    return state
