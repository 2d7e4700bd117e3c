"""The iteration of a run's checkpoint, read from the checkpoint itself and without torch.

`progress.json` may be ahead of the checkpoint: it says where a run is, not what is saved. A
checkpoint is a zip archive of one pickle and the raw bytes of its tensors. Only the pickle is read
here, by an unpickler that makes nothing but plain values: a tensor becomes None, and a name that a
stranger planted in the file is never imported.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from repro.storage.paths import Folder

LARGEST_PICKLE = 16 * 2**20  # bytes; the checkpoint of ResNet-1202 has a pickle of 1.4 MB


def checkpoint_iteration(folder: Folder) -> int | None:
    """Return the iteration of the newest checkpoint that can be read; None where there is none."""
    for path in (folder.checkpoint, folder.previous_checkpoint):
        iteration = _iteration_in(path)
        if iteration is not None:
            return iteration
    return None


def _iteration_in(path: Path) -> int | None:
    """Return the iteration that a checkpoint names; None where it is absent or damaged."""
    try:
        if not path.is_file():  # a pipe would wait for somebody to write
            return None
        with zipfile.ZipFile(path) as archive:
            [member] = [info for info in archive.infolist() if info.filename.endswith("/data.pkl")]
            if member.file_size > LARGEST_PICKLE:
                return None
            content = archive.read(member)
        iteration = _PlainValues(io.BytesIO(content)).load()["iteration"]
    except Exception:  # a damaged archive or pickle may raise almost any of them
        return None
    return iteration if isinstance(iteration, int) else None


class _PlainValues(pickle.Unpickler):
    """Reads numbers, texts and the containers they are in; everything else becomes None."""

    def find_class(self, module: str, name: str) -> Any:
        # A net's state dict is an ordered dictionary, which its pickle fills in place.
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return _nothing

    def persistent_load(self, _: Any) -> None:
        """Leave the bytes of a tensor where they are."""


def _nothing(*_: Any) -> None:
    """Stand for whatever the pickle would make of these arguments."""
