"""CIFAR-10 over the network, from its authors or a mirror; a broken download is resumed.

Which address the images come from does not matter: what was downloaded is kept only if its pixels
are the official ones (`repro/data/small/official_cifar10.py`). So no hash of the archive is needed,
and any container of them will do.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.atomic import make_folder

NAME = "cifar10"
ARCHIVE = "cifar-10-python.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
BYTES = 170_498_071  # of the authors' archive; taken for the size where the server does not tell it

LARGEST_DOWNLOAD = 1 << 30  # bytes
SILENCE = 60  # seconds without a byte after which a connection is given up
PIECE = 1 << 20  # bytes read at once

Progress: TypeAlias = Callable[[int, int], None]


def partial_path(folder: Path, url: str) -> Path:
    """Return where a download from that address is kept until it is whole."""
    ending = "".join(Path(file_name(url)).suffixes[-2:])
    address = hashlib.sha256(url.encode()).hexdigest()[:12]
    return folder / f".{NAME}-{address}{ending}"


def file_name(url: str) -> str:
    """Return the name of the file at an address."""
    return urllib.parse.urlsplit(url).path.rpartition("/")[2]


def download(path: Path, url: str, progress: Progress) -> None:
    """Fetch what is at that address into the file, which may have the beginning already."""
    if not url.startswith(("https://", "http://", "file://")):
        raise UserError(f"{quote(url, 300)} is no address", "give one that begins with https://")
    farthest = _size(path)
    # Some networks cut every long connection. As long as each one brings more, try the next.
    while True:
        problem = _fetch(path, url, progress)
        if problem is None:
            return
        size = _size(path)
        if size <= farthest:
            raise EnvironmentProblem(f"cannot download {quote(url, 300)}: {problem}", _hint(size))
        farthest = size


def _fetch(path: Path, url: str, progress: Progress) -> str | None:
    """Fetch what the file lacks in one connection; return what went wrong, if anything did."""
    have = _size(path)
    request = urllib.request.Request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=SILENCE) as answer:
            start, total = _offered(answer, have)
            if start not in (0, have):
                path.unlink()  # so that the next try begins at the first byte
                return f"the server sent what follows byte {start:,}, not byte {have:,}"
            return _append(path, answer, start, total, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if error.headers.get("Content-Range", "").endswith(f"/{have}"):
                return None  # the file was whole already
            path.unlink()  # it is longer than what the server has, so it is of another file
            return _fetch(path, url, progress)
        return str(error)
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", None) or error)


def _offered(answer: Any, have: int) -> tuple[int, int]:
    """Return the byte at which the answer begins, and the size of the whole file if it is known."""
    length = _number(answer.headers.get("Content-Length", ""))
    if getattr(answer, "status", None) != http.HTTPStatus.PARTIAL_CONTENT:
        return 0, length  # the server sends everything again
    # For example: bytes 1000-4999/5000
    span, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    start = _number(span.partition("-")[0])
    return start, _number(total) or start + length


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _append(
    path: Path, answer: IO[bytes], start: int, total: int, progress: Progress
) -> str | None:
    """Write the answer into the file from that byte on; return what is missing at the end."""
    make_folder(path.parent)
    with path.open("r+b" if path.exists() else "xb") as file:
        _lock(file, path)
        file.truncate(start)
        file.seek(start)
        while piece := answer.read(PIECE):
            file.write(piece)
            progress(file.tell(), max(total or BYTES, file.tell()))
            if file.tell() > LARGEST_DOWNLOAD:
                file.truncate(0)
                raise OSError(f"it has more than {LARGEST_DOWNLOAD:,} bytes")
        size = file.tell()
    return None if size >= total else f"it broke off after {size:,} of {total:,} bytes"


def _lock(file: IO[bytes], path: Path) -> None:
    """Let one process at a time write the file; the lock ends with the process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise EnvironmentProblem(
            f"another process downloads {quote(path, 300)}", "wait for it, then ask again"
        ) from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _hint(size: int) -> str:
    if size:
        return "the same command goes on from there; `--url` names a mirror"
    return (
        f"`--url` names a mirror; or, where there is a network, fetch {ARCHIVE} "
        "from https://www.cs.toronto.edu/~kriz/cifar.html; "
        f"then `repro data import {NAME} {ARCHIVE}`"
    )
