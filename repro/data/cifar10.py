"""CIFAR-10 as its authors publish it: one archive, known by its MD5, read without unpacking.

The archive holds pickles, which can run code. They are opened only after the MD5 has matched, and even then only arrays
can come out of them.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from repro.data.arrays import Arrays
from repro.data.members import members
from repro.errors import Lacking, UserError, shown

NAME = "cifar10"
ARCHIVE = "cifar-10-python.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
MD5 = "c58f30108f718f92721af3b95e74349a"  # as the authors' page prints it
BYTES = 170_498_071

TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)
META = "batches.meta"
LARGEST_FILE = 64_000_000  # bytes; a batch has 31 million
SILENCE = 60  # seconds without a byte after which a download is given up

Progress = Callable[[int, int], None]


def download(into: Path, progress: Progress = lambda done, of: None, url: str = URL, md5: str = MD5) -> Path:
    """Fetch the official archive into that folder; only the one with the known MD5 is kept."""
    path, digest = into / ARCHIVE, hashlib.md5(usedforsecurity=False)
    try:
        with urllib.request.urlopen(url, timeout=SILENCE) as answer, path.open("xb") as file:
            while (piece := answer.read(1 << 20)) and file.tell() <= BYTES:
                digest.update(piece)
                file.write(piece)
                progress(file.tell(), BYTES)
    except OSError as error:
        path.unlink(missing_ok=True)
        reason = getattr(error, "reason", None) or error
        raise Lacking(f"cannot download {shown(url, 300)}: {reason}", _by_hand()) from None
    if digest.hexdigest() != md5:
        path.unlink()
        raise Lacking(f"what came from {shown(url, 300)} has MD5 {digest.hexdigest()}, not {md5}", _by_hand())
    return path


def is_official(path: Path, md5: str = MD5) -> bool:
    """Whether the file is the official archive, byte for byte."""
    if not path.is_file() or (md5 == MD5 and path.stat().st_size != BYTES):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5


def read_archive(path: Path, md5: str = MD5) -> Arrays:
    """The archive's images and labels, in its own order."""
    if not is_official(path, md5):
        raise UserError(f"{shown(path, 300)} is not the official archive: its MD5 is not {md5}", _by_hand())
    batches = {name.name: content for name, content in members(path, LARGEST_FILE)}
    names = tuple(_opened(batches[META])["label_names"])
    return Arrays(*_joined(batches, TRAIN), *_joined(batches, TEST), classes=names)


def _joined(batches: dict[str, bytes], names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    opened = [_opened(batches[name]) for name in names]
    planes = np.concatenate([np.asarray(batch["data"]) for batch in opened]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([np.array(batch["labels"], dtype=np.int64) for batch in opened])
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _opened(content: bytes) -> Any:
    return _OnlyArrays(io.BytesIO(content), encoding="latin1").load()


class _OnlyArrays(pickle.Unpickler):
    """Opens pickles of numbers, text and arrays; anything else in one is an error."""

    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("._core.", ".core."), name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.ndarray.__reduce__(np.empty(0))[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise UserError(f"a pickle wants to call {shown(f'{module}.{name}')}", "do not use this archive")


def _by_hand() -> str:
    return (
        f"where there is a network, fetch {ARCHIVE} from https://www.cs.toronto.edu/~kriz/cifar.html; "
        f"then `repro data import {NAME} {ARCHIVE}`"
    )
